"""NMF-LP: non-negative factors of the images, alike for images that are neighbours."""

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_matrix, identity
from scipy.sparse.csgraph import laplacian
from scipy.sparse.linalg import cg
from sklearn.neighbors import kneighbors_graph

from coterie.classical.rival import Rival, kmeans_labels
from coterie.errors import ConfigError
from coterie.parameters import check_number, check_whole

CHUNK = 4096
TINY = 1e-12


class NonNegative(Rival):
    """Base of methods by non-negative factors: features below zero are refused."""

    pairs_all = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _group(self, features: np.ndarray) -> np.ndarray:
        if features.min() < 0:
            raise ConfigError(
                f"Negative values in data: {self.kind} takes features of at least 0; give --features unit-pixels"
            )
        return self._group_shares(features.astype(np.float64))

    @abstractmethod
    def _group_shares(self, rows: np.ndarray) -> np.ndarray:
        """(n,) labels of ``rows`` (n, d) float64, none below zero."""


class LocalityNMF(NonNegative):
    """Locality preserving non-negative matrix factorisation of Cai et al. (IJCAI 2009), NMF-LP in JULE's tables.

    Every image is a sum of ``n_factors`` non-negative parts (None: as many as clusters), by generalised
    Kullback-Leibler divergence, each image weighted by 1 / its product with the sum of all; the shares of the parts are
    grouped by k-means. ``locality`` above 0 makes the shares of neighbours alike: by that factor, over the
    ``n_neighbors`` nearest images. The default is what JULE's authors uploaded and measured, ten factors without any
    locality; as published it is ``n_factors=None, locality=100``.

    n_rounds: updates of both factors. n_clusters: 1 to n. random_state: seed. features: must not be negative, so
    "unit-pixels"; device: see ``GraphDegreeLinkage``.
    """

    kind = "nmf-lp"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_factors: int | None = 10,
        locality: float = 0.0,
        n_neighbors: int = 5,
        n_rounds: int = 50,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.n_factors = n_factors
        self.locality = locality
        self.n_neighbors = n_neighbors
        self.n_rounds = n_rounds
        self.random_state = random_state
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.n_factors is not None:
            check_whole("n_factors", self.n_factors, or_else=" or None")
        check_number("locality", self.locality, least=0.0)
        check_whole("n_neighbors", self.n_neighbors)
        check_whole("n_rounds", self.n_rounds)

    def _group_shares(self, rows: np.ndarray) -> np.ndarray:
        return kmeans_labels(self._shares(rows), self.n_clusters, self.random_state)

    def _shares(self, rows: np.ndarray) -> np.ndarray:
        """(n, f): how much of each part is in each image, the parts each with the sum 1."""
        (n, d), f = rows.shape, self.n_factors or self.n_clusters
        rng = np.random.default_rng(self.random_state)
        parts, shares = rng.random((d, f)) + TINY, rng.random((n, f)) + TINY
        weights = 1 / np.maximum(rows @ rows.sum(axis=0), TINY)
        graph = self._graph(rows) if self.locality else None
        for _ in range(self.n_rounds):
            parts = updated_parts(rows, parts, shares, weights)
            shares = updated_shares(rows, parts, shares)
            if graph is not None:
                shares = smoothed(shares, parts.sum(axis=0), graph, self.locality)
        return cast("np.ndarray", shares * parts.sum(axis=0))

    def _graph(self, rows: np.ndarray) -> csr_matrix:
        """D - W of the neighbours' graph, an edge where one of two is a neighbour of the other."""
        linked = kneighbors_graph(rows, min(self.n_neighbors, len(rows) - 1))
        return csr_matrix(laplacian(linked.maximum(linked.T)))


def updated_parts(rows: np.ndarray, parts: np.ndarray, shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(d, f): one multiplicative update of the parts of ``rows`` (n, d), images weighted by ``weights`` (n,)."""
    pulled = np.zeros_like(parts)
    for i, ratio in _ratios(rows, parts, shares):
        own = slice(i, i + CHUNK)
        pulled += ratio.T @ (weights[own, None] * shares[own])
    found: np.ndarray = parts * pulled / np.maximum(weights @ shares, TINY)
    return found


def updated_shares(rows: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(n, f): one multiplicative update of the shares of ``parts`` (d, f) in ``rows`` (n, d)."""
    found = np.empty_like(shares)
    for i, ratio in _ratios(rows, parts, shares):
        own = slice(i, i + CHUNK)
        found[own] = shares[own] * (ratio @ parts) / np.maximum(parts.sum(axis=0), TINY)
    return found


def smoothed(shares: np.ndarray, sums: np.ndarray, graph: csr_matrix, locality: float) -> np.ndarray:
    """``shares`` (n, f) as they are with the pull of neighbours: (s I + locality L)^-1 s v of each part, s its sum."""
    found = np.empty_like(shares)
    unit = identity(len(shares), format="csr")
    for k, own in enumerate(np.maximum(sums, TINY)):
        solved, failed = cg(own * unit + locality * graph, own * shares[:, k], x0=shares[:, k], rtol=1e-6, maxiter=1000)
        if failed:
            warnings.warn("the shares of neighbours did not settle in 1,000 rounds", RuntimeWarning, stacklevel=2)
        found[:, k] = np.maximum(solved, TINY)
    return found


def _ratios(rows: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Chunk by chunk: where it begins, and the images over what the parts make of them, (m, d)."""
    for i in range(0, len(rows), CHUNK):
        made = shares[i : i + CHUNK] @ parts.T
        yield i, rows[i : i + CHUNK] / np.maximum(made, TINY)
