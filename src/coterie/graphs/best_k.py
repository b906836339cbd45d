"""The k smallest of each row of a matrix that is never whole: blocks of it come by, and a heap per row keeps the best.

Most blocks hold nothing new for most rows, so the loops first ask, 64 numbers at a time and in vector instructions,
whether any is small enough, and only then look at each.
"""

import numpy as np

from coterie.graphs.compiled import Integer, compiled

WIDTH = 64


def empty_heaps(rows: int, k: int, dtype: type[np.floating]) -> tuple[np.ndarray, np.ndarray]:
    """keys (rows, k), all infinite, and indices (rows, k) int32, all -1: heaps with the largest key on top."""
    return np.full((rows, k), np.inf, dtype), np.full((rows, k), -1, np.int32)


@compiled
def keep_best_of_rows(
    block: np.ndarray, offsets: np.ndarray, first: Integer, keys: np.ndarray, indices: np.ndarray, itself: np.ndarray
) -> None:
    """The heap of each row takes in ``block`` (b, c) + ``offsets`` (c,); column 0 is index ``first``. itself (b,): the
    index that a row does not take, -1 for none.
    """
    for r in range(block.shape[0]):
        heap_keys, heap_indices = keys[r], indices[r]
        own = itself[r] - first
        for begin in range(0, block.shape[1], WIDTH):
            numbers, shift = block[r, begin : begin + WIDTH], offsets[begin : begin + WIDTH]
            top, small = heap_keys[0], np.int32(0)
            for c in range(len(numbers)):
                small = np.int32(small + np.int32(numbers[c] + shift[c] < top))
            if small == 0:
                continue
            for c in range(len(numbers)):
                key = numbers[c] + shift[c]
                if key < heap_keys[0] and begin + c != own:
                    _replace_top(heap_keys, heap_indices, key, np.int32(first + begin + c))


@compiled
def keep_best_of_columns(
    block: np.ndarray,
    offsets: np.ndarray,
    first: Integer,
    keys: np.ndarray,
    indices: np.ndarray,
    begin: Integer,
    end: Integer,
) -> None:
    """The heaps of the columns ``begin`` to ``end`` take in ``block`` (b, c) + ``offsets`` (b,); row 0 is index
    ``first``.
    """
    tops = keys[begin:end, 0].copy()
    for r in range(block.shape[0]):
        shift = offsets[r]
        for start in range(begin, end, WIDTH):
            numbers = block[r, start : min(start + WIDTH, end)]
            limits = tops[start - begin : start - begin + len(numbers)]
            small = np.int32(0)
            for c in range(len(numbers)):
                small = np.int32(small + np.int32(numbers[c] + shift < limits[c]))
            if small == 0:
                continue
            for c in range(len(numbers)):
                key = numbers[c] + shift
                if key < limits[c]:
                    _replace_top(keys[start + c], indices[start + c], key, np.int32(first + r))
                    limits[c] = keys[start + c, 0]


@compiled
def _replace_top(keys: np.ndarray, indices: np.ndarray, key: float, index: Integer) -> None:
    at = 0
    while True:
        below = 2 * at + 1
        if below >= len(keys):
            break
        if below + 1 < len(keys) and keys[below + 1] > keys[below]:
            below += 1
        if keys[below] <= key:
            break
        keys[at], indices[at] = keys[below], indices[below]
        at = below
    keys[at], indices[at] = key, index
