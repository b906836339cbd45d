"""Exact nearest neighbours, memory bounded: blocks of a matrix product, and the best of each row kept in a heap.

Candidates come from float32 products, whose differences lose digits on near-equal rows. So the features are centred and
scaled first, a few more candidates than asked for are kept and ranked again by their true squared distance in float64,
and a row whose rounding error could hide a nearer neighbour is searched once more in float64. Ties among the candidates
go to the smaller index. An image is never its own neighbour: it is left out by its index, not by a distance of zero, so
exact duplicates are neighbours of each other.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from coterie.errors import ConfigError
from coterie.graphs.best_k import empty_heaps, keep_best_of_columns, keep_best_of_rows
from coterie.graphs.compiled import compiled

SPARE = 8  # candidates beyond the asked ones, so that a rounding error of float32 cannot push a true neighbour out
ROWS, COLUMNS = 1024, 8192  # a block of products of two different sets: 32 MB
SIDE = 1024  # a block of products of a set with itself: 4 MB, which stays in the cache while it is scanned twice


class Neighbors(NamedTuple):
    """indices (n, k) int64, nearest first; sq_distances (n, k) float64, squared Euclidean; recall: share of the true
    neighbours found (1.0 for exact search, measured on a sample otherwise)."""

    indices: np.ndarray
    sq_distances: np.ndarray
    recall: float = 1.0


def nearest_neighbors(features: np.ndarray, n_neighbors: int, *, device: str = "cpu") -> Neighbors:
    """The ``n_neighbors`` nearest other rows of each row of ``features`` (n, d) float32, by Euclidean distance,
    exactly.

    ``n_neighbors`` is clipped to n - 1. Cost: n^2 d multiplications; memory: 2 n k, a
    copy of the features, and blocks of 4 MB.
    """
    features = checked_features(features)
    if len(features) < 2 or n_neighbors < 1:
        raise ConfigError(f"{n_neighbors} neighbours in {len(features)} images; there must be at least 1 in at least 2")
    return _search(features, features, min(n_neighbors, len(features) - 1), np.arange(len(features)), device)


def search(queries: np.ndarray, features: np.ndarray, n_neighbors: int, *, device: str = "cpu") -> Neighbors:
    """The ``n_neighbors`` rows of ``features`` (n, d) nearest to each row of ``queries`` (m, d). Clipped to n."""
    queries, features = checked_features(queries), checked_features(features)
    if queries.shape[1] != features.shape[1]:
        raise ConfigError(
            f"the new images have {queries.shape[1]} features and the model was fitted on {features.shape[1]}; "
            "describe both in the same way"
        )
    return _search(queries, features, min(n_neighbors, len(features)), np.full(len(queries), -1), device)


def rank(queries: np.ndarray, features: np.ndarray, candidates: np.ndarray, n_neighbors: int) -> Neighbors:
    """The best ``n_neighbors`` of ``candidates`` (m, c) int, row indices into ``features``, by true squared distance.

    -1 marks a missing candidate; rows with too few keep -1 and an infinite distance at their end.
    """
    distances = np.empty(candidates.shape, np.float64)
    candidates = candidates.astype(np.int64, copy=False)
    _in_threads(len(queries), lambda a, b: _sq_distances(queries[a:b], features, candidates[a:b], distances[a:b]))
    order = np.lexsort((candidates, distances), axis=1)[:, :n_neighbors]
    return Neighbors(np.take_along_axis(candidates, order, 1), np.take_along_axis(distances, order, 1))


def checked_features(features: np.ndarray) -> np.ndarray:
    """``features`` (n, d) as float32 that torch may share; ConfigError naming the rows with NaN or infinity."""
    features = np.require(features, np.float32, ["C", "W"])
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ConfigError(
            f"{len(bad)} rows of the features are not finite (first: {', '.join(map(str, bad[:5]))}); "
            "remove or repair those images"
        )
    return features


class _Frame(NamedTuple):
    """Features are multiplied by ``scale``, a power of two, and moved by ``shift`` (d,) before the products, so that
    float32 has digits left for their differences: distances do not depend on where the origin lies."""

    scale: float
    shift: torch.Tensor

    def of(self, rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return rows.to(dtype, copy=True).mul_(self.scale).sub_(self.shift)


def _search(queries: np.ndarray, features: np.ndarray, k: int, itself: np.ndarray, device: str) -> Neighbors:
    """itself (m,): the row of ``features`` that each query is, and which does not count; -1 for none."""
    left, right = torch.from_numpy(queries).to(device), torch.from_numpy(features).to(device)
    frame = _frame(queries, features, device)
    among = bool(itself[0] >= 0)  # not "queries is features": a caller may search a set in itself, itself included
    others = len(features) - int(among)
    kept = min(k + SPARE, others)
    if among:
        keys, indices = _candidates_among(right, frame, kept)
    elif len(left) > ROWS and device == "cpu":
        keys, indices = _candidates_of_many(left, right, frame, kept)
    else:
        keys, indices = _candidates(left, right, frame, itself, kept, torch.float32)
    neighbors = rank(queries, features, indices, k)
    if kept < others:
        doubtful = np.flatnonzero(~_is_sure(left, frame, neighbors, keys[:, 0]))
        if len(doubtful):
            if device == "mps":  # which has no float64
                left, right, frame = left.cpu(), right.cpu(), frame._replace(shift=frame.shift.cpu())
            _, indices = _candidates(left[doubtful], right, frame, itself[doubtful], kept, torch.float64)
            again = rank(queries[doubtful], features, indices, k)
            neighbors.indices[doubtful], neighbors.sq_distances[doubtful] = again.indices, again.sq_distances
    return neighbors


def _frame(queries: np.ndarray, features: np.ndarray, device: str) -> _Frame:
    largest = max(float(abs(bound)) for rows in (queries, features) for bound in (rows.min(), rows.max()))
    scale = 2.0 ** -max(int(np.frexp(largest)[1]), -120)  # products then stay far from the ends of float32
    sample = features[:: len(features) // 1000 + 1]
    return _Frame(scale, torch.from_numpy(np.median(sample, axis=0) * scale).to(device, torch.float32))


def _candidates(
    left: torch.Tensor, right: torch.Tensor, frame: _Frame, itself: np.ndarray, kept: int, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """(keys, indices), each (m, kept): the rows of ``right`` with the smallest keys |y|^2 / 2 - x.y, as heaps with the
    largest key on top. The keys rank the columns of a row as the squared distance does."""
    keys, indices = empty_heaps(len(left), kept, np.float32 if dtype == torch.float32 else np.float64)
    for column in range(0, len(right), COLUMNS):
        block = frame.of(right[column : column + COLUMNS], dtype)
        half_norms = ((block * block).sum(1) / 2).cpu().numpy()
        for row in range(0, len(left), ROWS):
            products = torch.mm(frame.of(left[row : row + ROWS], dtype).neg_(), block.T).cpu().numpy()
            at = slice(row, row + len(products))
            heaps, own = (keys[at], indices[at]), itself[at]
            work = partial(_scan_rows, products, half_norms, column, heaps, own)
            _in_threads(len(products), work)
    return keys, indices


def _scan_rows(
    products: np.ndarray, half_norms: np.ndarray, column: int, heaps: tuple[np.ndarray, np.ndarray], itself: np.ndarray,
    begin: int, end: int,
) -> None:  # fmt: skip
    keys, indices = heaps
    part = slice(begin, end)
    keep_best_of_rows(products[part], half_norms, column, keys[part], indices[part], itself[part])


def _candidates_of_many(
    left: torch.Tensor, right: torch.Tensor, frame: _Frame, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """``_candidates`` of rows that are not among ``right``. Each thread takes blocks of rows through all columns,
    without waiting for others, in products that stay in its cache: a third of the time.
    """
    keys, indices = empty_heaps(len(left), kept, np.float32)
    framed = frame.of(right, torch.float32)
    half_norms = ((framed * framed).sum(1) / 2).numpy()
    nobody = np.full(SIDE, -1)

    def work(row: int) -> None:
        rows = frame.of(left[row : row + SIDE], torch.float32).neg_()
        at = slice(row, row + len(rows))
        for column in range(0, len(right), SIDE):
            block = torch.mm(rows, framed[column : column + SIDE].T).numpy()
            keep_best_of_rows(
                block, half_norms[column : column + SIDE], column, keys[at], indices[at], nobody[: len(rows)]
            )

    with ThreadPoolExecutor(torch.get_num_threads()) as pool, _one_thread_each():
        list(pool.map(work, range(0, len(left), SIDE)))
    return keys, indices


def _candidates_among(rows: torch.Tensor, frame: _Frame, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """``_candidates`` of all rows among each other, at half the products: a block serves its rows and, as its own
    transpose, its columns. Each thread works on blocks of its own, one after the other, without waiting for others.
    """
    n = len(rows)
    keys, indices = empty_heaps(n, kept, np.float32)
    framed = frame.of(rows, torch.float32)
    half_norms = ((framed * framed).sum(1) / 2).cpu().numpy()
    itself = np.arange(n)

    def work(pair: tuple[int, int]) -> None:
        a, b = (slice(start, start + SIDE) for start in pair)
        block = torch.mm(-framed[a], framed[b].T).cpu().numpy()
        keep_best_of_rows(block, half_norms[b], b.start, keys[a], indices[a], itself[a])
        if a != b:
            keep_best_of_columns(block, half_norms[a], a.start, keys[b], indices[b], 0, block.shape[1])

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as pool, _one_thread_each():
        for pairs in _disjoint_pairs(-(-n // SIDE)):
            list(pool.map(work, [(SIDE * i, SIDE * j) for i, j in pairs]))
    return keys, indices


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """torch on one thread, while there is a thread of ours for each core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _disjoint_pairs(count: int) -> Iterator[list[tuple[int, int]]]:
    """All pairs i <= j of ``count`` blocks, in lists of equal i + j, in which no block stands twice. Over the lists
    every block meets the others in ascending order, however many threads there are: among equals the smaller index
    comes first.
    """
    for total in range(2 * count - 1):
        yield [(i, total - i) for i in range(max(0, total - count + 1), total // 2 + 1)]


def _is_sure(left: torch.Tensor, frame: _Frame, neighbors: Neighbors, worst: np.ndarray) -> np.ndarray:
    """(m,) bool: no row that was left out, whose key is at least ``worst`` (m,), can be nearer than the last neighbour.

    A row as near as that lies at most ``reach`` from the origin, which bounds the rounding error of its key.
    """
    blocks = [frame.of(left[row : row + ROWS], torch.float32).norm(dim=1) for row in range(0, len(left), ROWS)]
    own = torch.cat(blocks).cpu().numpy().astype(np.float64)
    last = neighbors.sq_distances[:, -1] * frame.scale**2
    reach = own + np.sqrt(last)
    # rounding errors of a sum of d terms grow as the root of d; measured up to d = 1,280, they stay below a third of it
    error = (np.sqrt(left.shape[1]) + 4) * 2.0**-24 * reach * (own + reach / 2)
    sure: np.ndarray = (last == 0) | (worst - error >= (last - own**2) / 2)
    return sure


def _in_threads(n: int, work: Callable[[int, int], object]) -> None:
    """``work(a, b)`` on equal parts of 0..n, one for each of torch's threads. The kernels run without the interpreter's
    lock.
    """
    parts = _parts(n, torch.get_num_threads())
    if len(parts) == 1:
        work(0, n)
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        for future in [pool.submit(work, a, b) for a, b in parts]:
            future.result()


def _parts(n: int, count: int) -> list[tuple[int, int]]:
    """0..n in at most ``count`` equal parts (begin, end)."""
    bounds = np.linspace(0, n, max(1, min(count, n)) + 1).astype(int).tolist()
    return list(pairwise(bounds))


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
