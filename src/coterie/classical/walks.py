"""Merging by all walks between two clusters, on dense matrices: what the leading terms of AC-Zell and AC-PIC leave out.

With P the transitions between images and 0 < z < 1, a cluster knows (I - z P)^-1 = I + z P + z^2 P^2 + ... of its own
members: the walks within it. Seen from a cluster a, another cluster b adds the walks that leave for b and come back,

    D = (I - z P_aa)^-1 z P_ab (I - z P_bb - z^2 P_ba (I - z P_aa)^-1 P_ab)^-1 z P_ba (I - z P_aa)^-1,

which is the corner of a in (I - z P)^-1 of both together, less what a had. It is taken as a product over the border of
the two, never as a difference: affinities are some 1e-4 of what the difference would be taken of, and those that are
zero come out as zero.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from coterie.graphs.history import History

Queue = list[tuple[float, int, int]]


class Walks(NamedTuple):
    """members (m,) int64: the images of a cluster; within (m, m): (I - z P)^-1 of them."""

    members: np.ndarray
    within: np.ndarray


class Detour(NamedTuple):
    """D (m, m) of a cluster of m images as out (m, j) @ beyond (j, k) @ home (k, m).

    entered (j,), left (k,): the images of the other cluster where walks come in and go home, by their place in it.
    """

    out: np.ndarray
    beyond: np.ndarray
    home: np.ndarray
    entered: np.ndarray
    left: np.ndarray

    @property
    def walks(self) -> np.ndarray:
        """D (m, m)."""
        found: np.ndarray = self.out @ self.beyond @ self.home
        return found


Gain = Callable[[Walks, Detour], float]


def walks_within(steps: np.ndarray, members: np.ndarray) -> Walks:
    """The walks within the images ``members`` (m,), where ``steps`` (n, n) is z P."""
    return Walks(members, np.linalg.inv(np.eye(len(members)) - steps[np.ix_(members, members)]))


def detour(steps: np.ndarray, own: Walks, other: Walks) -> Detour:
    """The walks of ``own`` that lead through ``other``, where ``steps`` (n, n) is z P."""
    there, back = steps[np.ix_(own.members, other.members)], steps[np.ix_(other.members, own.members)]
    from_, entered = _border(there)
    left, to = _border(back)
    back = back[np.ix_(left, to)]
    out, home = own.within[:, from_] @ there[np.ix_(from_, entered)], back @ own.within[to]
    once = other.within[np.ix_(entered, left)]
    again = np.eye(len(entered)) - once @ (back @ out[to])  # those that turn back into ``own`` and come once more
    return Detour(out, np.linalg.solve(again, once), home, entered, left)


def joined(steps: np.ndarray, one: Walks, two: Walks) -> Walks:
    """The walks within both, out of those within each: no matrix is inverted but those of the border."""
    by_two, by_one = detour(steps, one, two), detour(steps, two, one)
    back = two.within + by_one.walks
    there = by_two.out @ back[by_two.entered]
    rows = [[one.within + by_two.walks, there], [back[:, by_two.left] @ by_two.home, back]]
    return Walks(np.concatenate([one.members, two.members]), np.block(rows))


def _border(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns of ``steps`` that have any step: of two clusters, few."""
    return np.flatnonzero(steps.any(axis=1)), np.flatnonzero(steps.any(axis=0))


def link_walks(transitions: csr_matrix, initial: np.ndarray, z: float, gain: Gain) -> History:
    """Merges the two clusters that gain the most from each other, until no two gain anything.

    transitions (n, n): P; initial (n,): clusters; gain: of one cluster by its detour. Equals: the smaller numbers in
    the history first.
    """
    clusters = _Clusters(transitions, initial, z, gain)
    queue: Queue = [entry for node in range(clusters.n_initial) for entry in clusters.entries(node) if entry[1] < node]
    heapq.heapify(queue)
    merges, affinity, size = [], [], []
    for node in count(clusters.n_initial):
        best = _pop_best(queue, clusters.alive)
        if best is None:
            break
        clusters.merge(best[1], best[2], node)
        for entry in clusters.entries(node):
            heapq.heappush(queue, entry)
        merges.append(best[1:])
        affinity.append(-best[0])
        size.append(len(clusters.alive[node].members))
    return History(initial, np.array(merges, np.int64).reshape(-1, 2), np.array(affinity), np.array(size, np.int64))


class _Clusters:
    """The clusters of the moment by their numbers in the history."""

    def __init__(self, transitions: csr_matrix, initial: np.ndarray, z: float, gain: Gain) -> None:
        self.n_initial = int(initial.max()) + 1
        self.steps = z * transitions.toarray()
        self.forward, self.backward = transitions, transitions.T.tocsr()
        self.gain = gain
        self.node = initial.copy()  # of each image
        self.alive = {i: walks_within(self.steps, np.flatnonzero(initial == i)) for i in range(self.n_initial)}

    def merge(self, i: int, j: int, node: int) -> None:
        self.alive[node] = joined(self.steps, self.alive.pop(i), self.alive.pop(j))
        self.node[self.alive[node].members] = node

    def entries(self, node: int) -> Iterator[tuple[float, int, int]]:
        """(-affinity, other, ``node``) of each cluster that ``node`` has an affinity to."""
        for other in self._around(node):
            affinity = self._affinity(self.alive[node], self.alive[other])
            if affinity > 0:
                yield -affinity, min(other, node), max(other, node)

    def _affinity(self, one: Walks, two: Walks) -> float:
        return self.gain(one, detour(self.steps, one, two)) + self.gain(two, detour(self.steps, two, one))

    def _around(self, node: int) -> list[int]:
        """The clusters that ``node`` has an edge to and an edge from: no others lie on a way there and back."""
        members = self.alive[node].members
        ahead, behind = (np.unique(self.node[edges[members].indices]) for edges in (self.forward, self.backward))
        return [int(other) for other in np.intersect1d(ahead, behind, assume_unique=True) if other != node]


def _pop_best(queue: Queue, alive: dict[int, Walks]) -> tuple[float, int, int] | None:
    """The entry of the largest affinity whose clusters are both there still. What two clusters gain from each other
    does not change as long as neither merges, so no entry is ever out of date otherwise."""
    while queue:
        best = heapq.heappop(queue)
        if best[1] in alive and best[2] in alive:
            return best
    return None
