"""Which neighbour search runs: exact as long as that is bearable, approximate above, with its recall measured."""

import logging
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from coterie.errors import ConfigError, GraphWarning, MissingExtraError, SlowPathWarning
from coterie.graphs.knn import Neighbors, checked_features, nearest_neighbors, rank, search

EXACT_UP_TO = 200_000  # images; exact search of more takes minutes on a laptop
LOW_RECALL = 0.9  # below it the graph misses more than a tenth of its edges, and a person should know
RECALL_SAMPLE = 1000  # rows whose true neighbours are looked up to measure an approximate search
METHODS = ("auto", "exact", "faiss", "ivf", "hnsw", "nndescent")
logger = logging.getLogger(__name__)


def find_neighbors(
    features: np.ndarray, n_neighbors: int, *, method: str = "auto", device: str = "cpu", seed: int = 0
) -> Neighbors:
    """The ``n_neighbors`` nearest other rows of each row of ``features`` (n, d) float32.

    method: ``exact`` (ours, blocks of a matrix product), ``faiss`` (faiss flat, exact), ``ivf`` or ``hnsw`` (faiss,
    approximate), ``nndescent`` (pynndescent, approximate), or ``auto``: exact up to 200,000 rows, above that the first
    approximate one that is installed. Approximate neighbours are ranked again by their true distance; their recall is
    measured on 1,000 rows.
    """
    if method not in METHODS:
        raise ConfigError(f"search is {method!r}; expected one of {', '.join(METHODS)}")
    if method == "auto":
        method = _choose(len(features))
    n_neighbors = min(n_neighbors, len(features) - 1)
    if method == "exact":
        return nearest_neighbors(features, n_neighbors, device=device)
    features = checked_features(features)
    candidates = _candidates(features, n_neighbors + 9, method, seed)
    neighbors = rank(features, features, _without_self(candidates), n_neighbors)
    _complete(neighbors, features)
    if method == "faiss":
        return neighbors
    recall = measure_recall(features, neighbors, seed=seed)
    if recall < LOW_RECALL:
        warnings.warn(
            f"search={method!r} found only {recall:.0%} of the true neighbours; another search finds more",
            GraphWarning,
            stacklevel=2,
        )
    return neighbors._replace(recall=recall)


def measure_recall(features: np.ndarray, neighbors: Neighbors, *, seed: int = 0) -> float:
    """The share of ``neighbors`` that are as near as the true ones, on up to 1,000 rows drawn with ``seed``.

    By distance, not by index, because among duplicates any choice is as good.
    """
    n, k = neighbors.indices.shape
    rows = np.random.default_rng(seed).choice(n, min(RECALL_SAMPLE, n), replace=False)
    furthest = _others(features, rows, k).sq_distances[:, -1:]
    return float((neighbors.sq_distances[rows] <= furthest).mean())


def _complete(neighbors: Neighbors, features: np.ndarray) -> None:
    """Exact neighbours for the rows of which an approximate search found fewer than asked for."""
    short = np.flatnonzero(neighbors.indices[:, -1] < 0)
    if len(short):
        exact = _others(features, short, neighbors.indices.shape[1])
        neighbors.indices[short], neighbors.sq_distances[short] = exact.indices, exact.sq_distances


def _others(features: np.ndarray, rows: np.ndarray, k: int) -> Neighbors:
    """The exact ``k`` nearest other rows of ``rows`` (m,)."""
    found = search(features[rows], features, k + 1)
    return rank(features[rows], features, np.where(found.indices == rows[:, None], -1, found.indices), k)


def _choose(n: int) -> str:
    if n <= EXACT_UP_TO:
        return "exact"
    if find_spec("faiss") is not None:
        return "ivf"
    if find_spec("pynndescent") is not None:
        return "nndescent"
    warnings.warn(
        f"exact neighbours of {n:,} images will take long; "
        'pip install "coterie[faiss]" for an approximate search with measured recall',
        SlowPathWarning,
        stacklevel=3,
    )
    return "exact"


def _without_self(candidates: np.ndarray) -> np.ndarray:
    return np.where(candidates == np.arange(len(candidates))[:, None], -1, candidates)


def _candidates(features: np.ndarray, count: int, method: str, seed: int) -> np.ndarray:
    """(n, count) indices of likely neighbours, itself among them; -1 where the search found none."""
    count = min(count, len(features))
    if method == "nndescent":
        return _nndescent(features, count, seed)
    return _faiss(features, count, method, seed)


def _faiss(features: np.ndarray, count: int, method: str, seed: int) -> np.ndarray:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(f'search={method!r} needs faiss: pip install "coterie[faiss]"') from error
    n, d = features.shape
    index: Any
    if method == "faiss":
        index = faiss.IndexFlatL2(d)
    elif method == "hnsw":
        index = faiss.IndexHNSWFlat(d, 32)
        index.hnsw.efSearch = 4 * count
    else:
        cells = int(np.clip(4 * np.sqrt(n), 1, max(1, n // 39)))  # faiss wants at least 39 training points a cell
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells)
        index.cp.seed = seed
        index.nprobe = max(8, cells // 32)
        index.train(features)
    index.add(features)
    found: np.ndarray = index.search(features, count)[1]
    return found


def _nndescent(features: np.ndarray, count: int, seed: int) -> np.ndarray:
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise MissingExtraError("search='nndescent' needs pynndescent: pip install \"coterie[map]\"") from error
    found: np.ndarray = NNDescent(features, n_neighbors=count, random_state=seed).neighbor_graph[0]
    return found
