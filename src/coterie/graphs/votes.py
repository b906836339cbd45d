"""What an image's neighbours say about its cluster."""

import numpy as np

from coterie.graphs.affinity import Graph

CHUNK = 4_000_000  # cells of the (rows, labels) table that are filled at a time


def label_weights(indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, n_labels: int) -> np.ndarray:
    """(m, n_labels) float64: the summed ``weights`` (m, k) of the neighbours ``indices`` (m, k) in each cluster of
    ``labels`` (n,).

    A row whose weights all vanished counts its nearest neighbour once.
    """
    weights = np.where((weights.sum(1, keepdims=True) > 0), weights, np.arange(weights.shape[1]) == 0)
    cells = np.arange(len(indices))[:, None] * n_labels + labels[indices]
    return np.bincount(cells.ravel(), weights.ravel(), len(indices) * n_labels).reshape(-1, n_labels)


def confidence(
    indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, own: np.ndarray, n_labels: int
) -> np.ndarray:
    """(m,) float32 in 0..1: own / (own + best other), by the summed weights of an image's neighbours.

    own (m,) int: the label each image was given. 1: all neighbours are in its cluster; 0.5: another cluster has as much
    weight; below: the neighbours would have said otherwise.
    """
    result = np.empty(len(indices), np.float32)
    step = max(1, CHUNK // n_labels)
    for begin in range(0, len(indices), step):
        rows = slice(begin, begin + step)
        result[rows] = own_share(label_weights(indices[rows], weights[rows], labels, n_labels), own[rows])
    return result


def graph_confidence(graph: Graph, labels: np.ndarray, n_labels: int) -> np.ndarray:
    """(n,) float32 in 0..1: ``confidence`` by the edges that leave each image of ``graph``; 0 for one without edges."""
    n = len(labels)
    result = np.empty(n, np.float32)
    step = max(1, CHUNK // n_labels)
    for begin in range(0, n, step):
        own = labels[begin : begin + step]
        bounds = graph.indptr[begin : begin + len(own) + 1]
        edges = slice(bounds[0], bounds[-1])
        cells = np.repeat(np.arange(len(own)), np.diff(bounds)) * n_labels + labels[graph.indices[edges]]
        table = np.bincount(cells, graph.weights[edges], len(own) * n_labels).reshape(-1, n_labels)
        result[begin : begin + step] = np.where(table.any(axis=1), own_share(table, own), 0.0)
    return result


def own_share(memberships: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(m,) own / (own + best other) of ``memberships`` (m, n_labels) >= 0; 1 where there is no other cluster."""
    rows = np.arange(len(memberships))
    mine = memberships[rows, own]
    others = memberships.copy()
    others[rows, own] = 0.0
    total = mine + others.max(axis=1)
    share: np.ndarray = np.divide(mine, total, out=np.ones(len(mine)), where=total > 0)
    return share


def surest_first(labels: np.ndarray, confidence: np.ndarray) -> list[np.ndarray]:
    """For each group of ``labels`` (n,) in 0..k-1 its rows, those of the highest ``confidence`` (n,) first."""
    order = np.lexsort((-confidence, labels))
    return np.split(order, np.cumsum(np.bincount(labels))[:-1])
