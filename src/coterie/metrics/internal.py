"""Scores that need no classes, and those of a neighbour graph."""

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import entropy, groups
from coterie.metrics.external import ari

_BLOCK = 2048  # images on each side of a block of distances: 32 MB


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
    points = np.asarray(X)
    found = groups(labels, "labels")[1]
    if points.ndim != 2 or len(points) != len(found):
        raise ConfigError(f"X must have shape ({len(found)}, d), one row for each label, got {points.shape}.")
    if not np.isfinite(points).all():
        raise ConfigError("X must be finite, got NaN or infinity.")
    if sample_size < 1:
        raise ConfigError(f"sample_size must be at least 1, got {sample_size}.")
    sizes = np.bincount(found)
    if len(sizes) < 2:
        raise ConfigError("a silhouette needs at least two clusters, got one.")
    chosen = np.arange(len(points))
    if sample_size < len(points):
        chosen = np.sort(np.random.default_rng(seed).choice(len(points), sample_size, replace=False))
    return float(_silhouettes(_distance_sums(points, found, len(sizes), chosen), found[chosen], sizes).mean())


def _silhouettes(sums: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(s,) silhouettes from the sums of distances (s, k) of s images to each cluster; ``own`` (s,) is their cluster."""
    rows = np.arange(len(own))
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    widest = np.maximum(inside, outside)
    score = np.divide(outside - inside, widest, out=np.zeros_like(widest), where=widest > 0)
    return np.where(sizes[own] > 1, score, 0.0)


def _distance_sums(points: np.ndarray, found: np.ndarray, k: int, chosen: np.ndarray) -> np.ndarray:
    """(len(chosen), k) sum of the distances from each chosen image to the images of each cluster."""
    center = points.mean(axis=0, dtype=np.float64)  # smaller numbers cancel less in the expanded squared distance
    sums = np.zeros((len(chosen), k))
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK] - center
        member = np.zeros((len(block), k))
        member[np.arange(len(block)), found[start : start + _BLOCK]] = 1.0
        for row in range(0, len(chosen), _BLOCK):
            ours = chosen[row : row + _BLOCK]
            sums[row : row + _BLOCK] += _distances(points[ours] - center, block, ours - start) @ member
    return sums


def _distances(ours: np.ndarray, block: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Distances between the rows of both; exactly 0 where row i of ours is row own[i] of the block."""
    distances: np.ndarray = ours @ block.T
    distances *= -2.0
    distances += np.einsum("ij,ij->i", ours, ours)[:, None]
    distances += np.einsum("ij,ij->i", block, block)
    np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
    same = np.flatnonzero((own >= 0) & (own < len(block)))
    distances[same, own[same]] = 0.0
    return distances
