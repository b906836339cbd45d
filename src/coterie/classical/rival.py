"""What the classical rivals of the papers' tables share: they group what they are given, and know no new images.

Their definitions are those of the MATLAB code that JULE's authors uploaded beside theirs, which made the figures of
its tables; where that differs from the paper of a method, the class says so.
"""

import warnings
from abc import abstractmethod

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import eigsh
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.exceptions import ConvergenceWarning

from coterie.classical.centres import confidences, memberships
from coterie.clusterer import Clusterer
from coterie.errors import ClusterCountWarning, ConfigError
from coterie.graphs.history import by_size
from coterie.parameters import check_n_clusters, check_whole

MOST_PAIRED = 20_000  # images whose pairs are all held at once: 3.2 GB
DENSE = 400  # rows up to which all eigenvectors are cheaper than a search for some


class Rival(Clusterer):
    """Base of the rivals. New images join the cluster with the nearest mean; membership is as in ``KMeans``.

    After ``fit``: ``cluster_means_`` (k, d) float32, of the features that were grouped.
    """

    n_clusters: int
    random_state: int | None
    pairs_all: bool = True  # whether memory grows with the square of the number of images
    instead: str = "sc-ls, kmeans or gdl"  # for more images

    def check_parameters(self) -> None:
        check_n_clusters(self.n_clusters)
        if self.random_state is not None:
            check_whole("random_state", self.random_state, least=0, or_else=" or None")

    @abstractmethod
    def _group(self, features: np.ndarray) -> np.ndarray:
        """(n,) a label for each row of ``features`` (n, d) float32, at most ``n_clusters`` different ones."""

    def _holds_pairs(self) -> bool:
        return self.pairs_all

    def _check_count(self, n: int) -> None:
        super()._check_count(n)
        if self._holds_pairs() and n > MOST_PAIRED:
            raise ConfigError(
                f"{self.kind} compares every two images, {8e-9 * n**2:,.0f} GB for {n:,}: it takes at most "
                f"{MOST_PAIRED:,}; take {self.instead}"
            )

    def _fit_features(self, features: np.ndarray) -> None:
        self.labels_ = by_size(self._group(features))
        self.n_clusters_ = int(self.labels_.max()) + 1
        if self.n_clusters_ < self.n_clusters:
            warnings.warn(
                f"only {self.n_clusters_} of the {self.n_clusters} clusters have an image: the images are too alike",
                ClusterCountWarning,
                stacklevel=4,
            )
        counts = np.bincount(self.labels_)
        sums = np.zeros((self.n_clusters_, features.shape[1]))
        np.add.at(sums, self.labels_, features)
        self.cluster_means_ = (sums / counts[:, None]).astype(np.float32)
        self.confidence_ = confidences(features, self.labels_, self.cluster_means_)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return memberships(features, self.cluster_means_)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return {"cluster_means": self.cluster_means_}

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        self.cluster_means_ = tensors["cluster_means"]


def sq_distances(features: np.ndarray) -> np.ndarray:
    """(n, n) float64: the squared Euclidean distance of each two rows; 0 on the diagonal."""
    rows = features.astype(np.float64)
    rows -= rows.mean(axis=0)  # the expanded square loses digits far from the origin
    squares = (rows**2).sum(axis=1)
    found: np.ndarray = rows @ rows.T
    found *= -2
    found += squares[:, None]
    found += squares
    np.maximum(found, 0.0, out=found)
    np.fill_diagonal(found, 0.0)
    return found


def normalised(affinity: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """``affinity`` (n, n) over the roots of the degrees of its row and column, in place."""
    roots = 1 / np.sqrt(np.maximum(degrees, np.finfo(float).tiny))
    affinity *= roots[:, None]
    affinity *= roots
    return affinity


def normalised_sparse(affinity: csr_matrix, degrees: np.ndarray) -> csr_matrix:
    """The same of a sparse ``affinity``."""
    roots = 1 / np.sqrt(np.maximum(degrees, np.finfo(float).tiny))
    affinity.data *= np.repeat(roots, np.diff(affinity.indptr))
    affinity.data *= roots[affinity.indices]
    return affinity


def top_eigenvectors(matrix: np.ndarray | csr_matrix, k: int, rng: np.random.Generator) -> np.ndarray:
    """(n, k) eigenvectors of the symmetric ``matrix`` (n, n) to its largest eigenvalues, the largest first."""
    n = matrix.shape[0]
    if n <= DENSE or k >= n - 1:
        dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        vectors = np.linalg.eigh(dense)[1][:, -k:]
    else:
        values, vectors = eigsh(matrix, k, which="LA", v0=rng.normal(size=n))
        vectors = vectors[:, np.argsort(values)]
    return vectors[:, ::-1]


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """``rows`` (n, k), each of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = rows / np.where(lengths > 0, lengths, 1.0)
    return found


def kmeans_labels(rows: np.ndarray, k: int, seed: int | None) -> np.ndarray:
    """(n,) labels of the best of ten starts of k-means, of at most 100 rounds each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters: ``Rival`` says it in our words
        found: np.ndarray = SklearnKMeans(k, n_init=10, max_iter=100, random_state=seed).fit_predict(rows)
    return found
