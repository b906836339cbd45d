"""DAC's network (dac.md section 3): convolutions that end in one number for each cluster, and a head on those numbers.

The head starts as the identity, so the maps of the last 1 x 1 convolution are the clusters from the first update on.
"""

import torch
from torch import Tensor, nn

from coterie.errors import ConfigError
from coterie.nets.batch_statistics import keep_statistics
from coterie.nets.valid_conv import batch_norm, identity_linear, out_shape, valid_conv

Shape = tuple[int, int, int]


class LabelTrunk(nn.Module):
    """Images (b, c, h, w) to (b, d + k): d means of the maps before the last convolution, then k numbers from it.

    The k numbers are what the head reads. The d before them are of the same kind (rectified, normalised, averaged over
    the image), know what k numbers have no room for, and tell groups apart that the head has merged.

    Args:
        shape: (c, h, w) of the images.
        layers: of ``valid_conv``; must end in k maps of 1 x 1.
        frozen: normalise by written statistics in evaluation, as a network from a model file does.

    Attributes:
        n_clusters: k.
        n_features: d.
    """

    def __init__(self, shape: Shape, layers: str, *, frozen: bool = True) -> None:
        super().__init__()
        stages = valid_conv(layers, shape[0])
        self.n_clusters, *left = out_shape(stages, shape)
        if left != [1, 1]:
            raise ConfigError(
                f"layers leave maps of {left[0]} x {left[1]} of images of {shape[1]} x {shape[2]} pixels, and one "
                "number for each cluster is needed; end with a pooling that takes them whole"
            )
        convolutions = [i for i, stage in enumerate(stages) if isinstance(stage, nn.Sequential)]
        if not convolutions:
            raise ConfigError("layers have no convolution, and there is nothing to learn; add one such as conv3-64")
        last = convolutions[-1]
        self.before, self.clusters = nn.Sequential(*list(stages)[:last]), nn.Sequential(*list(stages)[last:])
        self.n_features = out_shape(self.before, shape)[0]
        if frozen:
            keep_statistics(self)

    def forward(self, x: Tensor) -> Tensor:
        """(b, d + k) of images (b, c, h, w)."""
        maps = self.before(x)
        return torch.cat([maps.mean((2, 3)), self.clusters(maps).flatten(1)], 1)


class LabelNetwork(nn.Module):
    """Images (b, c, h, w) to scores (b, k), whose softmax is the assignment.

    Args:
        shape, layers: of ``LabelTrunk``.
        relu_last: a ReLU before the softmax, as in some of the released scripts.
    """

    def __init__(self, shape: Shape, layers: str, *, relu_last: bool = False) -> None:
        super().__init__()
        self.trunk = LabelTrunk(shape, layers, frozen=False)
        k = self.trunk.n_clusters
        self.head = nn.Sequential(
            identity_linear(k, k), batch_norm(k, flat=True), nn.ReLU(),
            identity_linear(k, k), batch_norm(k, flat=True), *([nn.ReLU()] if relu_last else []),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(b, k) float32 of images (b, c, h, w)."""
        scores: Tensor = self.head(self.trunk(x)[:, -self.trunk.n_clusters :])
        return scores.float()
