"""What AC-Zell and AC-PIC share: clusters merge by what walks from one into the other and back tell of them."""

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from coterie.classical.rival import Rival
from coterie.classical.walks import Detour, Walks, link_walks
from coterie.errors import ConfigError
from coterie.graphs.affinity import edge_weights
from coterie.graphs.components import merge_by_centroid, nearest_neighbor_clusters
from coterie.graphs.history import History, cut, followed_by
from coterie.graphs.knn import Neighbors
from coterie.graphs.neighbors import find_neighbors
from coterie.parameters import check_choice, check_number, check_whole

MOST_EXACT = 3000  # images; their dense matrices take 0.15 GB, one large cluster among them minutes
LIGHTEST = 1e-5  # weight that the nearest neighbour of every image has at least
SERIES = ("leading", "exact")


class WalkLinkage(Rival):
    """Base of the two. ``P`` below is the transition matrix; a subclass has its leading term and its exact gain."""

    pairs_all = False
    random_state = None
    n_neighbors: int
    a: float
    z: float
    series: str

    def check_parameters(self) -> None:
        super().check_parameters()
        check_whole("n_neighbors", self.n_neighbors)
        check_number("a", self.a, above=0)
        check_number("z", self.z, above=0, most=0.99)
        check_choice("series", self.series, SERIES)

    def _check_count(self, n: int) -> None:
        super()._check_count(n)
        if self.series == "exact" and n > MOST_EXACT:
            raise ConfigError(
                f"series='exact' follows walks of every length, in time that grows with the cube of the {n:,} images: "
                f"it takes at most {MOST_EXACT:,}; take series='leading', which leaves out some {self.z:g} of an "
                "affinity"
            )

    def _group(self, features: np.ndarray) -> np.ndarray:
        found = find_neighbors(features, self.n_neighbors)
        initial = nearest_neighbor_clusters(found.indices[:, 0])
        if int(initial.max()) + 1 < self.n_clusters:
            initial = np.arange(len(features))
        history = self._link(transition_matrix(found, self.a), initial)
        if history.n_final > self.n_clusters:  # the uploaded code goes on with pairs of no affinity, in index order
            history = followed_by(history, merge_by_centroid(features, cut(history, 1)))
        return cut(history, self.n_clusters)

    def _link(self, transitions: csr_matrix, initial: np.ndarray) -> History:
        """The mergers of the clusters ``initial`` (n,) along ``transitions`` (n, n), until no affinity is left."""
        if self.series == "exact":
            return link_walks(transitions, initial, self.z, self._gain)
        history = self._link_leading(transitions, initial)
        return history._replace(affinity=self.z**2 * history.affinity)

    @abstractmethod
    def _link_leading(self, transitions: csr_matrix, initial: np.ndarray) -> History:
        """The same by walks of two steps alone, one into the other cluster and one back; affinities over z^2."""

    @property
    @abstractmethod
    def _gain(self) -> Callable[[Walks, Detour], float]:
        """What a cluster gains from another by the walks that lead through it."""


def transition_matrix(neighbors: Neighbors, a: float) -> csr_matrix:
    """P (n, n), rows that sum to 1: an image stays with weight 1, and goes to a neighbour at the squared distance D
    with weight exp(-D / s), s = ``a`` times the mean of all D, the global scale of ``graphs.affinity``.

    As uploaded, ``a`` is doubled until no image is cut off from its nearest neighbour.
    """
    n, k = neighbors.indices.shape
    weights = edge_weights(neighbors.sq_distances, scale="global", a=wide_enough(neighbors.sq_distances, a))
    rows = np.column_stack([np.ones(n), weights])
    rows /= rows.sum(axis=1, keepdims=True)
    columns = np.column_stack([np.arange(n), neighbors.indices])
    return csr_matrix((rows.ravel(), columns.ravel(), np.arange(0, n * (k + 1) + 1, k + 1)), shape=(n, n))


def wide_enough(sq_distances: np.ndarray, a: float) -> float:
    """``a``, doubled until the weight of every image's nearest neighbour is at least 1e-5."""
    furthest, mean = float(sq_distances[:, 0].max()), float(sq_distances.mean())
    while furthest > -math.log(LIGHTEST) * a * mean:
        a *= 2
    return a
