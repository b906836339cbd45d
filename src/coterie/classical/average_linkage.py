"""AC-Link: agglomerative clustering by the average distance."""

import numpy as np
from scipy.cluster.hierarchy import linkage

from coterie.classical.centre_linkage import average_of_squares, link_centres
from coterie.classical.rival import Rival
from coterie.graphs.history import History, cut
from coterie.parameters import check_choice

CHUNK = 1024
DISTANCES = ("euclidean", "squared")


class AverageLinkage(Rival):
    """Agglomerative clustering by average Euclidean distance (UPGMA), AC-Link in JULE's tables.

    The two clusters with the smallest mean distance of their images are merged until ``n_clusters`` are left. Nothing
    in it is random. It is for at most 20,000 images; ``distance="squared"``, the mean of the squared distances, needs
    no pairs and is for any number, in time that grows with its square. n_clusters: 1 to n. features, device: see
    ``GraphDegreeLinkage``.
    """

    kind = "ac-link"
    instead = "distance='squared' (--set distance=squared), sc-ls, kmeans or gdl"
    random_state = None

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        distance: str = "euclidean",
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.distance = distance
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        super().check_parameters()
        check_choice("distance", self.distance, DISTANCES)

    def _holds_pairs(self) -> bool:
        return self.distance == "euclidean"

    def _group(self, features: np.ndarray) -> np.ndarray:
        if self.distance == "squared":
            return cut(link_centres(features, average_of_squares), self.n_clusters)
        return cut(tree_of_pairs(features, "average"), self.n_clusters)


def tree_of_pairs(features: np.ndarray, method: str) -> History:
    """SciPy's linkage of that name, of the Euclidean distances of all pairs of ``features`` (n, d)."""
    tree = linkage(condensed_distances(features), method)
    merges, sizes = tree[:, :2].astype(np.int64), tree[:, 3].astype(np.int64)
    return History(np.arange(len(features)), merges, -tree[:, 2], sizes)


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
