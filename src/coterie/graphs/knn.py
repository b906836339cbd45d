"""Exact nearest neighbours, memory bounded: blocks of a matrix product, and the best of each row kept in a heap.

Candidates come from float32 products, whose differences lose digits on near-equal rows, so a few more than asked for
are kept and ranked again by their true squared distance in float64. Ties go to the smaller index. An image is never its
own neighbour: it is left out by its index, not by a distance of zero, so exact duplicates are neighbours of each other.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from coterie.errors import ConfigError
from coterie.graphs.compiled import Integer, compiled

SPARE = 8  # candidates beyond the asked ones, so that a rounding error of float32 cannot push a true neighbour out
ROWS, COLUMNS = 1024, 8192  # a block of products: 32 MB, which stays in the cache of a laptop while it is scanned
Progress = Callable[[int], None]


class Neighbors(NamedTuple):
    """indices (n, k) int64, nearest first; sq_distances (n, k) float64, squared Euclidean; recall: share of the true
    neighbours found (1.0 for exact search, measured on a sample otherwise)."""

    indices: np.ndarray
    sq_distances: np.ndarray
    recall: float = 1.0


def nearest_neighbors(features: np.ndarray, n_neighbors: int, *, device: str = "cpu") -> Neighbors:
    """The ``n_neighbors`` nearest other rows of each row of ``features`` (n, d) float32, by Euclidean distance,
    exactly.

    ``n_neighbors`` is clipped to n - 1. Cost: n^2 d multiplications; memory: 2 n k plus one block of 32 MB.
    """
    features = _checked(features)
    n_neighbors = min(n_neighbors, len(features) - 1)
    return _search(features, features, n_neighbors, same=True, device=device)


def search(queries: np.ndarray, features: np.ndarray, n_neighbors: int, *, device: str = "cpu") -> Neighbors:
    """The ``n_neighbors`` rows of ``features`` (n, d) nearest to each row of ``queries`` (m, d). Clipped to n."""
    queries, features = _checked(queries), _checked(features)
    if queries.shape[1] != features.shape[1]:
        raise ConfigError(
            f"the new images have {queries.shape[1]} features and the model was fitted on {features.shape[1]}; "
            "describe both in the same way"
        )
    return _search(queries, features, min(n_neighbors, len(features)), same=False, device=device)


def rank(queries: np.ndarray, features: np.ndarray, candidates: np.ndarray, n_neighbors: int) -> Neighbors:
    """The best ``n_neighbors`` of ``candidates`` (m, c) int, row indices into ``features``, by true squared distance.

    -1 marks a missing candidate; rows with too few keep -1 and an infinite distance at their end.
    """
    distances = np.empty(candidates.shape, np.float64)
    candidates = candidates.astype(np.int64, copy=False)
    _in_threads(len(queries), lambda a, b: _sq_distances(queries[a:b], features, candidates[a:b], distances[a:b]))
    order = np.lexsort((candidates, distances), axis=1)[:, :n_neighbors]
    return Neighbors(np.take_along_axis(candidates, order, 1), np.take_along_axis(distances, order, 1))


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.ascontiguousarray(features, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ConfigError(
            f"{len(bad)} rows of the features are not finite (first: {', '.join(map(str, bad[:5]))}); "
            "remove or repair those images"
        )
    return features


def _search(queries: np.ndarray, features: np.ndarray, k: int, *, same: bool, device: str) -> Neighbors:
    kept = min(k + SPARE, len(features) - same)
    keys = np.full((len(queries), kept), np.inf, np.float32)
    indices = np.full((len(queries), kept), -1, np.int32)
    left, right = torch.from_numpy(queries).to(device), torch.from_numpy(features).to(device)
    half_norms = (right * right).sum(1) / 2
    for column in range(0, len(features), COLUMNS):
        block = right[column : column + COLUMNS].T
        for row in range(0, len(queries), ROWS):
            # |y|^2 / 2 - x.y ranks the columns of a row as the squared distance does
            products = torch.addmm(half_norms[column : column + COLUMNS], left[row : row + ROWS], block, alpha=-1)
            _keep_best(products.cpu().numpy(), row, column, keys, indices, same)
    return rank(queries, features, indices, k)


def _keep_best(products: np.ndarray, row: int, column: int, keys: np.ndarray, indices: np.ndarray, same: bool) -> None:
    rows = slice(row, row + len(products))
    best_keys, best_indices = keys[rows], indices[rows]
    _in_threads(
        len(products),
        lambda a, b: _update_heaps(
            products[a:b], column, best_keys[a:b], best_indices[a:b], row + a if same else np.iinfo(np.int64).min
        ),
    )


def _in_threads(n: int, work: Callable[[int, int], object]) -> None:
    """``work(a, b)`` on equal parts of 0..n, one for each of torch's threads. The kernels run without the interpreter's
    lock.
    """
    threads = max(1, min(torch.get_num_threads(), n))
    bounds = np.linspace(0, n, threads + 1).astype(int)
    if threads == 1:
        work(0, n)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, int(a), int(b)) for a, b in pairwise(bounds)]:
            future.result()


@compiled
def _update_heaps(
    products: np.ndarray, first_column: int, keys: np.ndarray, indices: np.ndarray, first_row: int
) -> None:
    """Each row's heap (largest key on top) takes in what is smaller in its row of ``products`` (b, c)."""
    k = keys.shape[1]
    for r in range(products.shape[0]):
        row, heap_keys, heap_indices = products[r], keys[r], indices[r]
        itself = first_row + r - first_column
        for begin in range(0, len(row), 16):
            end = min(begin + 16, len(row))
            smallest = row[begin]
            for c in range(begin + 1, end):  # a loop the compiler turns into vector instructions
                smallest = min(smallest, row[c])
            if smallest >= heap_keys[0]:
                continue
            for c in range(begin, end):
                if row[c] < heap_keys[0] and c != itself:
                    _replace_top(heap_keys, heap_indices, k, row[c], np.int32(first_column + c))


@compiled
def _replace_top(keys: np.ndarray, indices: np.ndarray, k: Integer, key: float, index: Integer) -> None:
    at = 0
    while True:
        below = 2 * at + 1
        if below >= k:
            break
        if below + 1 < k and keys[below + 1] > keys[below]:
            below += 1
        if keys[below] <= key:
            break
        keys[at], indices[at] = keys[below], indices[below]
        at = below
    keys[at], indices[at] = key, index


@compiled
def _sq_distances(queries: np.ndarray, features: np.ndarray, candidates: np.ndarray, out: np.ndarray) -> None:
    for r in range(candidates.shape[0]):
        for c in range(candidates.shape[1]):
            index = candidates[r, c]
            if index < 0:
                out[r, c] = np.inf
                continue
            total = 0.0
            for f in range(queries.shape[1]):
                difference = np.float64(queries[r, f]) - np.float64(features[index, f])
                total += difference * difference
            out[r, c] = total
