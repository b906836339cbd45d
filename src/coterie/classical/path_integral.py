"""AC-PIC: agglomerative clustering by path integrals."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from coterie.classical.transitions import WalkLinkage
from coterie.classical.walks import Detour, Walks
from coterie.graphs.affinity import Graph
from coterie.graphs.history import History
from coterie.graphs.linkage import link


class PathIntegral(WalkLinkage):
    """Agglomerative clustering by path integrals of Zhang, Zhao and Wang (Pattern Recognition, 2013), AC-PIC in JULE's
    tables.

    P are the transitions of a graph that leads from each image to its nearest ones and to itself. The path integral of
    a cluster c is S_c = |c|^-2 1' (I - z P_cc)^-1 1, its walks of every length, each step times z. Two clusters have
    the affinity (S_a|ab - S_a) + (S_b|ab - S_b), where S_a|ab has the walks from a to a through both; the pair with the
    largest merges, from the parts of the 1-nearest-neighbour graph on, until ``n_clusters`` are left. Where affinity
    runs out, the smallest cluster joins the one of the nearest mean. Nothing in it is random.

    Args:
        n_clusters: 1 to n.
        n_neighbors: edges from each image, K; 20 as in the paper and as uploaded.
        a: factor of the scale, the mean squared distance of all edges; 1 as uploaded (the paper takes the mean of the
            three nearest, over -ln .95).
        z: what a step costs, above 0, at most .99; .01 as in the paper.
        series: "leading" has the walks of two steps, z^2 (|a|^-2 1' P_ab P_ba 1 + |b|^-2 1' P_ba P_ab 1), which is
            graph degree linkage with P for its weights: for any number of images, off by some z of an affinity, and
            groups that do not depend on z. "exact", as uploaded, has all walks, for at most 3,000 images.
        features, device: see ``GraphDegreeLinkage``.
    """

    kind = "ac-pic"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_neighbors: int = 20,
        a: float = 1.0,
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
        return gain_of_paths

    def _link_leading(self, transitions: csr_matrix, initial: np.ndarray) -> History:
        indptr, indices = transitions.indptr.astype(np.int64), transitions.indices.astype(np.int64)
        return link(Graph(indptr, indices, transitions.data, 0), initial)


def gain_of_paths(own: Walks, detour: Detour) -> float:
    """S_a|ab - S_a: the sum of all walks of the ``detour`` over the squared size of ``own``."""
    total = detour.out.sum(axis=0) @ detour.beyond @ detour.home.sum(axis=1)
    return float(total) / len(own.members) ** 2
