"""SC: spectral clustering as the tables of DAC, DCCM and UDC have it, which name no variant of it."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.kernel_approximation import Nystroem

from coterie.classical.rival import (
    MOST_PAIRED,
    Rival,
    kmeans_labels,
    normalised_sparse,
    top_eigenvectors,
    unit_rows,
)
from coterie.graphs.knn import search
from coterie.graphs.neighbors import find_neighbors
from coterie.parameters import check_whole

NTH = 7  # the neighbour whose distance is an image's scale, as in the paper


class NeighborSpectral(Rival):
    """Spectral clustering on a graph of neighbours with scales of their own, SC in the tables of DAC, DCCM and UDC.

    An edge between an image and each of its ``n_neighbors`` nearest, of weight exp(-d_ij^2 / (s_i s_j)), s_i the
    distance of image i to its 7th neighbour (Zelnik-Manor and Perona, 2004); the k largest eigenvectors of the weights
    over the roots of the degrees; rows of length 1; k-means. Above 20,000 images it is the Nystroem method of
    scikit-learn instead: ``n_landmarks`` images drawn at random stand for all affinities exp(-d^2 / s), s their mean
    squared distance to the 7th neighbour. The papers do not say which spectral clustering theirs was, so figures need
    not agree.

    n_clusters: 1 to n. random_state: seed. features, device: see ``GraphDegreeLinkage``.
    """

    kind = "sc"
    pairs_all = False

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_neighbors: int = 10,
        n_landmarks: int = 1000,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.n_landmarks = n_landmarks
        self.random_state = random_state
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        super().check_parameters()
        check_whole("n_neighbors", self.n_neighbors)
        check_whole("n_landmarks", self.n_landmarks, least=self.n_clusters)

    def _group(self, features: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.random_state)
        if len(features) <= MOST_PAIRED:
            rows = graph_rows(features, self.n_clusters, self.n_neighbors, rng)
        else:
            rows = landmark_kernel_rows(features, self.n_clusters, self.n_landmarks, rng)
        return kmeans_labels(rows, self.n_clusters, self.random_state)


def graph_rows(features: np.ndarray, k: int, n_neighbors: int, rng: np.random.Generator) -> np.ndarray:
    """(n, k) rows of length 1: the images of ``features`` (n, d) in the space of the graph's eigenvectors."""
    affinity = self_tuned(features, n_neighbors)
    degrees = np.asarray(affinity.sum(axis=1)).ravel()
    return unit_rows(top_eigenvectors(normalised_sparse(affinity, degrees), k, rng))


def self_tuned(features: np.ndarray, n_neighbors: int) -> csr_matrix:
    """(n, n) symmetric: exp(-d_ij^2 / (s_i s_j)) where one of i and j is a neighbour of the other."""
    found = find_neighbors(features, max(n_neighbors, NTH))
    scales = np.sqrt(found.sq_distances[:, min(NTH, found.indices.shape[1]) - 1])
    indices, sq = found.indices[:, :n_neighbors], found.sq_distances[:, :n_neighbors]
    weights = np.exp(-sq / np.maximum(scales[:, None] * scales[indices], np.finfo(float).tiny))
    n, k = indices.shape
    graph = csr_matrix((weights.ravel(), indices.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    return csr_matrix(graph.maximum(graph.T))


def landmark_kernel_rows(features: np.ndarray, k: int, n_landmarks: int, rng: np.random.Generator) -> np.ndarray:
    """(n, k) rows of length 1: the same of all affinities, known by those of ``n_landmarks`` images."""
    m = min(n_landmarks, len(features))
    drawn = features[rng.choice(len(features), m, replace=False)]
    nearest = search(drawn, features, NTH + 1).sq_distances  # the first is the image itself
    kernel = Nystroem(
        kernel="rbf", gamma=1 / (nearest[:, -1].mean() or 1.0), n_components=m, random_state=int(rng.integers(2**31))
    )
    mapped = kernel.fit_transform(features)
    degrees = np.maximum(mapped @ mapped.sum(axis=0), 1.0)  # an image has affinity 1 to itself
    mapped /= np.sqrt(degrees)[:, None]
    values, right = np.linalg.eigh(mapped.T @ mapped)
    lengths = np.sqrt(np.maximum(values[: -k - 1 : -1], np.finfo(values.dtype).tiny))
    return unit_rows(mapped @ right[:, : -k - 1 : -1] / lengths)
