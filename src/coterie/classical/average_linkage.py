"""AC-Link: agglomerative clustering by the average distance, by SciPy."""

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from coterie.classical.rival import Rival
from coterie.graphs.history import History, cut


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
        tree = linkage(pdist(features.astype(np.float64)), "average")
        history = History(np.arange(n), tree[:, :2].astype(np.int64), -tree[:, 2], tree[:, 3].astype(np.int64))
        return cut(history, self.n_clusters)
