"""Exact graph degree linkage in O(n k log n): the merging at the heart of JULE, done sparsely.

Given a directed affinity W (n, n) and initial clusters, the two clusters with the largest affinity

    A(i, j) = U(i->j) / |j|^2 + U(j->i) / |i|^2,     U(i->c) = sum over s in C_i of p_c(s) q_c(s)          (JULE Eq. 1)

merge, again and again, where p_c(s) is the weight from cluster c into image s and q_c(s) the weight from s into c.
Nothing dense is ever formed. The state keeps, for each cluster c,

    samples[c]   image s outside c -> (p_c(s), q_c(s))                     at most two entries for each edge of the
    graph pairs[c]     cluster i -> U(i->c)                                      i is a key of c exactly when c is a key
    of i

and a heap of pairs. A merger moves the smaller sample table into the larger one, so each entry moves O(log n) times. A
pair that a merger does not touch keeps its U while sizes only grow: its key in the heap can only be too large, never
too small. So the first entry whose key is still true is the true maximum, and the merging is exact, not approximate
(jule.md E4, I6).

Ties go to the smaller pair of cluster numbers; a merged cluster keeps the number of the side with the larger table.

Zhang, Wang, Zhao, Tang: Graph degree linkage, ECCV 2012. Yang, Parikh, Batra: JULE, CVPR 2016, supplement, Eqs. 1-9.
"""

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
    release,
    remove,
    reserve,
    reserve_tables,
    shrink_at_top,
)
from coterie.graphs.heap import Heap, heapify, make_heap, pop, push, reserve_heap

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
    _fill_heap(state, _power(update))
    return state


@compiled
def merge(
    state: LinkageState, limit: int, update: int = EXACT, alpha: float = 0.0
) -> tuple[LinkageState, np.ndarray, np.ndarray, np.ndarray]:
    """Merges the best pair up to ``limit`` times; fewer when no two clusters have a positive affinity any more.

    update: EXACT (Eqs. 2-3), SIZE_RATIO (Eq. 7) or CONSTANT_RATIO (Eq. 9, with ``alpha``). Returns (state, merges (m,
    2) int64: the cluster that stays and the one it takes in, affinity (m,) float64, size (m,) int64 of the result).
    """
    merges, affinity, size = np.empty((limit, 2), np.int64), np.empty(limit), np.empty(limit, np.int64)
    done = 0
    while done < limit:
        best, m, n = _pop_best(state, _power(update))
        if best == 0.0:
            break
        # small to large: the cluster with the larger table stays
        tables = state.samples if update == EXACT else state.pairs
        if tables.entries[m] < tables.entries[n]:
            m, n = n, m
        n_touched: Integer = np.int64(0)
        if update == EXACT:
            state = _with_room_for_samples(state, m, n)
            n_touched = _absorb_samples(state, m, n)
        _absorb_members(state, m, n)
        state = _with_room_for_pairs(state, m, n, n_touched)
        n_touched = _absorb_pairs(state, m, n, n_touched)
        if update == CONSTANT_RATIO and alpha != 0.0:
            n_touched = _scale_incoming(state, m, 1.0 + alpha, n_touched)
        _push_touched(state, m, n_touched, _power(update))
        merges[done, 0], merges[done, 1] = m, n
        affinity[done], size[done] = best, np.int64(state.size[m])
        done += 1
    return state, merges[:done], affinity[:done], size[:done]


@compiled
def _power(update: Integer) -> Integer:
    """U is divided by |c|^2; under the size-ratio rule the table holds V = |c| A instead, divided by |c|."""
    return 1 if update == SIZE_RATIO else 2


@compiled
def affinity_between(state: LinkageState, i: Integer, j: Integer, power: Integer) -> float:
    """A(i, j) of two clusters (Eq. 1), from the tables."""
    to_j, to_i = find(state.pairs, j, i), find(state.pairs, i, j)
    if to_j < 0 or to_i < 0:
        return 0.0
    return state.pairs.values[to_j, 0] / state.size[j] ** power + state.pairs.values[to_i, 0] / state.size[i] ** power


@compiled
def cluster_of(state: LinkageState, s: Integer) -> Integer:
    """The cluster that image ``s`` belongs to now."""
    return state.cluster_of_group[state.group[s]]


@compiled
def _pop_best(state: LinkageState, power: Integer) -> tuple[float, Integer, Integer]:
    """(affinity, cluster, cluster) of the best pair; affinity 0 when none is positive. Stale keys are upper bounds
    (I6).
    """
    heap = state.heap
    while heap.size[0] > 0:
        key, pair = pop(heap)
        i, j = pair >> 32, pair & 0xFFFFFFFF
        if state.size[i] == 0.0 or state.size[j] == 0.0:
            continue
        affinity = affinity_between(state, i, j, power)
        if affinity == key:
            return key, i, j
        # a larger true value was pushed when the pair was touched, so only a smaller one needs its place
        if 0.0 < affinity < key:
            push(heap, affinity, pair)
    return 0.0, np.int64(-1), np.int64(-1)


@compiled
def _touch(state: LinkageState, i: Integer, n_touched: Integer) -> Integer:
    if not state.is_touched[i]:
        state.is_touched[i] = True
        state.touched[n_touched] = i
        n_touched += 1
    return n_touched


@compiled
def _absorb_samples(state: LinkageState, m: Integer, n: Integer) -> Integer:
    """Moves samples[n] into samples[m], collects the cross terms X_i of Eq. 3; returns how many clusters they touch."""
    samples = state.samples
    n_touched: Integer = np.int64(0)
    start = samples.start[n]
    stop = start + (np.int64(1) << samples.bits[n]) if samples.bits[n] > 0 else start
    for index in range(start, stop):
        s = samples.keys[index]
        if s == EMPTY:
            continue
        i = cluster_of(state, s)
        if i == m:
            continue  # inside the merged cluster from now on
        p, q = samples.values[index, 0], samples.values[index, 1]
        into = find_or_add(samples, m, s)
        p_m, q_m = samples.values[into, 0], samples.values[into, 1]
        x = p_m * q + p * q_m
        if x > 0.0:
            state.cross[i] += x
            n_touched = _touch(state, i, n_touched)
        samples.values[into, 0], samples.values[into, 1] = p_m + p, q_m + q
    _forget_inner_samples(state, m, n)
    release(samples, n)
    return n_touched


@compiled
def _forget_inner_samples(state: LinkageState, m: Integer, n: Integer) -> None:
    """Takes the members of ``n`` out of samples[m], through the shorter of the two lists."""
    samples = state.samples
    if samples.bits[m] == 0:
        return
    capacity = np.int64(1) << samples.bits[m]
    if state.size[n] <= capacity:
        s = state.head[n]
        while s >= 0:
            remove(samples, m, np.int32(s))
            s = state.following[s]
        return
    inner = np.empty(samples.entries[m], np.int32)
    found = 0
    for index in range(samples.start[m], samples.start[m] + capacity):
        s = samples.keys[index]
        if s != EMPTY and cluster_of(state, s) == n:
            inner[found] = s
            found += 1
    for s in inner[:found]:
        remove(samples, m, s)


@compiled
def _absorb_members(state: LinkageState, m: Integer, n: Integer) -> None:
    """Joins the member lists and relabels the smaller side."""
    group_m, group_n = state.group_of_cluster[m], state.group_of_cluster[n]
    if state.size[n] > state.size[m]:
        _relabel(state, m, group_n)
        state.group_of_cluster[m] = group_n
        state.cluster_of_group[group_n] = m
    else:
        _relabel(state, n, group_m)
    state.following[state.tail[m]] = state.head[n]
    state.tail[m] = state.tail[n]
    state.size[m] += state.size[n]
    state.size[n] = 0.0


@compiled
def _relabel(state: LinkageState, cluster: Integer, group: Integer) -> None:
    s = state.head[cluster]
    while s >= 0:
        state.group[s] = group
        s = state.following[s]


@compiled
def _absorb_pairs(state: LinkageState, m: Integer, n: Integer, n_touched: Integer) -> Integer:
    """U(m->i), U(i->m) of the merged cluster: sums (Eq. 2), plus the cross terms (Eq. 3), which may make new pairs."""
    pairs = state.pairs
    for t in range(n_touched):
        i = state.touched[t]
        pairs.values[find_or_add(pairs, m, np.int32(i)), 0] += state.cross[i]
        find_or_add(pairs, i, np.int32(m))
        state.cross[i] = 0.0
    remove(pairs, m, np.int32(n))
    start = pairs.start[n]
    stop = start + (np.int64(1) << pairs.bits[n]) if pairs.bits[n] > 0 else start
    for index in range(start, stop):
        i = pairs.keys[index]
        if i == EMPTY or i == m:  # noqa: PLR1714, SIM109 (numba has no `in` for mixed integers)
            continue
        pairs.values[find_or_add(pairs, m, i), 0] += pairs.values[index, 0]
        outgoing = pairs.values[find(pairs, i, np.int32(n)), 0]
        remove(pairs, i, np.int32(n))
        pairs.values[find_or_add(pairs, i, np.int32(m)), 0] += outgoing
        n_touched = _touch(state, i, n_touched)
    release(pairs, n)
    return n_touched


@compiled
def _scale_incoming(state: LinkageState, m: Integer, factor: float, n_touched: Integer) -> Integer:
    """Eq. 9: every U(i->m) times 1 + alpha. Affinities may rise, so all of them get a fresh key."""
    pairs = state.pairs
    if pairs.bits[m] == 0:
        return n_touched
    for index in range(pairs.start[m], pairs.start[m] + (np.int64(1) << pairs.bits[m])):
        if pairs.keys[index] != EMPTY:
            pairs.values[index, 0] *= factor
            n_touched = _touch(state, np.int64(pairs.keys[index]), n_touched)
    return n_touched


@compiled
def _push_touched(state: LinkageState, m: Integer, n_touched: Integer, power: Integer) -> None:
    for t in range(n_touched):
        i = state.touched[t]
        state.is_touched[i] = False
        affinity = affinity_between(state, i, m, power)
        if affinity > 0.0:
            push(state.heap, affinity, (min(i, m) << 32) | max(i, m))


@compiled
def _with_room_for_samples(state: LinkageState, m: Integer, n: Integer) -> LinkageState:
    samples = reserve(state.samples, m, state.samples.entries[n])
    return _replaced(state, samples, state.pairs, state.heap)


@compiled
def _with_room_for_pairs(state: LinkageState, m: Integer, n: Integer, n_touched: Integer) -> LinkageState:
    """Room for pairs[n] and the new pairs of the cross terms in pairs[m], for m in theirs, and for all fresh keys."""
    pairs = reserve(state.pairs, m, state.pairs.entries[n] + n_touched)
    for t in range(n_touched):
        pairs = reserve(pairs, state.touched[t], 1)
    heap = reserve_heap(state.heap, pairs.entries[n] + pairs.entries[m] + n_touched)
    return _replaced(state, state.samples, pairs, heap)


@compiled
def _replaced(state: LinkageState, samples: Tables, pairs: Tables, heap: Heap) -> LinkageState:
    return LinkageState(
        samples, pairs, heap, state.size, state.group, state.cluster_of_group, state.group_of_cluster,
        state.head, state.tail, state.following, state.cross, state.touched, state.is_touched,
    )  # fmt: skip


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
def _fill_heap(state: LinkageState, power: Integer) -> None:
    heap, pairs = state.heap, state.pairs
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
