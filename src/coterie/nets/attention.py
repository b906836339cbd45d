"""The heads of GATCluster: a label of the whole image, and one of where a Gaussian looks (gatcluster.md section 3).

    f   = BN(conv1x1(X))                X (b, F, h, w): the map of features
    l_o = softmax(MLP(mean of f))       the label branch, which answers
    th  = sigmoid(linear(BN(conv1x1(X))))
    l_a = softmax(MLP(sum of f G(th)))  the attention branch, which is taught to be as sure where it looks

G is a Gaussian on the map with peak 1, whose middle and width the network chooses for each image. Where the tables of
the supplement and the released code disagree (layers, widths, ReLU before coordinates), this follows the code, but for
its slip: there the column and the width are one number. ``compat_theta`` is that form.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from coterie.errors import ConfigError
from coterie.nets.feature_maps import FeatureMaps, Shape

LAMBDA = 0.05  # of the code: the standard deviation is at most sqrt(.05) = .22 of the map's side
EPS = 1e-5
GAUSSIANS = {"isotropic": 3, "compat_theta": 3, "anisotropic": 5}  # and how many numbers each takes


class Views(NamedTuple):
    """What the network makes of b images.

    Attributes:
        log_label: (b, k) log of l_o.
        log_attended: (b, k) log of l_a; None without the attention branch.
        theta: (b, 3) or (b, 5) in 0..1, where and how wide the network looked; None without.
        pooled: (b, F) a_o.
    """

    log_label: Tensor
    log_attended: Tensor | None
    theta: Tensor | None
    pooled: Tensor


def gaussian_map(theta: Tensor, shape: tuple[int, int], form: str = "isotropic") -> Tensor:
    """(b, h, w) in 0..1: where each image is looked at, with peak 1.

    theta: (b, 3) in 0..1, row and column of the middle (0 is the first place of the map, 1 the last) and width:
        exp(-|c - mu|^2 / (2 .05 theta_2 + 1e-5)). "compat_theta" takes theta_2 for the column too, as the released code
        does, and leaves theta_1 unused. "anisotropic" takes (b, 5): row, column, their widths d, and twice the
        correlation r: exp(-(u^2 - 2 r u v + v^2) / (2 .05 (1 - r^2))), u and v the distances over d + 1e-5.
    """
    rows, columns = (torch.linspace(0, 1, side, device=theta.device, dtype=theta.dtype) for side in shape)
    column_of = theta[:, 2] if form == "compat_theta" else theta[:, 1]
    down = rows[None, :, None] - theta[:, 0, None, None]
    across = columns[None, None, :] - column_of[:, None, None]
    if form != "anisotropic":
        return torch.exp(-(down.square() + across.square()) / (2 * LAMBDA * theta[:, 2, None, None] + EPS))
    u, v = down / (theta[:, 2, None, None] + EPS), across / (theta[:, 3, None, None] + EPS)
    r = theta[:, 4, None, None] / 2
    return torch.exp(-(u.square() - 2 * r * u * v + v.square()) / (2 * LAMBDA * (1 - r.square())))


class LabelFeatures(nn.Module):
    """Images (b, c, h, w) to a_o (b, F): features averaged over the map; what the label branch and the linkage see.

    Args:
        shape, n_features, map_size, width, colour: of ``FeatureMaps``.
        relu: after the batch normalisation of f, as the authors' ImageNet-10 network has it; not in the one for STL-10.
    """

    def __init__(
        self,
        shape: Shape,
        n_features: int,
        *,
        map_size: int | str = "auto",
        width: int = 64,
        colour: bool = False,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.maps = FeatureMaps(shape, n_features, map_size=map_size, width=width, colour=colour)
        self.label_maps = _point_conv(n_features, n_features, relu=relu)

    def forward(self, images: Tensor) -> Tensor:
        """a_o (b, F) float32."""
        f: Tensor = self.label_maps(self.maps(images))
        return f.float().mean((2, 3))


class AttentionModule(nn.Module):
    """Where to look: the map of features (b, F, h, w) to theta (b, 3) or (b, 5) in 0..1.

    Args:
        n_features: F.
        n_clusters: k; the width of the convolution.
        map_shape: (h, w).
        n_numbers: of theta.
        conv: the convolution before the linear layer; left out in the authors' ImageNet-10 network.
    """

    def __init__(
        self, n_features: int, n_clusters: int, map_shape: tuple[int, int], n_numbers: int, *, conv: bool = True
    ) -> None:
        super().__init__()
        self.conv = _point_conv(n_features, n_clusters, relu=True) if conv else nn.Identity()
        channels = n_clusters if conv else n_features
        self.linear = nn.Linear(channels * map_shape[0] * map_shape[1], n_numbers)

    def forward(self, maps: Tensor) -> Tensor:
        """theta, float32."""
        theta: Tensor = self.linear(self.conv(maps).flatten(1))
        return theta.float().sigmoid()


class GaussianAttentionNet(nn.Module):
    """The whole network on its ``features``, with both branches, or the label branch alone.

    Args:
        features: images to a_o.
        n_clusters: k.
        gaussian: a name of ``GAUSSIANS``.
        attend: have the attention branch.
        attention_conv: ``conv`` of ``AttentionModule``.
    """

    def __init__(
        self,
        features: LabelFeatures,
        n_clusters: int,
        *,
        gaussian: str = "isotropic",
        attend: bool = True,
        attention_conv: bool = True,
    ) -> None:
        super().__init__()
        if gaussian not in GAUSSIANS:
            raise ConfigError(f"gaussian is {gaussian!r}; expected one of {', '.join(GAUSSIANS)}")
        self.gaussian = gaussian
        self.features = features
        n_features = features.n_features
        self.map_shape = features.maps.map_shape
        self.label = _label_layers(n_features, n_clusters)
        self.attention: AttentionModule | None = None
        if attend:
            numbers = GAUSSIANS[gaussian]
            self.attention = AttentionModule(n_features, n_clusters, self.map_shape, numbers, conv=attention_conv)
            self.attended_label = _label_layers(n_features, n_clusters)

    def forward(self, images: Tensor) -> Views:
        """Both branches on images (b, c, h, w)."""
        maps = self.features.maps(images)
        f: Tensor = self.features.label_maps(maps)
        # mixed precision is for the convolutions: losses of softmax outputs need every bit
        with torch.autocast(images.device.type, enabled=False):
            f = f.float()
            pooled = f.mean((2, 3))
            log_label = self.label(pooled).log_softmax(1)
            if self.attention is None:
                return Views(log_label, None, None, pooled)
            theta = self.attention(maps.float())
            # a sum, not a mean, as in the code: wide looks make larger features
            a_a = (f * gaussian_map(theta, self.map_shape, self.gaussian)[:, None]).sum((2, 3))
            return Views(log_label, self.attended_label(a_a).log_softmax(1), theta, pooled)


def _point_conv(incoming: int, outgoing: int, *, relu: bool) -> nn.Sequential:
    conv = nn.Conv2d(incoming, outgoing, 1)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(outgoing), *([nn.ReLU(inplace=True)] if relu else [])]
    return nn.Sequential(*layers)


def _label_layers(n_features: int, n_clusters: int) -> nn.Sequential:
    """F -> k -> k (the code; Table A1 has a layer more)."""
    return nn.Sequential(nn.Linear(n_features, n_clusters), nn.ReLU(), nn.Linear(n_clusters, n_clusters))
