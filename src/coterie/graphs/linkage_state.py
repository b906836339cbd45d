"""What the linkage keeps while it merges, and how it is built from a graph; see ``linkage_kernel`` for the idea."""

from typing import NamedTuple

import numpy as np

from coterie.graphs.compiled import Integer, compiled
from coterie.graphs.hash_tables import (
    EMPTY,
    Tables,
    find,
    find_or_add,
    make_tables,
    place_at_top,
    reserve_tables,
    shrink_at_top,
)
from coterie.graphs.heap import Heap, heapify, make_heap

EXACT, SIZE_RATIO, CONSTANT_RATIO = 0, 1, 2


class LinkageState(NamedTuple):
    """The clusters of the moment, for ``n`` images and ``c`` initial clusters.

    Members are linked lists, so that two clusters join in O(1). An image knows its group and a group its cluster, so
    that only the smaller side of a merger is relabelled.
    """

    samples: Tables
    pairs: Tables
    heap: Heap
    size: np.ndarray  # (c,) float64 images in each cluster, 0 once it is merged away
    group: np.ndarray  # (n,) int32
    cluster_of_group: np.ndarray  # (c,) int64
    group_of_cluster: np.ndarray  # (c,) int64
    head: np.ndarray  # (c,) int64 first member
    tail: np.ndarray  # (c,) int64 last member
    following: np.ndarray  # (n,) int64 next member of the same cluster, -1 at the end
    cross: np.ndarray  # (c,) float64 scratch: the cross term X_i of Eq. 3
    touched: np.ndarray  # (c,) int64 scratch: clusters whose affinity to the merged one has to be looked at
    is_touched: np.ndarray  # (c,) bool scratch


def start(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, update: int = EXACT
) -> LinkageState:
    """The state before the first merger.

    indptr (n + 1,), indices (e,), weights (e,): W as compressed rows, weights >= 0; labels (n,): initial clusters
    0..c-1, none empty; update: EXACT, SIZE_RATIO or CONSTANT_RATIO, the same as for ``merge``.
    """
    c = int(labels.max()) + 1
    group = labels.astype(np.int32)
    head, tail, following = _link_members(group, c)
    samples = reserve_tables(_count_crossing(indptr, indices, weights, group, c), width=2)
    incoming = _transposed(indptr, indices, weights)
    _fill_samples(samples, indptr, indices, weights, *incoming, group, head, following)
    del incoming
    pairs = make_tables(_count_pairs(samples, group), width=1)
    _fill_pairs(pairs, samples, group)
    size = np.bincount(labels, minlength=c).astype(np.float64)
    if update == SIZE_RATIO:
        _divide_by_size(pairs, size)
    heap = make_heap(int(pairs.entries.sum()) * 3 // 4)
    state = LinkageState(
        samples, pairs, heap, size, group, np.arange(c), np.arange(c), head, tail, following,
        np.zeros(c), np.empty(c, np.int64), np.zeros(c, np.bool_),
    )  # fmt: skip
    fill_heap(state, power_of(update))
    return state


@compiled
def power_of(update: Integer) -> Integer:
    """U is divided by |c|^2; under the size-ratio rule the table holds V = |c| A instead, divided by |c|."""
    return 1 if update == SIZE_RATIO else 2


@compiled
def affinity_between(state: LinkageState, i: Integer, j: Integer, power: Integer) -> float:
    """A(i, j) of two clusters (Eq. 1), from the tables."""
    to_j, to_i = find(state.pairs, j, i), find(state.pairs, i, j)
    if to_j < 0 or to_i < 0:
        return 0.0
    u_j, u_i, size_j, size_i = state.pairs.values[to_j, 0], state.pairs.values[to_i, 0], state.size[j], state.size[i]
    if power == 1:
        return u_j / size_j + u_i / size_i
    return u_j / (size_j * size_j) + u_i / (size_i * size_i)


@compiled
def _count_crossing(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, c: int
) -> np.ndarray:
    """(c,) edges between clusters that begin or end in each cluster: an upper bound of its sample table."""
    count = np.zeros(c, np.int64)
    for s in range(len(indptr) - 1):
        for e in range(indptr[s], indptr[s + 1]):
            if labels[s] != labels[indices[e]] and weights[e] > 0.0:
                count[labels[s]] += 1
                count[labels[indices[e]]] += 1
    return count


@compiled
def _transposed(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The edges into each image: (indptr (n + 1,), sources (e,) int32, weights (e,))."""
    n = len(indptr) - 1
    starts = np.zeros(n + 1, np.int64)
    for e in range(len(indices)):
        starts[indices[e] + 1] += 1
    for s in range(n):
        starts[s + 1] += starts[s]
    at = starts[:-1].copy()
    sources, heavy = np.empty(len(indices), np.int32), np.empty(len(indices))
    for s in range(n):
        for e in range(indptr[s], indptr[s + 1]):
            t = indices[e]
            sources[at[t]], heavy[at[t]] = s, weights[e]
            at[t] += 1
    return starts, sources, heavy


@compiled
def _fill_samples(
    samples: Tables,
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    starts: np.ndarray,
    sources: np.ndarray,
    incoming: np.ndarray,
    labels: np.ndarray,
    head: np.ndarray,
    following: np.ndarray,
) -> None:
    """Edge s->t of weight w adds w to p of cluster(s) at t, and to q of cluster(t) at s. One cluster after the other,
    so that its table stays in the cache; then the table shrinks to what it holds.
    """
    for c in range(len(head)):
        if samples.bits[c] == 0:
            continue
        place_at_top(samples, c)
        s = head[c]
        while s >= 0:
            for e in range(indptr[s], indptr[s + 1]):
                if labels[indices[e]] != c and weights[e] > 0.0:
                    samples.values[find_or_add(samples, c, np.int32(indices[e])), 0] += weights[e]
            for e in range(starts[s], starts[s + 1]):
                if labels[sources[e]] != c and incoming[e] > 0.0:
                    samples.values[find_or_add(samples, c, sources[e]), 1] += incoming[e]
            s = following[s]
        shrink_at_top(samples, c)


@compiled
def _count_pairs(samples: Tables, labels: np.ndarray) -> np.ndarray:
    count = np.zeros(len(samples.entries), np.int64)
    for c in range(len(samples.entries)):
        if samples.bits[c] == 0:
            continue
        for index in range(samples.start[c], samples.start[c] + (np.int64(1) << samples.bits[c])):
            if samples.keys[index] != EMPTY and samples.values[index, 0] * samples.values[index, 1] > 0.0:
                count[c] += 1
                count[labels[samples.keys[index]]] += 1
    return count


@compiled
def _fill_pairs(pairs: Tables, samples: Tables, labels: np.ndarray) -> None:
    for c in range(len(samples.entries)):
        if samples.bits[c] == 0:
            continue
        for index in range(samples.start[c], samples.start[c] + (np.int64(1) << samples.bits[c])):
            u = samples.values[index, 0] * samples.values[index, 1]
            if samples.keys[index] != EMPTY and u > 0.0:
                i = labels[samples.keys[index]]
                pairs.values[find_or_add(pairs, c, i), 0] += u
                find_or_add(pairs, i, np.int32(c))


@compiled
def _divide_by_size(pairs: Tables, size: np.ndarray) -> None:
    """U -> V = |c| A, which is additive under the size-ratio rule (Eq. 7)."""
    for c in range(len(size)):
        if pairs.bits[c] > 0:
            pairs.values[pairs.start[c] : pairs.start[c] + (np.int64(1) << pairs.bits[c]), 0] /= size[c]


@compiled
def _link_members(labels: np.ndarray, c: Integer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    head, tail = np.full(c, -1, np.int64), np.full(c, -1, np.int64)
    following = np.full(len(labels), -1, np.int64)
    for s in range(len(labels)):
        if head[labels[s]] < 0:
            head[labels[s]] = s
        else:
            following[tail[labels[s]]] = s
        tail[labels[s]] = s
    return head, tail, following


@compiled
def fill_heap(state: LinkageState, power: Integer) -> None:
    """Makes the heap, which must have room for them, one of all pairs with a positive affinity."""
    heap, pairs = state.heap, state.pairs
    heap.size[0] = 0
    for j in range(len(state.size)):
        if pairs.bits[j] == 0:
            continue
        for index in range(pairs.start[j], pairs.start[j] + (np.int64(1) << pairs.bits[j])):
            i = np.int64(pairs.keys[index])
            if i != EMPTY and i < j:
                affinity = affinity_between(state, i, j, power)
                if affinity > 0.0:
                    heap.keys[heap.size[0]], heap.pairs[heap.size[0]] = affinity, (i << 32) | j
                    heap.size[0] += 1
    heapify(heap)
