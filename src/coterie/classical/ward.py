"""AC-Ward: agglomerative clustering by the growth of the squared error."""

import numpy as np

from coterie.classical.average_linkage import tree_of_pairs
from coterie.classical.centre_linkage import link_centres, ward
from coterie.classical.rival import MOST_PAIRED, Rival
from coterie.graphs.history import cut


class Ward(Rival):
    """Agglomerative clustering of Ward (1963), a stand-in for AC in the tables of DAC, DCCM and UDC.

    The two clusters merge whose union adds least to the sum of squared distances to the centres, until ``n_clusters``
    are left. AC of those tables is graph-based (Gowda and Krishna, or path integrals: ``ac-pic``) where anybody says,
    so figures need not agree. Up to 20,000 images by SciPy, above by centres, in time that grows with the square of the
    number of images. Nothing in it is random.

    n_clusters: 1 to n. features, device: see ``GraphDegreeLinkage``.
    """

    kind = "ac-ward"
    pairs_all = False
    random_state = None

    def __init__(self, n_clusters: int = 8, *, features: object = "auto", device: str = "auto") -> None:
        self.n_clusters = n_clusters
        self.features = features
        self.device = device

    def _group(self, features: np.ndarray) -> np.ndarray:
        if len(features) > MOST_PAIRED:
            return cut(link_centres(features, ward), self.n_clusters)
        return cut(tree_of_pairs(features, "ward"), self.n_clusters)
