"""The heap of pairs beside heapq."""

import heapq

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.heap import Heap, heapify, make_heap, pop, push, reserve_heap

# few distinct affinities, so that ties are common
affinities = st.one_of(st.sampled_from([0.25, 0.5, 1.0]), st.floats(1e-300, 1e300))
pairs = st.tuples(st.integers(0, 9), st.integers(10, 2**31 - 1)).map(lambda ids: ids[0] << 32 | ids[1])
entries = st.lists(st.tuples(affinities, pairs), max_size=80)


def drained(heap: Heap) -> list[tuple[float, int]]:
    return [pop(heap) for _ in range(int(heap.size[0]))]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.tuples(affinities, pairs)), max_size=120))
def test_pushes_and_pops_in_any_order_give_what_heapq_gives(steps: list[tuple[float, int] | None]) -> None:
    heap, known = make_heap(4), []
    for step in steps:
        if step is not None:
            heap = reserve_heap(heap, 1)
            push(heap, *step)
            heapq.heappush(known, (-step[0], step[1]))
        elif known:
            key, pair = heapq.heappop(known)
            assert pop(heap) == (-key, pair)
    assert drained(heap) == [(-key, pair) for key, pair in sorted(known)]


@settings(deadline=None)
@given(entries)
def test_entries_written_in_any_order_come_out_in_order_after_heapify(written: list[tuple[float, int]]) -> None:
    heap = make_heap(len(written))
    for at, (key, pair) in enumerate(written):
        heap.keys[at], heap.pairs[at] = key, pair
    heap.size[0] = len(written)
    heapify(heap)
    assert drained(heap) == sorted(written, key=lambda entry: (-entry[0], entry[1]))


def test_a_heap_that_grows_keeps_its_entries() -> None:
    heap = make_heap(0)
    for number in np.random.default_rng(0).permutation(500).tolist():
        heap = reserve_heap(heap, 1)
        push(heap, float(number), number)
    assert drained(heap) == [(float(number), number) for number in range(499, -1, -1)]
