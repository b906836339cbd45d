"""SC-LS: spectral clustering by landmarks, whose memory grows with the number of images and not with its square."""

import warnings

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.exceptions import ConvergenceWarning

from coterie.classical.rival import Rival, kmeans_labels, unit_rows
from coterie.parameters import check_whole

CHUNK = 4096


class LandmarkSpectral(Rival):
    """Landmark-based spectral clustering of Chen and Cai (AAAI 2011), SC-LS in JULE's tables.

    ``n_landmarks`` centres of a short k-means; each image is a mixture of its ``n_nearest`` of them, with weights
    exp(-D / (2 s^2)), D the squared distance and s its mean over all images and landmarks; columns over the roots of
    their sums; the left singular vectors after the first; rows of length 1; k-means. As uploaded: s has the unit of D,
    not of its root, and 500 landmarks. n_clusters: 1 to n, below the number of landmarks. random_state: seed. features,
    device: see ``GraphDegreeLinkage``.
    """

    kind = "sc-ls"
    pairs_all = False

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_landmarks: int = 500,
        n_nearest: int = 5,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_landmarks = n_landmarks
        self.n_nearest = n_nearest
        self.random_state = random_state
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        super().check_parameters()
        check_whole("n_nearest", self.n_nearest)
        check_whole("n_landmarks", self.n_landmarks, least=max(self.n_clusters + 1, self.n_nearest))

    def _group(self, features: np.ndarray) -> np.ndarray:
        landmarks = self._landmarks(features)
        rows = landmark_rows(mixtures(features, landmarks, self.n_nearest), self.n_clusters)
        return kmeans_labels(rows, self.n_clusters, self.random_state)

    def _landmarks(self, features: np.ndarray) -> np.ndarray:
        """(p, d): centres of five rounds of one k-means; the images themselves where these are fewer."""
        if len(features) <= self.n_landmarks:
            return features
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = SklearnKMeans(self.n_landmarks, init="random", n_init=1, max_iter=5, random_state=self.random_state)
            found: np.ndarray = model.fit(features).cluster_centers_
        return found


def mixtures(features: np.ndarray, landmarks: np.ndarray, n_nearest: int) -> csr_matrix:
    """(n, p), rows that sum to 1: the share of its ``n_nearest`` landmarks in each image."""
    n, p, r = len(features), len(landmarks), min(n_nearest, len(landmarks))
    nearest, distances = np.empty((n, r), np.int64), np.empty((n, r))
    total = 0.0
    middle = landmarks.astype(np.float64).mean(axis=0)
    centred = landmarks - middle
    squares = (centred**2).sum(axis=1)
    for i in range(0, n, CHUNK):
        rows = features[i : i + CHUNK] - middle
        sq = np.maximum((rows**2).sum(axis=1)[:, None] - 2 * rows @ centred.T + squares, 0.0)
        total += float(sq.sum())
        nearest[i : i + CHUNK] = np.argpartition(sq, r - 1, axis=1)[:, :r]
        distances[i : i + CHUNK] = np.take_along_axis(sq, nearest[i : i + CHUNK], axis=1)
    scale = total / (n * p) or 1.0
    distances -= distances.min(axis=1, keepdims=True)  # the same shares, and none underflows
    weights = np.exp(distances / (-2 * scale**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return csr_matrix((weights.ravel(), nearest.ravel(), np.arange(0, n * r + 1, r)), shape=(n, p))


def landmark_rows(shares: csr_matrix, k: int) -> np.ndarray:
    """(n, k) rows of length 1: the left singular vectors 2 to k + 1 of ``shares`` over the roots of its column sums."""
    sums = np.asarray(shares.sum(axis=0)).ravel()
    scaled = shares @ _diagonal(1 / np.maximum(np.sqrt(sums), 1e-12))
    values, right = np.linalg.eigh((scaled.T @ scaled).toarray())
    chosen = slice(-2, -2 - k, -1)
    lengths = np.sqrt(np.maximum(values[chosen], np.finfo(float).tiny))
    return unit_rows(scaled @ right[:, chosen] / lengths)


def _diagonal(values: np.ndarray) -> csr_matrix:
    p = len(values)
    return csr_matrix((values, np.arange(p), np.arange(p + 1)), shape=(p, p))
