"""Graph degree linkage: the exact merging at the heart of JULE, as a clusterer that needs no training.

Zhang, Wang, Zhao, Tang, ECCV 2012; as AC-GDL in Yang, Parikh, Batra, CVPR 2016. The graph links each image to its
nearest ones; clusters that point at each other through many edges merge first. The kernel is
`coterie.graphs.linkage_kernel`.
"""

import time
import warnings
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, issparse

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.graphs.affinity import Graph, smallest_variance
from coterie.graphs.grouping import Grouping, LinkageSettings, group_features, group_graph
from coterie.graphs.linkage import UPDATES
from coterie.graphs.neighbors import METHODS
from coterie.graphs.placing import memberships_by_neighbors
from coterie.graphs.reduce import components_for, principal_axes, project
from coterie.graphs.sampled import MANY, SAMPLE, sampled_rows, spread
from coterie.graphs.stop import Stop
from coterie.graphs.trust import reservations
from coterie.parameters import check_choice, check_n_clusters, check_number, check_whole

NO_FEATURES = "a linkage fitted on a precomputed graph has no features to place new images by"
ON_EXHAUSTED = ("centroid", "double_ks", "stop", "error")


class GraphDegreeLinkage(Clusterer):
    """Exact graph degree linkage with a sized stop.

    The published algorithm is ``n_neighbors=20, n_components=None, stop="plain", refine=0``.

    Args:
        n_clusters: 1 to n, or "auto": chosen from the merge history; ``choice_`` says by which rule and names the
            runners-up.
        n_neighbors: edges from each image, K_s. "auto" is 10 for 1,000 images a cluster, growing with the square
            root, between 5 and 40, 20 above 200,000 linked images (``graphs.grouping``); JULE has 20.
        n_components: principal components that neighbours are searched in. "auto" is 64 for at least 8,000 images of
            more features, None is all.
        scale: "local", each image's own (gacluster), or "global", one for all: ``a`` times the mean squared distance
            (JULE).
        a: factor of the global scale; 1, as in JULE.
        update: "exact" (JULE Eq. 3; the papers' numbers), "size_ratio" (Eq. 7) or "constant_ratio" (Eq. 9 with
            ``alpha``).
        alpha: of "constant_ratio"; 0, as in the Torch release of JULE, whose supplement advises 0 to 0.1.
        affinity: "features", or "precomputed": ``fit`` takes a sparse directed W (n, n), rows are sources.
        init: "nearest", the parts of the 1-nearest-neighbour graph, or "singletons".
        stop: "sized" counts only clusters of at least ``min_cluster_size`` images and lets fragments join them
            (``graphs.stop``); "plain" stops at exactly n_clusters, fragments included.
        min_cluster_size: images a cluster needs to count; "auto" takes the size with the smallest normalised cut.
        refine: rounds in which every image moves to the cluster that most of its edges lead to.
        on_exhausted: when clusters without any affinity are left, "centroid" joins the smallest with the nearest
            centroid, "double_ks" doubles the neighbours and goes on, "stop" returns more clusters than asked for,
            "error" raises.
        search: how neighbours are found, see ``graphs.neighbors``.
        sample: how many images are linked, the others joining where their neighbours among those are
            (``graphs.sampled``). "auto" is 100,000 where there are more than 200,000; None is all.
        features: "auto", "pixels", "hog", "lbp", "sift", "efficientnet-lite0", a .npy of embeddings, or an nn.Module.
        device: where a network that makes features runs: "auto", "cpu", "cuda", "mps".

    Attributes:
        labels_: (n,) int64, the largest cluster is 0.
        confidence_: (n,) float32, own / (own + best other) summed weight of the image's neighbours: 1 all agree, 0.5
            a tie, below they would have said otherwise.
        merges_: (m, 4) child, child, affinity, size, numbered as SciPy does, over the clusters of
            ``initial_labels_``.
        n_neighbors_: the edges from each image that were used.
        n_linked_: how many images were linked, of a sample or all.
        recall_: of the neighbour search among them.
        stop_: minimum size and fragments of the sized stop.
        choice_: of n_clusters="auto", else None.
        stages_: seconds of the neighbour search, the choice of the number of groups, graph, merging, stop, and of
            placing the images beyond the sample.
        n_zero_merges_: mergers without any affinity before ``n_clusters_`` were left.
    """

    kind = "gdl"

    def __init__(
        self,
        n_clusters: int | str = "auto",
        *,
        n_neighbors: int | str = "auto",
        n_components: int | str | None = "auto",
        scale: str = "local",
        a: float = 1.0,
        update: str = "exact",
        alpha: float = 0.0,
        affinity: str = "features",
        init: str = "nearest",
        stop: str = "sized",
        min_cluster_size: float | str = "auto",
        refine: int = 1,
        on_exhausted: str = "centroid",
        search: str = "auto",
        sample: int | str | None = "auto",
        features: Any = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.scale = scale
        self.a = a
        self.update = update
        self.alpha = alpha
        self.affinity = affinity
        self.init = init
        self.stop = stop
        self.min_cluster_size = min_cluster_size
        self.refine = refine
        self.on_exhausted = on_exhausted
        self.search = search
        self.sample = sample
        self.features = features
        self.device = device

    def fit(self, X: Any, y: object = None) -> Self:
        if self.affinity == "precomputed":
            return self._fit_precomputed(X)
        super().fit(X, y)
        # the stages by their own names; what is left of the grouping are components, votes and confidence
        self.timings_["grouping"] -= sum(self.stages_.values())
        self.timings_ |= self.stages_
        return self

    def check_parameters(self) -> None:
        check_n_clusters(self.n_clusters, auto=True)
        if self.n_neighbors != "auto":
            check_whole("n_neighbors", self.n_neighbors, or_else=' or "auto"')
        if self.n_components not in ("auto", None):
            check_whole("n_components", self.n_components, or_else=', "auto" or None')
        check_choice("scale", self.scale, ("local", "global"))
        check_choice("update", self.update, tuple(UPDATES))
        check_choice("affinity", self.affinity, ("features", "precomputed"))
        check_choice("init", self.init, ("nearest", "singletons"))
        check_choice("stop", self.stop, ("sized", "plain"))
        if self.min_cluster_size != "auto":
            check_number("min_cluster_size", self.min_cluster_size, above=0)
        check_whole("refine", self.refine, least=0)
        check_choice("on_exhausted", self.on_exhausted, ON_EXHAUSTED)
        check_choice("search", self.search, METHODS)
        if self.sample not in ("auto", None):
            check_whole("sample", self.sample, least=2, or_else=', "auto" or None')
        check_number("a", self.a, above=0)
        check_number("alpha", self.alpha, above=-1)

    def _settings(self) -> LinkageSettings:
        own = self.get_params(deep=False)
        return LinkageSettings(**{name: own[name] for name in LinkageSettings.__dataclass_fields__ if name in own})

    def transform(self, X: Any) -> np.ndarray:
        """The embedding (m, d) float32 of new images: their features, in the components that were searched."""
        rows = super().transform(X)
        return rows if self.axes_ is None else project(rows, *self.axes_)

    def _reduced(self, features: np.ndarray) -> np.ndarray:
        n, d = features.shape
        p = components_for(n, d) if self.n_components == "auto" else self.n_components
        self.axes_ = None if p is None or int(p) >= min(n, d) else principal_axes(features, int(p))
        return features if self.axes_ is None else project(features, *self.axes_)

    def _fit_features(self, features: np.ndarray) -> None:
        self.embedding_ = features = self._reduced(features)
        rows = self._sampled(len(features))
        grouping = group_features(features if rows is None else features[rows], self._settings())
        found = grouping.neighbors
        assert found is not None
        self.recall_ = found.recall
        self.n_neighbors_ = found.indices.shape[1]
        self.sq_distance_mean_ = float(found.sq_distances.mean())
        self.smallest_variance_ = smallest_variance(found.sq_distances)
        self._take(grouping)
        if rows is not None:
            self._spread(grouping, features, rows)

    def _take(self, grouping: Grouping) -> None:
        self.choice_ = grouping.choice
        self.stop_: Stop | None = grouping.stop
        self.stages_: dict[str, float] = dict(grouping.seconds)
        self.initial_labels_, self.merges_ = grouping.history.initial, grouping.merge_table
        self.labels_, self.confidence_ = grouping.labels, grouping.confidence()
        self.n_clusters_, self.n_zero_merges_ = grouping.n_clusters, grouping.n_zero_merges
        for category, sentence in reservations(grouping, self._settings()):
            warnings.warn(sentence, category, stacklevel=5)

    def _sampled(self, n: int) -> np.ndarray | None:
        """The rows that are linked, None for all."""
        most = (SAMPLE if n > MANY else n) if self.sample == "auto" else n if self.sample is None else int(self.sample)
        if isinstance(self.n_clusters, int | np.integer) and most < self.n_clusters:
            raise ConfigError(f"sample is {most:,}, fewer than the {self.n_clusters:,} clusters asked for; give more")
        self.n_linked_ = min(n, most)
        return sampled_rows(n, most) if most < n else None

    def _spread(self, grouping: Grouping, features: np.ndarray, rows: np.ndarray) -> None:
        """What the ``grouping`` of ``rows`` says of all images."""
        began = time.perf_counter()
        told = spread(grouping, features, rows, self.smallest_variance_, self._global_variance())
        self.labels_, self.confidence_ = told.labels, told.confidence
        self.initial_labels_, self.merges_ = told.initial, told.merge_table
        if grouping.stop is not None:
            self.stop_ = grouping.stop._replace(is_fragment=told.is_fragment)
        self.stages_["placing the rest"] = time.perf_counter() - began

    def _global_variance(self) -> float | None:
        return self.a * self.sq_distance_mean_ if self.scale == "global" else None

    def _fit_precomputed(self, W: Any) -> Self:
        self.check_parameters()
        graph = _checked_graph(W)
        self._check_count(len(graph.indptr) - 1)
        self.axes_ = None
        self.n_features_in_ = self.n_linked_ = len(graph.indptr) - 1
        self.extractor_, self.embedding_ = None, np.empty((self.n_features_in_, 0), np.float32)
        self._take(group_graph(graph, self._settings()))
        return self

    def _describe_again(self, X: Any) -> np.ndarray:
        if self.affinity == "precomputed":
            raise ConfigError(NO_FEATURES)
        return super()._describe_again(X)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return memberships_by_neighbors(
            features, self.embedding_, self.labels_, n_neighbors=self.n_neighbors_,
            smallest_variance=self.smallest_variance_, global_variance=self._global_variance(),
        )  # fmt: skip

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        if self.affinity == "precomputed":
            raise ConfigError(NO_FEATURES)
        reduction = {} if self.axes_ is None else dict(zip(("mean", "axes"), self.axes_, strict=True))
        return reduction | {
            "initial_labels": self.initial_labels_,
            "merges": self.merges_,
            "sq_distance_mean": np.array([self.sq_distance_mean_]),
            "smallest_variance": np.array([self.smallest_variance_]),
            "n_neighbors": np.array([self.n_neighbors_]),
        }

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        self.initial_labels_, self.merges_ = tensors["initial_labels"], tensors["merges"]
        self.axes_ = (tensors["mean"], tensors["axes"]) if "axes" in tensors else None
        self.sq_distance_mean_ = float(tensors["sq_distance_mean"][0])
        self.smallest_variance_ = float(tensors["smallest_variance"][0])
        self.n_neighbors_ = int(tensors["n_neighbors"][0])


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
