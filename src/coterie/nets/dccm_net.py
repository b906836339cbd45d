"""The networks of DCCM: convolutions without padding, two layers of D and K numbers, a softmax (dccm.md section 2).

The layouts for 32, 64 and 96 pixels are those of Table 4 of the paper; other sizes follow the one nearest to them.
Batch normalisation is by the batch and stands before the softmax too, where it keeps clusters from being lost: every
logit has mean 0 over the batch. The linear layers start as the identity.
"""

from math import prod
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import log_softmax, relu

from coterie.errors import ConfigError
from coterie.nets.batch_statistics import keep_statistics
from coterie.nets.valid_conv import batch_norm, identity_linear, out_shape, valid_conv

MAPS = 64  # of the first convolution
LARGEST_SMALL = 48  # pixels: images up to here go the way of the 32-pixel network, larger ones that of 64 and 96
# (kind, size, maps as a multiple of the first's)
SMALL = (("conv", 3, 1), ("conv", 3, 1), ("max", 2, 0), ("conv", 3, 2), ("max", 2, 0), ("conv", 3, 4))
LARGE = (
    ("conv", 5, 1), ("conv", 5, 1), ("max", 4, 0), ("conv", 3, 2), ("conv", 3, 2), ("max", 4, 0), ("conv", 1, 4),
)  # fmt: skip
TAPS = {"conv2": ("conv", 2), "pool1": ("max", 1), "conv3": ("conv", 3)}
FEW, N_FEATURES = 64, (64, 256)  # Table 4: 64 features up to 20 clusters, 256 for 200

Shape = tuple[int, int, int]


class Seen(NamedTuple):
    """What ``DCCMNet`` makes of b images.

    Attributes:
        log_z: (b, k) float32, logarithms of the probabilities of the clusters.
        logits: (b, k) before batch normalisation, the deep feature of the authors' code.
        features: (b, d), the deep feature D of the paper.
        shallow: (b, c, h, w), the map S.
    """

    log_z: Tensor
    logits: Tensor
    features: Tensor
    shallow: Tensor


class DCCMTrunk(nn.Module):
    """Images (b, c, h, w) to their features D (b, n_features).

    Args:
        shape: (c, h, w) of an image.
        layers: of ``valid_conv``.
        n_features: of D.
        tap: which map is S: "conv2", "conv3" or "pool1", after the convolution or pooling of that number.
        frozen: normalise by written statistics in evaluation, as a network from a model file does.

    Raises ConfigError where the images are too small for the layers, or the layers have no such tap.
    """

    def __init__(
        self, shape: Shape, layers: str, *, n_features: int = 64, tap: str = "pool1", frozen: bool = True
    ) -> None:
        super().__init__()
        self.layers = valid_conv(layers, shape[0])
        self.shallow_stage = stage_of(layers, tap)
        self.shallow_shape = out_shape(nn.Sequential(*list(self.layers)[: self.shallow_stage + 1]), shape)
        self.fc = identity_linear(prod(out_shape(self.layers, shape)), n_features)
        self.norm = batch_norm(n_features, flat=True)
        if frozen:
            keep_statistics(self)

    def forward(self, images: Tensor) -> Tensor:
        """(b, n_features) of ``images`` (b, c, h, w)."""
        return self.tapped(images)[1]

    def tapped(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """S (b, c', h', w') and D (b, n_features)."""
        shallow = maps = images
        for i, layer in enumerate(self.layers):
            maps = layer(maps)
            shallow = maps if i == self.shallow_stage else shallow
        return shallow, relu(self.norm(self.fc(maps.flatten(1))))


class DCCMNet(nn.Module):
    """The trunk with K probabilities: a linear layer that starts as the identity, batch normalisation, softmax.

    trunk: one that is not frozen.
    """

    def __init__(self, trunk: DCCMTrunk, n_clusters: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential(identity_linear(trunk.fc.out_features, n_clusters), batch_norm(n_clusters, flat=True))

    def forward(self, images: Tensor) -> Seen:
        """What there is of ``images`` (b, c, h, w)."""
        shallow, features = self.trunk.tapped(images)
        linear, norm = self.head
        logits = linear(features)
        return Seen(log_softmax(norm(logits).float(), 1), logits, features, shallow)


class Probabilities(nn.Module):
    """A ``DCCMNet`` of which only the logarithms of the probabilities (b, k) are wanted."""

    def __init__(self, net: DCCMNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """(b, k) of ``images`` (b, c, h, w)."""
        log_z: Tensor = self.net(images).log_z
        return log_z


def dccm_layout(shape: Shape, maps: int = MAPS) -> str:
    """The layers for images of ``shape`` (c, h, w), which end with the mean over all places; ``maps`` of the first
    convolution.

    What a convolution or a pooling has no room for becomes a 1 x 1 convolution or is left out, so images of any size
    have a network: of 16 pixels the last convolution is 1 x 1.
    """
    side = min(shape[1:])
    words: list[str] = []
    for kind, size, width in SMALL if is_small(shape) else LARGE:
        if kind == "conv":
            fitting = size if side >= size else 1
            side -= fitting - 1
            words.append(f"conv{fitting}-{maps * width}")
        elif side >= size:
            side //= size
            words.append(f"max{size}")
    return " ".join([*words, "mean"])


def is_small(shape: Shape) -> bool:
    """Whether images of ``shape`` (c, h, w) have the network of 32 pixels, the one the authors released."""
    return min(shape[1:]) <= LARGEST_SMALL


def n_features_for(n_clusters: int) -> int:
    """The length of D: 64, or 256 where that is less than the number of clusters, which start in it one by one."""
    return N_FEATURES[n_clusters > FEW]


def stage_of(layers: str, tap: str) -> int:
    """The stage after which ``tap`` is taken; ConfigError where ``layers`` has none."""
    kind, number = TAPS.get(tap, ("none", 1))
    stages = [i for i, word in enumerate(layers.split()) if word.startswith(kind)]
    if len(stages) < number:
        raise ConfigError(f"mi_shallow is {tap!r}, which {layers!r} does not have; expected one of {', '.join(TAPS)}")
    return stages[number - 1]
