"""New images among grouped ones: what their neighbours say about where they belong."""

import numpy as np

from coterie.graphs.affinity import edge_weights
from coterie.graphs.knn import search
from coterie.graphs.votes import label_weights


def memberships_by_neighbors(
    features: np.ndarray,
    embedding: np.ndarray,
    labels: np.ndarray,
    *,
    n_neighbors: int,
    smallest_variance: float,
    global_variance: float | None = None,
) -> np.ndarray:
    """(m, k) float64 >= 0: the summed weight of each new row's neighbours in each cluster.

    features (m, d) of new images; embedding (n, d) and labels (n,) in 0..k-1 of the grouped ones; smallest_variance: of
    the fit, so that an image's weights do not depend on those it comes with (``graphs.affinity``); global_variance: of
    the fit where it had one scale for all.
    """
    found = search(features, embedding, n_neighbors)
    weights = neighbor_weights(found.sq_distances, smallest_variance, global_variance)
    return label_weights(found.indices, weights, labels, int(labels.max()) + 1)


def neighbor_weights(sq_distances: np.ndarray, smallest_variance: float, global_variance: float | None) -> np.ndarray:
    """(m, k) float64 weights of neighbours at ``sq_distances`` (m, k), by the variances of the fit."""
    if global_variance is None:
        return edge_weights(sq_distances, scale="local", smallest=smallest_variance)
    weights: np.ndarray = np.exp(-sq_distances / max(global_variance, np.finfo(float).tiny))
    return weights
