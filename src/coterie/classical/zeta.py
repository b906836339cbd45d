"""AC-Zell: agglomerative clustering by the zeta function of a graph."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from coterie.classical.transitions import WalkLinkage
from coterie.classical.walks import Detour, Walks
from coterie.graphs.history import History
from coterie.graphs.linkage import link_sums


class ZetaFunction(WalkLinkage):
    """Agglomerative clustering by the zeta function of a graph of Zhao and Tang ("Cyclizing clusters", NIPS 2008),
    AC-Zell in JULE's tables.

    P are the transitions of a graph that leads from each image to its nearest ones and to itself. A cluster c is told
    by its cycles, Z_c = |c|^-1 sum over i in c of log [(I - z P_cc)^-1]_ii, each step times z. Two clusters have the
    affinity (Z_a|ab - Z_a) + (Z_b|ab - Z_b), where Z_a|ab has the cycles of the images of a through both; the pair with
    the largest merges, from the parts of the 1-nearest-neighbour graph on, until ``n_clusters`` are left. Where
    affinity runs out, the smallest cluster joins the one of the nearest mean. Nothing in it is random.

    Args:
        n_clusters: 1 to n.
        n_neighbors: edges from each image, K; 20 as uploaded.
        a: factor of the scale, the mean squared distance of all edges; .95 as uploaded.
        z: what a step costs, above 0, at most .99; .01 as uploaded.
        series: "leading" has the cycles of two steps, z^2 (1 / |a| + 1 / |b|) M_ab, M_ab the sum of P_ij P_ji over i in
            a and j in b: for any number of images, off by some z of an affinity, and groups that do not depend on z.
            "exact", as uploaded, has all cycles, for at most 3,000 images.
        features, device: see ``GraphDegreeLinkage``.
    """

    kind = "ac-zell"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_neighbors: int = 20,
        a: float = 0.95,
        z: float = 0.01,
        series: str = "leading",
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.a = a
        self.z = z
        self.series = series
        self.features = features
        self.device = device

    @property
    def _gain(self) -> Callable[[Walks, Detour], float]:
        return gain_of_cycles

    def _link_leading(self, transitions: csr_matrix, initial: np.ndarray) -> History:
        return link_sums(transitions.multiply(transitions.T).tocsr(), initial)


def gain_of_cycles(own: Walks, detour: Detour) -> float:
    """Z_a|ab - Z_a: the mean logarithm of how many times more cycles each image of ``own`` has with the ``detour``."""
    added = ((detour.out @ detour.beyond) * detour.home.T).sum(axis=1)
    return float(np.log1p(added / own.within.diagonal()).mean())
