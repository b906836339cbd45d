"""k-means, by scikit-learn: the baseline every table starts from."""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.exceptions import ConvergenceWarning

from coterie.classical.centres import confidences, memberships
from coterie.clusterer import Clusterer
from coterie.errors import ClusterCountWarning
from coterie.graphs.history import by_size
from coterie.parameters import check_choice, check_n_clusters, check_whole

ROUNDS: dict[str, Callable[[int], int]] = {  # the most, of n images
    "k-means++": lambda n: 300,  # noqa: ARG005
    "random": lambda n: max(100, n // 100),
}


class KMeans(Clusterer):
    """k-means (Lloyd) with ``n_init`` starts from k-means++.

    n_clusters: 1 to n. init: "k-means++" with at most 300 rounds, or "random": images drawn at random, with at most
    max(100, n / 100), as in JULE's baselines (jule.md C1). n_init: starts, the best inertia wins; 10, as there.
    random_state: seed. features, device: see ``GraphDegreeLinkage``.

    After ``fit``: ``cluster_centers_`` (k, d), ``inertia_``. The membership of an image in a cluster is 1 / squared
    distance to its centre, as in fuzzy c-means with m = 2; its confidence is own / (own + best other).
    """

    kind = "kmeans"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str = "k-means++",
        n_init: int = 10,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.random_state = random_state
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        check_n_clusters(self.n_clusters)
        check_choice("init", self.init, tuple(ROUNDS))
        check_whole("n_init", self.n_init)
        if self.random_state is not None:
            check_whole("random_state", self.random_state, least=0, or_else=" or None")

    def _fit_features(self, features: np.ndarray) -> None:
        rounds = ROUNDS[self.init](len(features))
        model = SklearnKMeans(
            self.n_clusters, init=self.init, n_init=self.n_init, max_iter=rounds, random_state=self.random_state
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said below, in our words
            model.fit(features)
        labels = by_size(model.labels_.astype(np.int64))
        self.n_clusters_ = int(labels.max()) + 1
        if self.n_clusters_ < self.n_clusters:
            warnings.warn(
                f"only {self.n_clusters_} of the {self.n_clusters} clusters have an image: the images are too alike",
                ClusterCountWarning,
                stacklevel=4,
            )
        first = np.unique(labels, return_index=True)[1]
        self.cluster_centers_ = model.cluster_centers_[model.labels_[first]].astype(np.float32)
        self.inertia_ = float(model.inertia_)
        self.labels_ = labels
        self.confidence_ = confidences(features, labels, self.cluster_centers_)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return memberships(features, self.cluster_centers_)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return {"cluster_centers": self.cluster_centers_}

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        self.cluster_centers_ = tensors["cluster_centers"]
