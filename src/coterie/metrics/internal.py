"""Scores that need no classes, and those of a neighbour graph."""

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import entropy, groups
from coterie.metrics.external import ari

_BLOCK = 4096  # images per block of distances: at most 256 x 4096 numbers at once
_ROWS = 256


def knn_purity(neighbors: np.ndarray, classes: ArrayLike) -> float:
    """Mean share of an image's K neighbours that have its own class (purity@K), 0 to 1.

    ``neighbors`` (n, K) integers are the K nearest images of each, itself excluded; ``classes`` (n,). Pass
    ``neighbors[:, :k]`` for a smaller K. Raises ConfigError when shapes or indices do not fit.
    """
    known = groups(classes, "classes")[1]
    near = np.asarray(neighbors)
    if near.ndim != 2 or near.shape[0] != len(known) or near.shape[1] == 0 or near.dtype.kind not in "iu":
        raise ConfigError(
            f"neighbors must be integers of shape ({len(known)}, K) with K at least 1, got {near.dtype} {near.shape}."
        )
    if near.min() < 0 or near.max() >= len(known):
        raise ConfigError(f"neighbors must lie between 0 and {len(known) - 1}, got {near.min()} to {near.max()}.")
    return float((known[near] == known[:, None]).mean())


def effective_clusters(labels: ArrayLike) -> float:
    """exp(entropy) of the cluster sizes: k for k equal clusters, near 1 when one cluster holds nearly everything."""
    return float(np.exp(entropy(np.bincount(groups(labels, "labels")[1]))))


def agreement(labels_a: ArrayLike, labels_b: ArrayLike) -> float:
    """How far two groupings of the same images agree, whatever their clusters are called: their ARI, at most 1."""
    return ari(labels_a, labels_b)


def sampled_silhouette(X: np.ndarray, labels: ArrayLike, sample_size: int = 2000, seed: int = 0) -> float:
    """Mean silhouette (Euclidean) of ``sample_size`` random images, each against all n images, -1 to 1.

    ``X`` (n, d) finite numbers, ``labels`` (n,). With ``sample_size`` >= n it is the silhouette of the whole set. Needs
    sample_size x n x d multiplications and memory for one small block of distances. An image alone in its cluster
    scores 0. Raises ConfigError for fewer than two clusters.
    """
    points = np.asarray(X, dtype=np.float64)
    found = groups(labels, "labels")[1]
    sizes = np.bincount(found)
    if points.ndim != 2 or len(points) != len(found):
        raise ConfigError(f"X must have shape ({len(found)}, d), one row for each label, got {points.shape}.")
    if not np.isfinite(points).all():
        raise ConfigError("X must be finite, got NaN or infinity.")
    if len(sizes) < 2:
        raise ConfigError("a silhouette needs at least two clusters, got one.")
    if sample_size < 1:
        raise ConfigError(f"sample_size must be at least 1, got {sample_size}.")
    n = len(points)
    chosen = np.arange(n)
    if sample_size < n:
        chosen = np.sort(np.random.default_rng(seed).choice(n, sample_size, replace=False))
    points = points - points.mean(axis=0)  # smaller numbers cancel less in the expansion of the squared distance
    scores = [_silhouettes(points, found, sizes, chosen[s : s + _ROWS]) for s in range(0, len(chosen), _ROWS)]
    return float(np.concatenate(scores).mean())


def _silhouettes(points: np.ndarray, found: np.ndarray, sizes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(len(chosen),) silhouette of the chosen images."""
    rows = np.arange(len(chosen))
    sums = _distance_sums(points, found, len(sizes), chosen)
    own = found[chosen]
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    widest = np.maximum(inside, outside)
    score = np.divide(outside - inside, widest, out=np.zeros_like(widest), where=widest > 0)
    return np.where(sizes[own] > 1, score, 0.0)


def _distance_sums(points: np.ndarray, found: np.ndarray, k: int, chosen: np.ndarray) -> np.ndarray:
    """(len(chosen), k) sum of the distances from each chosen image to the images of each cluster."""
    ours = points[chosen]
    squares = (ours**2).sum(axis=1)[:, None]
    sums = np.zeros((len(chosen), k))
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        distances = squares + (block**2).sum(axis=1) - 2 * ours @ block.T
        np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
        own = chosen - start
        inside = (own >= 0) & (own < len(block))
        distances[np.flatnonzero(inside), own[inside]] = 0.0  # an image is at no distance from itself, not at 1e-8
        member = np.zeros((len(block), k))
        member[np.arange(len(block)), found[start : start + _BLOCK]] = 1.0
        sums += distances @ member
    return sums
