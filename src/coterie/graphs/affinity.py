"""From neighbours and their distances to the weights of a directed graph (jule.md A1)."""

from typing import NamedTuple

import numpy as np

from coterie.errors import ConfigError
from coterie.graphs.knn import Neighbors

SMALLEST_SCALE = 1e-4  # of the median: near copies give a scale of almost zero, and one weight must not outweigh all


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


def edge_weights(sq_distances: np.ndarray, *, scale: str, a: float = 1.0, smallest: float | None = None) -> np.ndarray:
    """Weights (n, k) float64 for squared distances (n, k), nearest first; see ``affinity_graph``.

    smallest: the least variance of scale ``local``; by default ``smallest_variance`` of these very distances.
    """
    if scale == "global":
        variance = a * sq_distances.mean()
        return np.exp(-sq_distances / variance) if variance > 0 else np.ones_like(sq_distances)
    if scale != "local":
        raise ConfigError(f"scale is {scale!r}; expected 'local' or 'global'")
    variance = local_variance(sq_distances, smallest)
    weights: np.ndarray = np.exp(-sq_distances / (2 * variance)) / np.sqrt(variance)
    return weights


def local_variance(sq_distances: np.ndarray, smallest: float | None = None) -> np.ndarray:
    """(n, 1) squared distance to the floor(k/2)-th neighbour, but at least ``smallest``; where that neighbour is an
    exact copy, the squared distance to the nearest that is none.
    """
    if smallest is None:
        smallest = smallest_variance(sq_distances)
    variance: np.ndarray = np.maximum(_own_scale(sq_distances), smallest)
    return variance


def smallest_variance(sq_distances: np.ndarray) -> float:
    """A small share of the median of every image's own scale; 1 where all neighbours are exact copies."""
    variance = _own_scale(sq_distances)
    positive = variance[variance > 0]
    return SMALLEST_SCALE * float(np.median(positive)) if len(positive) else 1.0


def _own_scale(sq_distances: np.ndarray) -> np.ndarray:
    middle = max(sq_distances.shape[1] // 2, 1) - 1
    scale = sq_distances[:, middle : middle + 1].copy()
    # among copies a scale of zero would leave nothing to the edges that lead out of them
    copied = np.flatnonzero(scale[:, 0] == 0)
    others = sq_distances[copied]
    nearest = np.where(others > 0, others, np.inf).min(axis=1, initial=np.inf)
    scale[copied, 0] = np.where(np.isfinite(nearest), nearest, 0.0)
    return scale
