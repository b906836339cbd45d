"""One more look at every image after the merging: does it lie where its neighbours do?"""

import numpy as np
from scipy.sparse import csr_matrix

from coterie.graphs.affinity import Graph
from coterie.graphs.compiled import Integer, compiled


def vote_once(graph: Graph, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """(n,) int64: every image's label after all images have voted at once.

    An image moves to the cluster that most of its edge weight leads to or comes from, if that is more than its own
    cluster has. A merger cannot be undone, so images that joined early, at the border, are the ones that move. No
    cluster is emptied: one that everybody would leave keeps its images.
    """
    n = len(labels)
    directed = csr_matrix((graph.weights, graph.indices, graph.indptr), shape=(n, n))
    both_ways = (directed + directed.T).tocsr()
    moved: np.ndarray = _heaviest(both_ways.indptr, both_ways.indices, both_ways.data, labels, n_clusters)
    while True:
        emptied = np.bincount(moved, minlength=n_clusters) == 0
        if not emptied.any():
            return moved
        # whoever is called back leaves a cluster that counted on it, so that is looked at again
        moved = np.where(emptied[labels], labels, moved)


@compiled
def _heaviest(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: Integer
) -> np.ndarray:
    votes = np.zeros(k)
    moved = labels.copy()
    for s in range(len(labels)):
        best = labels[s]
        for e in range(indptr[s], indptr[s + 1]):
            votes[labels[indices[e]]] += weights[e]
        for e in range(indptr[s], indptr[s + 1]):
            candidate = labels[indices[e]]
            # ties: the own cluster stays, otherwise the smaller label, so that the order of edges does not matter
            if votes[candidate] > votes[best] or (
                votes[candidate] == votes[best] and best != labels[s] and candidate < best
            ):
                best = candidate
        moved[s] = best
        for e in range(indptr[s], indptr[s + 1]):
            votes[labels[indices[e]]] = 0.0
    return moved
