"""What a neighbour graph says of a grouping of its images: how much of every cluster's edge weight stays inside, and
whether the mergers that a linkage refused were worse than those it made.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import groups


class EdgeShares(NamedTuple):
    """Of each of k clusters, in the order of their labels, (k,) each: the share of its edge weight, in both directions,
    that stays inside, and the share that leads to the one other cluster that it is nearest to. Both 0 without weight.
    """

    inside: np.ndarray
    strongest: np.ndarray

    @property
    def mean_inside(self) -> float:
        """Mean share inside, 0 to 1: 1 - normalised cut / k."""
        return float(self.inside.mean())

    @property
    def gap(self) -> float:
        """Mean of inside - strongest, -1 to 1: 0 where a cluster is tied to another as much as to itself."""
        return float((self.inside - self.strongest).mean())


def edge_shares(neighbors: np.ndarray, weights: np.ndarray, labels: ArrayLike) -> EdgeShares:
    """How the weight of a directed neighbour graph spreads over the clusters ``labels`` (n,).

    Args:
        neighbors: (n, K) integers, the images that each image's edges lead to.
        weights: (n, K) numbers >= 0.

    Raises:
        ConfigError: shapes or indices do not fit.
    """
    found = groups(labels, "labels")[1]
    near, weight = np.asarray(neighbors), np.asarray(weights, np.float64)
    if near.ndim != 2 or near.shape != weight.shape or len(near) != len(found) or near.dtype.kind not in "iu":
        raise ConfigError(
            f"neighbors and weights must both be ({len(found)}, K), got {near.dtype} {near.shape} and {weight.shape}."
        )
    if near.size and (near.min() < 0 or near.max() >= len(found)):
        raise ConfigError(f"neighbors must lie between 0 and {len(found) - 1}, got {near.min()} to {near.max()}.")
    k = int(found.max()) + 1
    cells = found[:, None] * k + found[near]
    between = np.bincount(cells.ravel(), weight.ravel(), minlength=k * k).reshape(k, k)
    between = between + between.T
    total = between.sum(axis=1, keepdims=True)
    shares = np.divide(between, total, out=np.zeros_like(between), where=total > 0)
    inside = shares.diagonal().copy()
    np.fill_diagonal(shares, 0.0)
    return EdgeShares(inside, shares.max(axis=1))


def merge_gap(affinity: ArrayLike, smaller: ArrayLike, n_clusters: int, least: float) -> float:
    """How much stronger the last merger was that a linkage made than the first that it refused: (a - b) / (a + b), -1
    to 1.

    Only mergers of two clusters of at least ``least`` images count: near the end of a linkage most others are stray
    images that join something. The last ``n_clusters`` - 1 of those that count are the refused ones.

    Args:
        affinity: (m,) of the two clusters of each merger, down to one cluster, in the order of the mergers.
        smaller: (m,) images in the smaller of the two.
        n_clusters: where the linkage stops; at least 2.
        least: images.

    Returns:
        NaN where too few mergers count to have one on either side, or neither of the two has any affinity.
    """
    strength, sizes = np.asarray(affinity, np.float64), np.asarray(smaller)
    if strength.ndim != 1 or strength.shape != sizes.shape:
        raise ConfigError(
            f"affinity and smaller must be one number for each merger, got {strength.shape}, {sizes.shape}."
        )
    if n_clusters < 2:
        raise ConfigError(f"n_clusters is {n_clusters}; a linkage that stops at one cluster refuses no merger.")
    counted = strength[sizes >= least]
    if len(counted) < n_clusters:
        return float("nan")
    made, refused = counted[-n_clusters], counted[1 - n_clusters]
    return float((made - refused) / (made + refused)) if made + refused > 0 else float("nan")
