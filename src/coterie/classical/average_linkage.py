"""AC-Link: agglomerative clustering by the average distance, by SciPy."""

import numpy as np
from scipy.cluster.hierarchy import linkage

from coterie.classical.rival import Rival
from coterie.graphs.history import History, cut

CHUNK = 1024


class AverageLinkage(Rival):
    """Agglomerative clustering by average Euclidean distance (UPGMA), AC-Link in JULE's tables.

    The two clusters with the smallest mean distance of their images are merged until ``n_clusters`` are left. Nothing
    in it is random. n_clusters: 1 to n. features, device: see ``GraphDegreeLinkage``. At most 20,000 images.
    """

    kind = "ac-link"
    random_state = None

    def __init__(self, n_clusters: int = 8, *, features: object = "auto", device: str = "auto") -> None:
        self.n_clusters = n_clusters
        self.features = features
        self.device = device

    def _group(self, features: np.ndarray) -> np.ndarray:
        n = len(features)
        tree = linkage(condensed_distances(features), "average")
        history = History(np.arange(n), tree[:, :2].astype(np.int64), -tree[:, 2], tree[:, 3].astype(np.int64))
        return cut(history, self.n_clusters)


def condensed_distances(features: np.ndarray) -> np.ndarray:
    """(n (n - 1) / 2,) float64: the Euclidean distance of each two rows, in SciPy's order; by matrix products."""
    rows = features.astype(np.float64)
    rows -= rows.mean(axis=0)  # the expanded square loses digits far from the origin
    squares, n = (rows**2).sum(axis=1), len(rows)
    found, at = np.empty(n * (n - 1) // 2), 0
    for i in range(0, n, CHUNK):
        block = rows[i : i + CHUNK] @ rows[i:].T
        for j in range(len(block)):
            own = squares[i + j] + squares[i + j + 1 :] - 2 * block[j, j + 1 :]
            found[at : at + len(own)] = np.sqrt(np.maximum(own, 0.0))
            at += len(own)
    return found
