"""JULE's merge criterion, which looks at a cluster's next-nearest clusters too, on the same sparse state.

Plain graph degree linkage merges the pair with the largest affinity. JULE merges the cluster i with the largest

    score(i) = (1 + lambda) A_i1 - lambda mean of A_i2 .. A_iKc         (jule.md A4; A_i1 >= A_i2 >= ... its affinities)

with its nearest cluster: one that is close to its nearest and far from the others. A score can rise when a
lower-ranked affinity falls, so the lazy keys of ``linkage_kernel`` would not be exact here. Each cluster keeps the list
of its K_c largest affinities instead, renewed whenever a merger may have changed it, and a version number that tells
its newest entry in the heap from older ones (jule.md E5).

Ties go to the smaller cluster number.
"""

from typing import NamedTuple

import numpy as np

from coterie.graphs.compiled import Integer, compiled
from coterie.graphs.hash_tables import EMPTY
from coterie.graphs.heap import pop, push, reserve_heap
from coterie.graphs.linkage_kernel import absorb, with_heap
from coterie.graphs.linkage_state import EXACT, LinkageState, affinity_between, power_of


class TopLists(NamedTuple):
    """The largest affinities of each of ``c`` clusters.

    affinity (c, kc) float64, falling, 0 where a cluster has fewer; cluster (c, kc) int64, -1 there; version (c,) int64:
    how often a list was renewed.
    """

    affinity: np.ndarray
    cluster: np.ndarray
    version: np.ndarray


def merge_locally(
    state: LinkageState, limit: int, n_nearest: int, weight: float, update: int = EXACT, alpha: float = 0.0
) -> tuple[LinkageState, np.ndarray, np.ndarray, np.ndarray]:
    """As ``linkage_kernel.merge``, with the criterion of JULE: ``n_nearest`` is its K_c (>= 1), ``weight`` its lambda.

    The heap of ``state`` is used up: ``linkage_state.fill_heap`` makes it one of pairs again.
    """
    c = len(state.size)
    lists = TopLists(np.zeros((c, n_nearest)), np.full((c, n_nearest), -1), np.zeros(c, np.int64))
    return _merge(state, lists, limit, weight, update, alpha)


@compiled
def _merge(
    state: LinkageState, lists: TopLists, limit: int, weight: float, update: int, alpha: float
) -> tuple[LinkageState, np.ndarray, np.ndarray, np.ndarray]:
    state.heap.size[0] = 0
    state = with_heap(state, reserve_heap(state.heap, len(state.size)))
    for i in range(len(state.size)):
        if state.size[i] > 0.0:
            _renew(state, lists, np.int64(i), weight, power_of(update))
    merges, affinity, size = np.empty((limit, 2), np.int64), np.empty(limit), np.empty(limit, np.int64)
    done = 0
    while done < limit:
        m, n = _pop_best(state, lists)
        if m < 0:
            break
        best = lists.affinity[m, 0]
        state, m, n, n_touched = absorb(state, m, n, update, alpha)
        for t in range(n_touched):
            state.is_touched[state.touched[t]] = False
        _renew_around(state, lists, m, n, weight, power_of(update))
        merges[done, 0], merges[done, 1] = m, n
        affinity[done], size[done] = best, np.int64(state.size[m])
        done += 1
    return state, merges[:done], affinity[:done], size[:done]


@compiled
def _pop_best(state: LinkageState, lists: TopLists) -> tuple[Integer, Integer]:
    """The cluster with the largest score and its nearest one; (-1, -1) when no two clusters have an affinity."""
    while state.heap.size[0] > 0:
        _, entry = pop(state.heap)
        i, version = entry >> 32, entry & 0xFFFFFFFF
        if state.size[i] > 0.0 and version == lists.version[i]:
            return i, np.int64(lists.cluster[i, 0])
    return np.int64(-1), np.int64(-1)


@compiled
def _renew_around(state: LinkageState, lists: TopLists, m: Integer, n: Integer, weight: float, power: Integer) -> None:
    """After ``n`` went into ``m``: renews the list of ``m`` and every list that its new affinity enters or leaves."""
    pairs = state.pairs
    if pairs.bits[m] > 0:
        for index in range(pairs.start[m], pairs.start[m] + (np.int64(1) << pairs.bits[m])):
            i = np.int64(pairs.keys[index])
            if i != EMPTY and _concerns(lists, i, m, n, affinity_between(state, i, m, power)):
                _renew(state, lists, i, weight, power)
    _renew(state, lists, m, weight, power)


@compiled
def _concerns(lists: TopLists, i: Integer, m: Integer, n: Integer, affinity: float) -> bool:
    """Whether the list of ``i`` holds one of the merged clusters or has to take in the result."""
    if affinity > 0.0 and affinity >= lists.affinity[i, -1]:
        return True
    held = lists.cluster[i]
    return bool(((held == m) | (held == n)).any())


@compiled
def _renew(state: LinkageState, lists: TopLists, i: Integer, weight: float, power: Integer) -> None:
    """Fills the list of ``i`` from its table and puts its score into the heap, under a new version."""
    lists.affinity[i, :], lists.cluster[i, :] = 0.0, -1
    lists.version[i] += 1
    pairs = state.pairs
    if pairs.bits[i] == 0:
        return
    for index in range(pairs.start[i], pairs.start[i] + (np.int64(1) << pairs.bits[i])):
        j = np.int64(pairs.keys[index])
        if j != EMPTY:
            _place(lists, i, j, affinity_between(state, i, j, power))
    if lists.affinity[i, 0] > 0.0:
        push(state.heap, score(lists.affinity[i], weight), (i << 32) | lists.version[i])


@compiled
def _place(lists: TopLists, i: Integer, j: Integer, affinity: float) -> None:
    """Inserts ``j`` into the list of ``i`` if it belongs there; of equals the smaller number comes first."""
    rank = lists.affinity.shape[1]
    while rank > 0 and _comes_before(affinity, j, lists.affinity[i, rank - 1], lists.cluster[i, rank - 1]):
        if rank < lists.affinity.shape[1]:
            lists.affinity[i, rank] = lists.affinity[i, rank - 1]
            lists.cluster[i, rank] = lists.cluster[i, rank - 1]
        rank -= 1
    if rank < lists.affinity.shape[1] and affinity > 0.0:
        lists.affinity[i, rank], lists.cluster[i, rank] = affinity, j


@compiled
def _comes_before(affinity: float, j: Integer, other: float, other_cluster: Integer) -> bool | np.bool[bool]:
    return affinity > 0.0 and (affinity > other or (affinity == other and j < other_cluster))


@compiled
def score(affinity: np.ndarray, weight: float) -> float:
    """(1 + lambda) A_1 - lambda * mean(A_2 .. A_Kc) of a falling list (kc,); the mean is 0 for kc = 1."""
    others = 0.0
    for value in affinity[1:]:
        others += value
    if len(affinity) > 1:
        others /= len(affinity) - 1
    return (1.0 + weight) * affinity[0] - weight * others
