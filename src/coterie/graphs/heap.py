"""A binary heap of (affinity, pair): largest affinity first, ties by the smaller pair of ids."""

from typing import NamedTuple

import numpy as np

from coterie.graphs.compiled import Integer, compiled


class Heap(NamedTuple):
    """keys (capacity,) float64 affinities; pairs (capacity,) int64 as ``smaller id << 32 | larger id``; size (1,)
    int64.
    """

    keys: np.ndarray
    pairs: np.ndarray
    size: np.ndarray


def make_heap(capacity: int) -> Heap:
    """An empty heap."""
    return Heap(np.empty(max(capacity, 16)), np.empty(max(capacity, 16), np.int64), np.zeros(1, np.int64))


@compiled
def reserve_heap(heap: Heap, extra: Integer) -> Heap:
    """``heap`` with room for ``extra`` more entries; may be a larger copy."""
    need = heap.size[0] + extra
    if need <= len(heap.keys):
        return heap
    capacity = max(need, len(heap.keys) + len(heap.keys) // 2)
    keys, pairs = np.empty(capacity), np.empty(capacity, np.int64)
    keys[: heap.size[0]] = heap.keys[: heap.size[0]]
    pairs[: heap.size[0]] = heap.pairs[: heap.size[0]]
    return Heap(keys, pairs, heap.size)


@compiled
def push(heap: Heap, key: float, pair: Integer) -> None:
    """Adds an entry; the heap must have room (``reserve_heap``)."""
    at = heap.size[0]
    heap.size[0] += 1
    while at > 0:
        above = (at - 1) >> 1
        if not _before(key, pair, heap.keys[above], heap.pairs[above]):
            break
        heap.keys[at], heap.pairs[at] = heap.keys[above], heap.pairs[above]
        at = above
    heap.keys[at], heap.pairs[at] = key, pair


@compiled
def pop(heap: Heap) -> tuple[float, Integer]:
    """The first entry, taken out: (affinity, pair). The heap must not be empty."""
    key, pair = heap.keys[0], heap.pairs[0]
    heap.size[0] -= 1
    if heap.size[0] > 0:
        _sift_down(heap, np.int64(0), heap.keys[heap.size[0]], heap.pairs[heap.size[0]])
    return key, pair


@compiled
def heapify(heap: Heap) -> None:
    """Orders the first ``size`` entries, written in any order, in linear time."""
    for at in range(heap.size[0] // 2 - 1, -1, -1):
        _sift_down(heap, np.int64(at), heap.keys[at], heap.pairs[at])


@compiled
def _sift_down(heap: Heap, at: Integer, key: float, pair: Integer) -> None:
    size = heap.size[0]
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and _before(
            heap.keys[below + 1], heap.pairs[below + 1], heap.keys[below], heap.pairs[below]
        ):
            below += 1
        if not _before(heap.keys[below], heap.pairs[below], key, pair):
            break
        heap.keys[at], heap.pairs[at] = heap.keys[below], heap.pairs[below]
        at = below
    heap.keys[at], heap.pairs[at] = key, pair


@compiled
def _before(key: float, pair: Integer, other_key: float, other_pair: Integer) -> bool | np.bool[bool]:
    return key > other_key or (key == other_key and pair < other_pair)
