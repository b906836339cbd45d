"""Spectral rivals that compare every two images: SC-NJW and SC-ST, as JULE's tables have them."""

import warnings
from abc import abstractmethod

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.exceptions import ConvergenceWarning

from coterie.classical.rival import (
    Rival,
    kmeans_labels,
    normalised,
    sq_distances,
    top_eigenvectors,
    unit_rows,
)
from coterie.parameters import check_whole

STARTS, ROUNDS = 50, 10  # of the k-means of SC-ST


class Spectral(Rival):
    """Base of these and of N-Cuts: ``_rows`` are the images in the space of the eigenvectors, (n, k) of length 1."""

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state
        self.features = features
        self.device = device

    @abstractmethod
    def _rows(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...

    def _group(self, features: np.ndarray) -> np.ndarray:
        rows = self._rows(features, np.random.default_rng(self.random_state))
        return kmeans_labels(rows, self.n_clusters, self.random_state)


class SpectralNJW(Spectral):
    """Spectral clustering of Ng, Jordan and Weiss (2002), SC-NJW in JULE's tables.

    Affinity exp(-d^2 / s) with s a twentieth of the mean squared distance; the k largest eigenvectors of the affinity
    over the roots of its degrees; rows of length 1; k-means. As uploaded: the affinity of an image with itself is 1 and
    not 0; ten starts of k-means instead of one. n_clusters: 1 to n. random_state: seed. features, device: see
    ``GraphDegreeLinkage``. At most 20,000 images.
    """

    kind = "sc-njw"

    def _rows(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        affinity = sq_distances(features)
        scale = 0.05 * affinity.mean() or 1.0  # all images alike: every affinity is 1
        affinity /= -scale
        np.exp(affinity, out=affinity)
        matrix = normalised(affinity, affinity.sum(axis=1))
        return unit_rows(top_eigenvectors(matrix, self.n_clusters, rng))


class SelfTuningSpectral(Spectral):
    """Self-tuning spectral clustering of Zelnik-Manor and Perona (2004), SC-ST in JULE's tables.

    Affinity exp(-d_ij^2 / (s_i s_j)), s_i the distance of image i to its ``n_neighbors``-th neighbour and the product
    at least .004, 0 for an image with itself; then as SC-NJW, with fifty starts of ten rounds of k-means from centres
    that are as orthogonal as can be, of which the one with the smallest sum of squared distances to own centres over
    that to the others wins. As uploaded: 75 neighbours where the paper has 7, and k-means where the paper turns the
    eigenvectors. n_clusters, random_state, features, device: as ``SpectralNJW``. At most 20,000 images.
    """

    kind = "sc-st"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_neighbors: int = 75,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        super().__init__(n_clusters, random_state=random_state, features=features, device=device)
        self.n_neighbors = n_neighbors

    def check_parameters(self) -> None:
        super().check_parameters()
        check_whole("n_neighbors", self.n_neighbors)

    def _rows(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        affinity = sq_distances(features)
        nth = min(self.n_neighbors, len(affinity) - 1)
        scales = np.sqrt([np.partition(row, nth)[nth] for row in affinity])  # row by row: no second copy of the pairs
        for i in range(len(affinity)):
            affinity[i] /= -np.maximum(scales[i] * scales, 0.004)
        np.exp(affinity, out=affinity)
        np.fill_diagonal(affinity, 0.0)
        matrix = normalised(affinity, affinity.sum(axis=1))
        return unit_rows(top_eigenvectors(matrix, self.n_clusters, rng))

    def _group(self, features: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.random_state)
        rows = self._rows(features, rng)
        runs = [_few_rounds(rows, orthogonal_rows(rows, self.n_clusters, rng)) for _ in range(STARTS)]
        return min(runs, key=lambda run: run[0])[1]


def orthogonal_rows(rows: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """(k, d): a row at random, then again and again the one whose largest |cosine| to those chosen is smallest."""
    chosen = [int(rng.integers(len(rows)))]
    closeness = np.zeros(len(rows))
    for _ in range(k - 1):
        np.maximum(closeness, np.abs(rows @ rows[chosen[-1]]), out=closeness)
        chosen.append(int(closeness.argmin()))
    found: np.ndarray = rows[chosen]
    return found


def _few_rounds(rows: np.ndarray, centres: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared distances to own over those to other centres, and the labels, after some rounds of k-means."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SklearnKMeans(len(centres), init=centres, n_init=1, max_iter=ROUNDS).fit(rows)
    sq = model.transform(rows) ** 2
    own = sq[np.arange(len(rows)), model.labels_].sum()
    others = sq.sum() - own
    return float(own / others) if others > 0 else 0.0, model.labels_
