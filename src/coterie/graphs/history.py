"""A merge history, and the clusters at any point of it."""

from typing import NamedTuple

import numpy as np

from coterie.graphs.compiled import Integer, compiled


class History(NamedTuple):
    """``m`` mergers of ``c`` initial clusters of ``n`` images.

    initial (n,) int64: initial cluster of each image; merges (m, 2) int64: the two children, numbered as SciPy does,
    below c an initial cluster and c + t the result of merger t; affinity (m,) float64: of the pair when it merged, 0
    for pairs without any; size (m,) int64: images in the result.
    """

    initial: np.ndarray
    merges: np.ndarray
    affinity: np.ndarray
    size: np.ndarray

    @property
    def n_initial(self) -> int:
        return int(self.initial.max()) + 1

    @property
    def n_final(self) -> int:
        """Clusters left after the last merger."""
        return self.n_initial - len(self.merges)

    @property
    def n_zero_merges(self) -> int:
        """Mergers of pairs without any affinity."""
        return int((self.affinity == 0).sum())


def history_of(initial: np.ndarray, survivors: np.ndarray, affinity: np.ndarray, size: np.ndarray) -> History:
    """A history from ``survivors`` (m, 2): in each merger the cluster that stays and the one it takes in, by initial
    number.
    """
    return History(initial, _as_nodes(survivors, int(initial.max()) + 1), affinity, size)


def followed_by(history: History, later: History) -> History:
    """One history out of two: ``later`` starts from the clusters that ``history`` ends with (its ``initial`` are their
    labels).
    """
    c, m = history.n_initial, len(history.merges)
    node = np.empty(later.n_initial, np.int64)
    node[later.initial] = _roots(history.merges, c)[history.initial]
    merges = np.where(
        later.merges < len(node), node[np.minimum(later.merges, len(node) - 1)], later.merges - len(node) + c + m
    )
    return History(
        history.initial,
        np.concatenate([history.merges, np.sort(merges, axis=1)]),
        np.concatenate([history.affinity, later.affinity]),
        np.concatenate([history.size, later.size]),
    )


def cut(history: History, n_clusters: int) -> np.ndarray:
    """Labels (n,) int64 in 0..k-1 when ``n_clusters`` are left (or as many as there are), the largest cluster first."""
    mergers = min(max(history.n_initial - n_clusters, 0), len(history.merges))
    return by_size(labels_after(history, mergers))


def labels_after(history: History, mergers: int) -> np.ndarray:
    """(n,) int64: the node of the history that each image belongs to after that many mergers."""
    return _roots(history.merges[:mergers], history.n_initial)[history.initial]


def by_size(labels: np.ndarray) -> np.ndarray:
    """``labels`` renumbered 0..k-1 by falling size; ties by the cluster whose first image comes first."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts))
    renumbered: np.ndarray = rank[inverse]
    return renumbered


@compiled
def _as_nodes(survivors: np.ndarray, c: Integer) -> np.ndarray:
    node = np.arange(c)
    merges = np.empty_like(survivors)
    for t in range(len(survivors)):
        stays, goes = survivors[t]
        merges[t, 0], merges[t, 1] = min(node[stays], node[goes]), max(node[stays], node[goes])
        node[stays] = c + t
    return merges


@compiled
def _roots(merges: np.ndarray, c: Integer) -> np.ndarray:
    """(c,) the node each initial cluster has become after ``merges``."""
    root = np.arange(c + len(merges))
    for t in range(len(merges) - 1, -1, -1):
        root[merges[t, 0]] = root[c + t]
        root[merges[t, 1]] = root[c + t]
    return root[:c]
