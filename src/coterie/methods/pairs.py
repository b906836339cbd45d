"""Clustering as a question about pairs: do these two images belong together? (DAC, dac.md sections 1 and 2)

    l_i  = softmax(a_i) / ||softmax(a_i)||                    label feature: not negative, of length 1
    s_ij = l_i . l_j                                          in 0..1
    r_ij = 1[s_ij > u], of the clean images                   what is taught
    v_ij = 1[s_ij > u or s_ij < l]                            pairs between the thresholds are left out
    L    = sum_ij v_ij BCE(r_ij, s'_ij) / sum_ij v_ij         s' of the augmented images

All pairs of a batch count, (i, j) and (j, i) and (i, i) too, which costs nothing.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

EPS = 1e-7  # smallest argument of a logarithm (Keras)
PAPER_EPOCHS, PAPER_STEP = 46, 0.0099  # lambda grows by .009 * 1.1 an epoch, until u = l at lambda = .45


class Thresholds(NamedTuple):
    """Pairs more similar than ``upper`` belong together, those less similar than ``lower`` do not."""

    upper: float
    lower: float

    @property
    def have_met(self) -> bool:
        """Whether no pair is left out any more; here the paper's training ends."""
        return self.upper <= self.lower


class Selection(NamedTuple):
    """targets (b, b): 1 for pairs taken to belong together, else 0; weights (b, b): 0 for pairs that are left out."""

    targets: Tensor
    weights: Tensor


def paper_thresholds(lam: float) -> Thresholds:
    """u and l at ``lam`` (lambda), which grows from 0 to .45."""
    return Thresholds(0.95 - lam, 0.455 + 0.1 * lam)


def moved(start: Thresholds, end: Thresholds, share: float) -> Thresholds:
    """The thresholds when ``share`` (0 to 1) of the way from ``start`` to ``end`` is done.

    The schedules of the released scripts, and of the paper: from lambda = 0 to 46 * .0099 in 46 epochs.
    """
    return Thresholds(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))


def label_features(scores: Tensor) -> Tensor:
    """(b, k) unit vectors without negative entries: the softmax of ``scores`` (b, k), scaled to length 1."""
    return normalize(scores.softmax(1), dim=1)


def similarity(features: Tensor, other: Tensor | None = None) -> Tensor:
    """(b, b) in 0..1: the inner products of label features (b, k) with each other, or with those of ``other``."""
    return (features @ (features if other is None else other).T).clamp(0, 1)


def dissimilarity(features: Tensor, other: Tensor | None = None) -> Tensor:
    """(b, b): 1 - ``similarity`` as half the squared distance, which stays exact where the similarity is near 1."""
    return 0.5 * (features[:, None] - (features if other is None else other)[None]).square().sum(2)


def select(similar: Tensor, thresholds: Thresholds, *, leave_out: bool) -> Selection:
    """What is taught of pairs as ``similar`` (b, b) as that; a pair on a threshold is beyond neither.

    Without ``leave_out`` every pair that is not above ``upper`` is taught to be apart (DAC*).
    """
    targets = (similar > thresholds.upper).to(similar.dtype)
    weights = targets + (similar < thresholds.lower).to(similar.dtype) if leave_out else torch.ones_like(targets)
    return Selection(targets, weights)


def pair_bce(features: Tensor, targets: Tensor, other: Tensor | None = None) -> Tensor:
    """(b, b): -[r log s + (1 - r) log(1 - s)] of label features (b, k) for ``targets`` r (b, b)."""
    together = -similarity(features, other).clamp(min=EPS).log()
    apart = -dissimilarity(features, other).clamp(min=EPS).log()
    return targets * together + (1 - targets) * apart


def pair_mse(features: Tensor, targets: Tensor, other: Tensor | None = None) -> Tensor:
    """(b, b): (s - r)^2, the loss of the released MNIST script."""
    return (similarity(features, other) - targets).square()


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """The mean of ``losses`` (b, b) over the pairs that count; the script cifar10_2 has a b-th of it."""
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def auxiliary(shares: Tensor, taught: Tensor) -> Tensor:
    """The mean over all entries of the binary cross entropy of ``shares`` (b, k) with ``taught`` (b, k), both in 0..1.

    It asks that an image and its augmentation have one label feature; in the released code, not in the paper.
    """
    return -(taught * shares.clamp(min=EPS).log() + (1 - taught) * (1 - shares).clamp(min=EPS).log()).mean()


def emptiness(shares: Tensor) -> Tensor:
    """log K minus the entropy of the mean of ``shares`` (b, k): 0 when all clusters are used alike, log K when one is.

    Not DAC's: its loss is smallest too when all images are one cluster (dac.md section 8), and this term forbids that.
    """
    mean = shares.mean(0)
    return (mean * mean.clamp(min=EPS).log()).sum() + math.log(shares.shape[1])
