"""Graph degree linkage: the exact merging at the heart of JULE, as a clusterer that needs no training.

Zhang, Wang, Zhao, Tang, ECCV 2012; as AC-GDL in Yang, Parikh, Batra, CVPR 2016. The graph links each image to its
nearest ones; clusters that point at each other through many edges merge first. The kernel is
`coterie.graphs.linkage_kernel`.
"""

import warnings
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, issparse

from coterie.clusterer import Clusterer, check_n_clusters, check_whole
from coterie.errors import ClusterCountWarning, ConfigError, GraphWarning
from coterie.graphs.affinity import Graph, affinity_graph, edge_weights, smallest_variance
from coterie.graphs.choice import Choice, choose_n_clusters
from coterie.graphs.components import graph_components, merge_by_centroid, nearest_by_weight, nearest_neighbor_clusters
from coterie.graphs.history import History, cut, followed_by
from coterie.graphs.knn import Neighbors, search
from coterie.graphs.linkage import UPDATES, link
from coterie.graphs.neighbors import METHODS, find_neighbors
from coterie.graphs.votes import confidence, graph_confidence, label_weights

NO_FEATURES = "a linkage fitted on a precomputed graph has no features to place new images by"
ON_EXHAUSTED = ("centroid", "double_ks", "stop", "error")


class GraphDegreeLinkage(Clusterer):
    """Exact graph degree linkage.

    n_clusters: 1 to n, or "auto": chosen from the merge history (``choice_`` says by which rule, and names the
    runners-up). n_neighbors: edges from each image, K_s; 20, as in JULE. scale: "local", each image's own (gacluster),
    or "global", one for all, ``a`` times the mean squared distance (JULE, a = 1). update: "exact" (JULE Eq. 3; the
    papers' numbers), "size_ratio" (Eq. 7) or "constant_ratio" (Eq. 9 with ``alpha``; the Torch release of JULE has
    alpha = 0). affinity: "features", or "precomputed": ``fit`` takes a sparse directed W (n, n), rows = sources. init:
    "nearest", the parts of the 1-nearest-neighbour graph, or "singletons". on_exhausted: when clusters without any
    affinity are left, "centroid" joins the smallest with the nearest centroid, "double_ks" doubles the neighbours and
    goes on, "stop" returns more clusters than asked for, "error" raises. search: see ``graphs.neighbors``. features:
    "auto", "pixels", "efficientnet-lite0", a .npy of embeddings, or an nn.Module. device: "auto", "cpu", "cuda", "mps".

    After ``fit``: ``labels_`` (the largest cluster is 0), ``confidence_`` (own / (own + best other) summed weight of
    the image's neighbours: 1 all agree, 0.5 a tie, below they would have said otherwise), ``merges_`` (m, 4) (child,
    child, affinity, size), numbered as SciPy does, over the initial clusters ``initial_labels_``; ``n_zero_merges_``
    mergers without any affinity; ``recall_`` of the neighbour search; ``choice_`` when n_clusters is "auto".
    """

    kind = "gdl"

    def __init__(
        self,
        n_clusters: int | str = "auto",
        *,
        n_neighbors: int = 20,
        scale: str = "local",
        a: float = 1.0,
        update: str = "exact",
        alpha: float = 0.0,
        affinity: str = "features",
        init: str = "nearest",
        on_exhausted: str = "centroid",
        search: str = "auto",
        features: Any = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.scale = scale
        self.a = a
        self.update = update
        self.alpha = alpha
        self.affinity = affinity
        self.init = init
        self.on_exhausted = on_exhausted
        self.search = search
        self.features = features
        self.device = device

    def fit(self, X: Any, y: object = None) -> Self:
        if self.affinity == "precomputed":
            return self._fit_precomputed(X)
        super().fit(X, y)
        return self

    def check_parameters(self) -> None:
        check_n_clusters(self.n_clusters, auto=True)
        _check_choice("scale", self.scale, ("local", "global"))
        _check_choice("update", self.update, tuple(UPDATES))
        _check_choice("affinity", self.affinity, ("features", "precomputed"))
        _check_choice("init", self.init, ("nearest", "singletons"))
        _check_choice("on_exhausted", self.on_exhausted, ON_EXHAUSTED)
        _check_choice("search", self.search, METHODS)
        check_whole("n_neighbors", self.n_neighbors)
        _check_above("a", self.a, 0)
        _check_above("alpha", self.alpha, -1)

    def _fit_features(self, features: np.ndarray) -> None:
        neighbors = find_neighbors(features, self.n_neighbors, method=self.search)
        self.recall_ = neighbors.recall
        self.sq_distance_mean_ = float(neighbors.sq_distances.mean())
        self.smallest_variance_ = smallest_variance(neighbors.sq_distances)
        graph = affinity_graph(neighbors, scale=self.scale, a=self.a)
        history = link(graph, self._initial(neighbors.indices[:, 0]), update=self.update, alpha=self.alpha)
        self._warn_of_graph(graph, history)
        self._cut(self._carried_on(history, features))
        weights = graph.weights.reshape(neighbors.indices.shape)
        self.confidence_ = confidence(neighbors.indices, weights, self.labels_, self.labels_, self.n_clusters_)

    def _fit_precomputed(self, W: Any) -> Self:
        self.check_parameters()
        graph = _checked_graph(W)
        self._check_count(len(graph.indptr) - 1)
        self.extractor_, self.embedding_ = None, np.empty((len(graph.indptr) - 1, 0), np.float32)
        history = link(graph, self._initial(nearest_by_weight(graph)), update=self.update, alpha=self.alpha)
        if self.on_exhausted == "error":
            self._carried_on(history, self.embedding_)
        self._warn_of_graph(graph, history)
        self._cut(history)
        self.confidence_ = graph_confidence(graph, self.labels_, self.n_clusters_)
        return self

    def _initial(self, nearest: np.ndarray) -> np.ndarray:
        return np.arange(len(nearest)) if self.init == "singletons" else nearest_neighbor_clusters(nearest)

    def _carried_on(self, history: History, features: np.ndarray) -> History:
        """``history`` down to one cluster, by the policy for clusters that have no affinity left."""
        wanted = 1 if self.n_clusters == "auto" else int(self.n_clusters)
        if history.n_final <= wanted and self.on_exhausted in ("stop", "error"):
            return history
        if self.on_exhausted == "error":
            raise ConfigError(
                f"affinity ran out at {history.n_final} clusters, before the {wanted} asked for; "
                "use more n_neighbors or on_exhausted='centroid'"
            )
        n_neighbors = self.n_neighbors
        while self.on_exhausted == "double_ks" and history.n_final > wanted and n_neighbors < len(features) - 1:
            n_neighbors = min(2 * n_neighbors, len(features) - 1)
            wider = affinity_graph(
                find_neighbors(features, n_neighbors, method=self.search), scale=self.scale, a=self.a
            )
            history = followed_by(history, link(wider, cut(history, 1), update=self.update, alpha=self.alpha))
        if self.on_exhausted == "stop" or history.n_final == 1:
            return history
        return followed_by(history, merge_by_centroid(features, cut(history, 1)))

    def _cut(self, history: History) -> None:
        self.choice_: Choice | None = None
        wanted = self.n_clusters
        if wanted == "auto":
            self.choice_ = choose_n_clusters(history)
            wanted = self.choice_.n_clusters
        self.initial_labels_ = history.initial
        self.merges_ = np.column_stack([history.merges, history.affinity, history.size]).astype(np.float64)
        self.labels_ = cut(history, int(wanted))
        self.n_clusters_ = int(self.labels_.max()) + 1
        before_cut = max(history.n_initial - self.n_clusters_, 0)
        self.n_zero_merges_ = int((history.affinity[:before_cut] == 0).sum())
        self._warn_of_count(history, int(wanted))

    def _warn_of_count(self, history: History, wanted: int) -> None:
        if self.n_clusters_ == wanted:
            return
        reason = (
            f"the {history.n_initial} groups of nearest neighbours to start from are fewer; try init='singletons'"
            if self.n_clusters_ < wanted
            else "the rest have no affinity to each other"
            + ("; use more n_neighbors or on_exhausted='centroid'" if self.affinity == "features" else "")
        )
        warnings.warn(f"{self.n_clusters_} clusters instead of {wanted}: {reason}", ClusterCountWarning, stacklevel=5)

    def _warn_of_graph(self, graph: Graph, history: History) -> None:
        if graph.n_underflow:
            warnings.warn(
                f"{graph.n_underflow} of {len(graph.weights)} edges weigh nothing: some images lie far from the rest; "
                "try scale='local'",
                GraphWarning,
                stacklevel=5,
            )
        wanted = 1 if self.n_clusters == "auto" else int(self.n_clusters)
        parts = graph_components(graph)
        if history.n_final > max(wanted, parts if self.n_clusters == "auto" else 0):
            warnings.warn(
                f"affinity ran out at {history.n_final} clusters (the neighbour graph has {parts} separate parts); "
                + (
                    f"on_exhausted={self.on_exhausted!r} says what happens to the rest"
                    if self.affinity == "features"
                    else "a given graph has no features to join the rest by"
                ),
                GraphWarning,
                stacklevel=5,
            )

    def _describe_again(self, X: Any) -> np.ndarray:
        if self.affinity == "precomputed":
            raise ConfigError(NO_FEATURES)
        return super()._describe_again(X)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        neighbors = search(features, self.embedding_, self.n_neighbors)
        return label_weights(neighbors.indices, self._weights(neighbors), self.labels_, self.n_clusters_)

    def _weights(self, neighbors: Neighbors) -> np.ndarray:
        if self.scale == "local":
            # with the least variance of the fit, so that an image's weights do not depend on those it comes with
            return edge_weights(neighbors.sq_distances, scale="local", smallest=self.smallest_variance_)
        variance = self.a * self.sq_distance_mean_
        weights: np.ndarray = np.exp(-neighbors.sq_distances / max(variance, np.finfo(float).tiny))
        return weights

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        if self.affinity == "precomputed":
            raise ConfigError(NO_FEATURES)
        return {
            "initial_labels": self.initial_labels_,
            "merges": self.merges_,
            "sq_distance_mean": np.array([self.sq_distance_mean_]),
            "smallest_variance": np.array([self.smallest_variance_]),
        }

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        self.initial_labels_, self.merges_ = tensors["initial_labels"], tensors["merges"]
        self.sq_distance_mean_ = float(tensors["sq_distance_mean"][0])
        self.smallest_variance_ = float(tensors["smallest_variance"][0])


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")


def _check_above(name: str, value: object, bound: float) -> None:
    if not isinstance(value, int | float | np.number) or not bound < value < np.inf:
        raise ConfigError(f"{name} is {value!r}; expected a finite number above {bound}")


def _checked_graph(W: Any) -> Graph:
    if not issparse(W) or W.shape[0] != W.shape[1] or W.shape[0] < 2:
        raise ConfigError(
            "affinity='precomputed' needs a square sparse matrix of at least two images, not a "
            f"{type(W).__name__} of shape {np.shape(W)}"
        )
    W = csr_array(W).astype(np.float64)
    W.sum_duplicates()
    W.setdiag(0)
    W.eliminate_zeros()
    if not np.isfinite(W.data).all() or (W.data < 0).any():
        raise ConfigError("the affinity matrix has negative or non-finite weights; all must be finite and at least 0")
    return Graph(W.indptr.astype(np.int64), W.indices.astype(np.int64), W.data, 0)
