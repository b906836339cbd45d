"""What stands on a trunk: the projection to the sphere, and prototypes on it that say which cluster an image is of."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from coterie.errors import ConfigError
from coterie.nets.resnet import Shape, Trunk, build_trunk

EPS = 1e-8  # shorter vectors are not stretched to length 1 (tcc.md section 1)
PROJECTIONS = ("linear", "mlp")
COMBINATIONS = ("additive", "concat", "mlp", "none")


class ProjectedTrunk(nn.Module):
    """Images (b, c, h, w) to unit vectors (b, dim).

    Args:
        trunk: a name of ``build_trunk``.
        shape: (c, h, w) of the images.
        dim: length of a vector; 128 in MiCE and TCC.
        projection: "linear", one layer with bias, or "mlp", a hidden layer as wide as the trunk's features (MoCo-v2).
    """

    def __init__(self, trunk: str, shape: Shape, dim: int = 128, projection: str = "linear") -> None:
        super().__init__()
        self.trunk: Trunk = build_trunk(trunk, shape)
        wide = self.trunk.n_features
        if projection not in PROJECTIONS:
            raise ConfigError(f"projection={projection!r} is unknown: give one of {', '.join(PROJECTIONS)}.")
        hidden: list[nn.Module] = [nn.Linear(wide, wide), nn.ReLU(inplace=True)] if projection == "mlp" else []
        self.projection = nn.Sequential(*hidden, nn.Linear(wide, dim))

    def forward(self, x: Tensor) -> Tensor:
        """(b, dim) float32 of length 1, also under autocast."""
        y = self.projection(self.trunk(x))
        return _unit(y.float())


class Assigned(NamedTuple):
    """What ``TwinHead`` makes of b images.

    Attributes:
        f: (b, d) unit features.
        log_pi: (b, k) log probabilities of the clusters, Eq. 1.
        c: (m, b, k) soft samples of the cluster, Eq. 2; m draws for each image.
        v: (m, b, d) unit embeddings of image and sample, e(x, c).
    """

    f: Tensor
    log_pi: Tensor
    c: Tensor
    v: Tensor


class TwinHead(nn.Module):
    """An encoder with prototypes (tcc.md sections 2 to 4): the part of TCC that is trained, and that has an EMA twin.

    Args:
        encoder: images to unit features (b, d).
        n_clusters: k.
        dim: d.
        tau_q: temperature of Eq. 1.
        temperature: lambda of Eq. 2.
        combine: e(x, c), "additive": N2(f + W c); "concat": N2(Linear([f; c])); "mlp": two layers; "none": f itself.
        frozen: keep the prototypes where they start.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_clusters: int,
        dim: int,
        *,
        tau_q: float,
        temperature: float,
        combine: str = "additive",
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.tau_q, self.temperature, self.combine = tau_q, temperature, combine
        self.prototypes = nn.Parameter(first_prototypes(n_clusters, dim), requires_grad=not frozen)
        self.joined = _joined(combine, n_clusters, dim, self.prototypes.detach())

    def forward(self, x: Tensor, noise: Tensor) -> Assigned:
        """Images (b, c, h, w) and Gumbel noise (m, b, k)."""
        f = self.encoder(x)
        # mixed precision is for the encoder: 1 / tau_q times a rounding error would be seen in pi
        with torch.autocast(x.device.type, enabled=False):
            f = f.to(torch.promote_types(f.dtype, torch.float32))
            log_pi = self.log_pi(f)  # Eq. 1
            c = ((log_pi + noise) / self.temperature).softmax(-1)  # Eq. 2
            return Assigned(f, log_pi, c, self.embed(f, c))

    def log_pi(self, f: Tensor) -> Tensor:
        """(b, k) log of Eq. 1 for unit features (b, d)."""
        return (f @ _unit(self.prototypes).T / self.tau_q).log_softmax(-1)

    def embed(self, f: Tensor, c: Tensor) -> Tensor:
        """e(x, c) (m, b, d) of unit features (b, d) and samples (m, b, k)."""
        if self.combine == "none":
            return f.expand(len(c), *f.shape)
        if self.combine == "additive":
            return _unit(f + self.joined(c))
        return _unit(self.joined(torch.cat([f.expand(len(c), *f.shape), c], dim=-1)))

    @torch.no_grad()
    def place(self, prototypes: Tensor) -> None:
        """Puts the prototypes (k, d), and W of the additive embedding, where clusters were found."""
        self.prototypes.copy_(_unit(prototypes))
        if self.combine == "additive":
            cast("nn.Linear", self.joined).weight.copy_(_unit(prototypes).T)


def simplex(k: int, d: int) -> Tensor:
    """(k, d) unit vectors with the inner product -1 / (k - 1) of each two: as far apart as k directions can be.

    Max-Mahalanobis vertices (Pang, Du, Zhu 2018), row by row; MiCE keeps its gating prototypes there. Raises
    ConfigError for d < k - 1, where they do not exist.
    """
    if d < k - 1:
        raise ConfigError(f"{k} directions as far apart as can be need {k - 1} dimensions, not {d}")
    vertices = torch.zeros(k, max(k, d), dtype=torch.float64)
    vertices[0, 0] = 1
    for i in range(1, k):
        for j in range(i):
            vertices[i, j] = -(1 / (k - 1) + vertices[i] @ vertices[j]) / vertices[j, j]
        vertices[i, i] = (1 - vertices[i].square().sum()).clamp(min=0).sqrt()
    return vertices[:, :d].float()  # the last vertex of k has no coordinate of its own


def first_prototypes(k: int, d: int) -> Tensor:
    """(k, d) unit vectors to start from: ``simplex`` where it exists, else random directions from torch's generator, of
    which each d in a row are at right angles, so that as few as can be are close (tcc.md section 2)."""
    if d >= k - 1:
        return simplex(k, d)
    frames = [torch.linalg.qr(torch.randn(d, d)).Q.T for _ in range(-(-k // d))]
    return torch.cat(frames)[:k]


def most_certain(k: int, tau_q: float) -> float:
    """The largest probability that Eq. 1 can give with simplex prototypes: that of an image on one of them."""
    return float(torch.tensor([1 / tau_q, *[-1 / ((k - 1) * tau_q)] * (k - 1)], dtype=torch.float64).softmax(0)[0])


def _joined(combine: str, k: int, d: int, prototypes: Tensor) -> nn.Module:
    if combine == "additive":
        layer = nn.Linear(k, d, bias=False)
        layer.weight.data.copy_(prototypes.T)
        return layer
    if combine == "concat":
        return nn.Linear(d + k, d)
    if combine == "mlp":
        return nn.Sequential(nn.Linear(d + k, d), nn.ReLU(inplace=True), nn.Linear(d, d))
    if combine == "none":
        return nn.Identity()
    raise ConfigError(f"combine={combine!r} is unknown: give one of {', '.join(COMBINATIONS)}.")


def _unit(vectors: Tensor) -> Tensor:
    return normalize(vectors, dim=-1, eps=EPS)
