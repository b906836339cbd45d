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

import numpy as np

from coterie.graphs.compiled import Integer, compiled
from coterie.graphs.hash_tables import EMPTY, Tables, find, find_or_add, release, remove, remove_at, reserve
from coterie.graphs.heap import Heap, pop, push, reserve_heap
from coterie.graphs.linkage_state import (
    CONSTANT_RATIO,
    EXACT,
    SIZE_RATIO,
    LinkageState,
    affinity_between,
    power_of,
    start,
)

__all__ = ["CONSTANT_RATIO", "EXACT", "SIZE_RATIO", "LinkageState", "merge", "start"]


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
        best, m, n = _pop_best(state, power_of(update))
        if best == 0.0:
            break
        state, m, n, n_touched = absorb(state, m, n, update, alpha)
        _push_touched(state, m, n_touched, power_of(update))
        merges[done, 0], merges[done, 1] = m, n
        affinity[done], size[done] = best, np.int64(state.size[m])
        done += 1
    return state, merges[:done], affinity[:done], size[:done]


@compiled
def absorb(
    state: LinkageState, m: Integer, n: Integer, update: int, alpha: float
) -> tuple[LinkageState, Integer, Integer, Integer]:
    """Merges two clusters: (state, the one that stays, the one it took in, how many of ``touched`` have another
    affinity to it now). Who calls it clears ``is_touched`` of those.
    """
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
    return state, m, n, n_touched


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
        at = find(pairs, i, np.int32(n))
        outgoing = pairs.values[at, 0]
        remove_at(pairs, i, at)
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
def with_heap(state: LinkageState, heap: Heap) -> LinkageState:
    """The state with another heap."""
    return _replaced(state, state.samples, state.pairs, heap)


@compiled
def _replaced(state: LinkageState, samples: Tables, pairs: Tables, heap: Heap) -> LinkageState:
    return LinkageState(
        samples, pairs, heap, state.size, state.group, state.cluster_of_group, state.group_of_cluster,
        state.head, state.tail, state.following, state.cross, state.touched, state.is_touched,
    )  # fmt: skip
