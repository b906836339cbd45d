"""Which neighbour search runs: exact as long as that is bearable, approximate above, with its recall measured."""

import logging
import warnings
from importlib.util import find_spec

import numpy as np

from coterie.errors import ConfigError, GraphWarning, SlowPathWarning
from coterie.graphs.approximate import Index, build_index
from coterie.graphs.knn import Neighbors, checked_features, nearest_neighbors, rank, search

EXACT_UP_TO = 200_000  # images; exact search of more takes minutes on a laptop
ENOUGH_RECALL = 0.95  # an approximate search looks further until it finds that share of the true neighbours
LOW_RECALL = 0.9  # below it the graph misses more than a tenth of its edges, and a person should know
RECALL_SAMPLE = 1000  # rows whose true neighbours are looked up to measure an approximate search
SPARE = 9  # candidates beyond the asked ones: the image itself, and some that rounding may misplace
BLOCK = 65_536  # rows searched and ranked at a time, so that a million images need no more than their neighbours
METHODS = ("auto", "exact", "faiss", "ivf", "hnsw", "nndescent")
logger = logging.getLogger(__name__)


def find_neighbors(
    features: np.ndarray, n_neighbors: int, *, method: str = "auto", device: str = "cpu", seed: int = 0
) -> Neighbors:
    """The ``n_neighbors`` nearest other rows of each row of ``features`` (n, d) float32.

    method: ``exact`` (ours, blocks of a matrix product), ``faiss`` (faiss flat, exact), ``ivf`` or ``hnsw`` (faiss,
    approximate), ``nndescent`` (pynndescent, approximate), or ``auto``: exact up to 200,000 rows, above that the first
    approximate one that is installed. Approximate neighbours are ranked again by their true distance; their recall is
    measured on 1,000 rows, and ``ivf`` and ``hnsw`` look further until it is .95.
    """
    if method not in METHODS:
        raise ConfigError(f"search is {method!r}; expected one of {', '.join(METHODS)}")
    if method == "auto":
        method = _choose(len(features))
    n_neighbors = min(n_neighbors, len(features) - 1)
    if method == "exact":
        return nearest_neighbors(features, n_neighbors, device=device)
    features = checked_features(features)
    index = build_index(features, n_neighbors + SPARE, method, seed)
    if method == "faiss":
        return _ranked(index, features, n_neighbors)
    _look_far_enough(index, features, n_neighbors, seed)
    neighbors = _ranked(index, features, n_neighbors)
    del index
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
    rows = _sample(n, seed)
    furthest = _others(features, rows, k).sq_distances[:, -1:]
    return float((neighbors.sq_distances[rows] <= furthest).mean())


def _sample(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(n, min(RECALL_SAMPLE, n), replace=False)


def _look_far_enough(index: Index, features: np.ndarray, k: int, seed: int) -> None:
    """``index`` looking so far that it finds enough of the true neighbours of other rows than the recall is told of."""
    rows = _sample(len(features), seed + 1)
    furthest = _others(features, rows, k).sq_distances[:, -1:]
    while True:
        found = rank(features[rows], features, _without_self(index.search(rows), rows), k)
        recall = float((found.sq_distances <= furthest).mean())
        logger.debug("recall of the neighbour search: %.4f", recall)
        if recall >= ENOUGH_RECALL or not index.look_further():
            return


def _ranked(index: Index, features: np.ndarray, k: int) -> Neighbors:
    """The best ``k`` of what ``index`` finds for every row, by true distance; complete."""
    n = len(features)
    neighbors = Neighbors(np.empty((n, k), np.int64), np.empty((n, k)))
    for begin in range(0, n, BLOCK):
        rows = np.arange(begin, min(begin + BLOCK, n))
        best = rank(features[rows], features, _without_self(index.search(rows), rows), k)
        found = best.indices.shape[1]  # fewer than k when the search itself gave fewer
        neighbors.indices[rows, :found], neighbors.sq_distances[rows, :found] = best.indices, best.sq_distances
        neighbors.indices[rows, found:] = -1
    _complete(neighbors, features)
    return neighbors


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


def _without_self(candidates: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(candidates == rows[:, None], -1, candidates)
