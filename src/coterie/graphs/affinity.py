"""From neighbours and their distances to the weights of a directed graph (jule.md A1)."""

from typing import NamedTuple

import numpy as np

from coterie.errors import ConfigError
from coterie.graphs.knn import Neighbors

SMALLEST_SCALE = 1e-4  # of the median: duplicates give a scale of zero, and one weight must not outweigh all others


class Graph(NamedTuple):
    """A directed graph with ``k`` edges from each of ``n`` images, as compressed rows.

    indptr (n + 1,) int64, indices (n k,) int64, weights (n k,) float64 >= 0; n_underflow: edges whose weight became
    zero.
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    n_underflow: int


def affinity_graph(neighbors: Neighbors, *, scale: str = "local", a: float = 1.0) -> Graph:
    """The graph of ``neighbors`` with weights by ``scale``.

    ``local``: the variance is each image's own squared distance to its floor(k/2)-th neighbour,
    W_ij = exp(-d_ij^2 / (2 sigma_i^2)) / sigma_i (gacluster; jule.md A1.7).
    ``global``: one variance for all, sigma^2 = a * mean of d_ij^2, W_ij = exp(-d_ij^2 / sigma^2) (JULE; A1.3-4).
    """
    weights = edge_weights(neighbors.sq_distances, scale=scale, a=a)
    n, k = neighbors.indices.shape
    n_underflow = int((weights == 0).sum())
    return Graph(np.arange(0, n * k + 1, k), neighbors.indices.ravel(), weights.ravel(), n_underflow)


def edge_weights(sq_distances: np.ndarray, *, scale: str, a: float = 1.0) -> np.ndarray:
    """Weights (n, k) float64 for squared distances (n, k), nearest first; see ``affinity_graph``."""
    if scale == "global":
        variance = a * sq_distances.mean()
        return np.exp(-sq_distances / variance) if variance > 0 else np.ones_like(sq_distances)
    if scale != "local":
        raise ConfigError(f"scale is {scale!r}; expected 'local' or 'global'")
    variance = local_variance(sq_distances)
    weights: np.ndarray = np.exp(-sq_distances / (2 * variance)) / np.sqrt(variance)
    return weights


def local_variance(sq_distances: np.ndarray) -> np.ndarray:
    """(n, 1) squared distance to the floor(k/2)-th neighbour, kept above a small share of the median."""
    middle = max(sq_distances.shape[1] // 2, 1) - 1
    variance = sq_distances[:, middle : middle + 1]
    positive = variance[variance > 0]
    floor = SMALLEST_SCALE * float(np.median(positive)) if len(positive) else 1.0
    clipped: np.ndarray = np.maximum(variance, floor)
    return clipped
