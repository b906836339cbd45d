"""The losses of DCCM: what images, their variants and the layers of the network have to do with one another.

Equations are those of Wu, Long, Wang, Qian, Li, Lin, Zha, ICCV 2019; where the paper writes a sum, the authors' code
takes the mean named here, to which alpha = 5 was set (dccm.md section 4). All of them are in full precision: give
float32 or float64.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from coterie.methods.pairs import pair_bce, similarity

SMALLEST = 1e-12  # of a probability before its logarithm, as in the authors' code
LOG_SMALLEST = -27.631021  # its logarithm


def similarities(z: Tensor) -> Tensor:
    """S (n, n): cosines between the rows of ``z`` (n, k), which are probabilities; 0 to 1."""
    return similarity(normalize(z))


def pseudo_graph(cosines: Tensor, threshold: float) -> Tensor:
    """W (n, n) bool: the pairs whose similarity, of ``cosines`` (n, n), is ``threshold`` or more (Eq. 2).

    An image is linked with itself, whatever rounding leaves of its cosine.
    """
    linked = cosines >= threshold
    linked.fill_diagonal_(True)
    return linked


def graph_loss(z: Tensor, linked: Tensor) -> Tensor:
    """Mean binary cross entropy of the similarities of ``z`` (n, k) with ``linked`` (n, n), over all n^2 pairs (Eq. 3).

    Nothing is divided by the largest similarity, as the code does to keep it below 1 (``methods.pairs`` clamps).
    """
    return pair_bce(normalize(z), linked.to(z.dtype)).mean()


def pseudo_labels(z: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """y (n,) int64, the largest of each row of ``z`` (n, k), and V (n,) bool, where that is ``threshold`` or more.

    Eqs. 7 and 8.
    """
    p, y = z.max(1)
    return y, p >= threshold


def label_loss(log_z: Tensor, y: Tensor, confident: Tensor) -> Tensor:
    """The authors' form of Eq. 9: K binary cross entropies against the pseudo-labels ``y`` (n,), averaged over K.

    log_z: (n, k), logarithms of probabilities. confident: (n,) bool; the sum over these is divided by n, not by their
    number.
    """
    log_p = log_z.clamp(min=LOG_SMALLEST)
    log_rest = (-torch.expm1(log_z.clamp(max=-SMALLEST))).log()  # log(1 - z)
    own = torch.zeros_like(log_z).scatter_(1, y[:, None], 1.0)
    entropies = -(own * log_p + (1 - own) * log_rest).mean(1)
    return (entropies * confident).mean()


def label_cross_entropy(log_z: Tensor, y: Tensor, confident: Tensor) -> Tensor:
    """Eq. 9 with the plain cross entropy; arguments and divisor are those of ``label_loss``.

    About K times as strong, so that the same alpha weighs it otherwise.
    """
    own = log_z.gather(1, y[:, None])[:, 0].clamp(min=LOG_SMALLEST)
    return -(own * confident).mean()


def invariance_loss(z: Tensor, z_of_variant: Tensor) -> Tensor:
    """Mean distance between the rows of ``z`` (n, k) and those of their variants (Eq. 11).

    The paper gives it as a motive and leaves it out of its objective, and so do the authors (dccm.md section 4.4).
    """
    # clamped, since the root of 0 has no slope, and a variant may be predicted exactly as its image
    return (z - z_of_variant).square().sum(1).clamp(min=SMALLEST).sqrt().mean()


def information_loss(together: Tensor, apart: Tensor, counted: Tensor) -> Tensor:
    """Minus the Jensen-Shannon estimate of mutual information; 2 log 2 where T is 0, and 0 at best (Eqs. 13, 14).

    together: (m, p) scores T(d, s) of pairs that belong together, at p places. apart: (a, b, p) scores of a pairs of
    each of b images with ones that they do not belong to. counted: (b,) bool, the images that have such pairs.
    """
    per_image = softplus(apart).mean((0, 2)) * counted
    return softplus(-together).mean() + per_image.sum() / counted.sum().clamp(min=1)
