"""Connected parts of a graph: the clusters the linkage starts from, and what it does when affinity runs out."""

import heapq

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from coterie.graphs.affinity import Graph
from coterie.graphs.history import History, history_of


def nearest_neighbor_clusters(nearest: np.ndarray) -> np.ndarray:
    """Labels (n,) int64: the weakly connected parts of the graph that links every image to its nearest one (jule.md
    A5).

    nearest (n,) int: index of the nearest other image of each, -1 for an image that has none.
    """
    linked = np.flatnonzero(nearest >= 0)
    graph = csr_matrix((np.ones(len(linked), np.int8), (linked, nearest[linked])), shape=(len(nearest),) * 2)
    labels: np.ndarray = connected_components(graph, directed=False)[1]
    return labels.astype(np.int64)


def nearest_by_weight(graph: Graph) -> np.ndarray:
    """(n,) int64: the target of each image's heaviest edge (the first of equals), -1 for an image without edges."""
    nearest = np.full(len(graph.indptr) - 1, -1, np.int64)
    for i, (begin, end) in enumerate(zip(graph.indptr, graph.indptr[1:], strict=False)):
        if end > begin and graph.weights[begin:end].max() > 0:
            nearest[i] = graph.indices[begin + int(graph.weights[begin:end].argmax())]
    return nearest


def graph_components(graph: Graph) -> int:
    """The number of weakly connected parts of ``graph``."""
    n = len(graph.indptr) - 1
    # a copy, because eliminate_zeros closes the gaps in the very arrays of the graph
    weights = csr_matrix((graph.weights, graph.indices, graph.indptr), shape=(n, n), copy=True)
    weights.eliminate_zeros()
    return int(connected_components(weights, directed=False)[0])


def merge_by_centroid(features: np.ndarray, labels: np.ndarray) -> History:
    """The history that joins the clusters ``labels`` (n,): the smallest with the one of the nearest centroid, until one
    is left.

    features (n, d). For clusters between which no affinity is left (jule.md A6, "centroid"); the affinities are 0.
    """
    c = int(labels.max()) + 1
    size = np.bincount(labels, minlength=c).astype(np.float64)
    centroids = np.zeros((c, features.shape[1]))
    np.add.at(centroids, labels, features)
    centroids /= size[:, None]
    sq_norms = (centroids**2).sum(1)
    alive = np.ones(c, bool)
    queue = [(size[i], i) for i in range(c)]
    heapq.heapify(queue)
    merges, sizes = np.empty((c - 1, 2), np.int64), np.empty(c - 1, np.int64)
    for step in range(c - 1):
        small = _pop_smallest(queue, size, alive)
        alive[small] = False
        distance = np.where(alive, sq_norms - 2 * centroids @ centroids[small], np.inf)
        into = int(distance.argmin())
        total = size[into] + size[small]
        centroids[into] = (size[into] * centroids[into] + size[small] * centroids[small]) / total
        sq_norms[into] = (centroids[into] ** 2).sum()
        size[into] = total
        heapq.heappush(queue, (total, into))
        merges[step], sizes[step] = (into, small), total
    return history_of(labels, merges, np.zeros(c - 1), sizes)


def _pop_smallest(queue: list[tuple[float, int]], size: np.ndarray, alive: np.ndarray) -> int:
    while True:
        known, i = heapq.heappop(queue)
        if alive[i] and known == size[i]:
            return i
