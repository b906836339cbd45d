"""The clusters of a run at fewer and at more clusters, every level nested in the next: what the page's slider shows.

The run's own clusters are the start. Towards fewer, the merge history goes on where the run stopped: whenever two of
its mergers' clusters hold a cluster of the run each, those become one. Towards more, mergers inside the run's clusters
are undone. Only those of two parts of at least ``min_size`` images are looked at, the latest of them first; when none
is left, half that size is enough, down to two images. The images of the cluster that are in neither part, because they
joined later or were adopted or voted into it, go to the part with the nearest centroid.

So the run's labels are one of the levels, exactly; neighbouring levels differ by one merger; and one label per image
and one pair per merger describe them all.
"""

import heapq
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix

from coterie.graphs.history import History, labels_after
from coterie.graphs.nodes import last_merger, node_ranges
from coterie.graphs.stop import last_moment

BLOCK_ROWS = 8_192  # of the features at a time, so that mapped ones are never held whole


class Levels(NamedTuple):
    """finest (n,) int64: labels at the most clusters, 0..most-1; mergers (most - fewest, 2) int64, (child, parent):
    one after the other, the label that disappears and the one it becomes; n_clusters: where the run's labels are.

    Labels below n_clusters are those of the run. Going up, label k appears with the level of k + 1 clusters.
    """

    finest: np.ndarray
    mergers: np.ndarray
    n_clusters: int

    @property
    def most(self) -> int:
        return int(self.finest.max()) + 1

    @property
    def fewest(self) -> int:
        return self.most - len(self.mergers)

    def at(self, n_clusters: int) -> np.ndarray:
        """(n,) int64 labels at that many clusters, ``fewest`` to ``most``; some numbers are unused below the run's."""
        label = np.arange(self.most)
        for child, parent in self.mergers[: max(self.most - n_clusters, 0)][::-1]:
            label[child] = label[parent]
        labels: np.ndarray = label[self.finest]
        return labels


class _Tree(NamedTuple):
    """The history with its initial clusters in an order in which every node is a range: start, start + width.

    place (n,) of each image in that order; own (nodes,): images of a node whose label is that of the run's cluster
    that the node became part of.
    """

    merges: np.ndarray
    n_initial: int
    start: np.ndarray
    width: np.ndarray
    place: np.ndarray
    own: np.ndarray


def levels(
    history: History,
    labels: np.ndarray,
    min_size: float,
    *,
    fewest: int = 2,
    most: int = 60,
    features: np.ndarray | None = None,
) -> Levels:
    """From at least ``fewest`` to at most ``most`` clusters around ``labels`` (n,) in 0..k-1, which ``history`` led to.

    min_size: images that a cluster needed to count when the run stopped (``Stop.min_size``; 1 for the plain stop).
    features (n, d) place the images outside of both parts; without, they go to the larger part. There are only the
    run's own labels when the history never has exactly k counted clusters.
    """
    k = int(labels.max()) + 1
    sizes = np.concatenate([np.bincount(history.initial), history.size])
    moment = last_moment(history, sizes, k, min_size)
    if moment is None:
        return Levels(labels.astype(np.int64), np.empty((0, 2), np.int64), k)
    node_of = _nodes_of_labels(history, labels, sizes, moment, min_size)
    tree = _tree(history, labels, node_of)
    parts, base, splits = _split(tree, node_of, max(min_size, 1.0), most)
    finest = _placed(tree, labels, parts, base, features)
    joins = _join(history, node_of, moment, k - fewest)
    mergers = np.array([*reversed(splits), *joins], np.int64).reshape(-1, 2)
    return Levels(finest, mergers, k)


def _nodes_of_labels(
    history: History, labels: np.ndarray, sizes: np.ndarray, moment: int, min_size: float
) -> np.ndarray:
    """(k,) the counted cluster at that moment which each label stands for: the pairing with the most images in common,
    as adopted fragments and votes have changed it a little.
    """
    nodes, cluster = np.unique(labels_after(history, moment), return_inverse=True)
    counted = sizes[nodes] >= min_size
    row = np.cumsum(counted) - 1
    inside = counted[cluster]
    shape = (int(counted.sum()), int(labels.max()) + 1)
    common = coo_matrix((np.ones(inside.sum()), (row[cluster[inside]], labels[inside])), shape=shape).toarray()
    rows, columns = linear_sum_assignment(common, maximize=True)
    node_of = np.empty(shape[1], np.int64)
    node_of[columns] = nodes[counted][rows]
    return node_of


def _tree(history: History, labels: np.ndarray, node_of: np.ndarray) -> _Tree:
    c = history.n_initial
    start, width = node_ranges(history.merges, c)
    place = start[history.initial]
    label_at = np.full(c, -1)
    for label, node in enumerate(node_of):
        label_at[start[node] : start[node] + width[node]] = label
    own_at = np.bincount(place[label_at[place] == labels], minlength=c)
    before = np.concatenate([[0], np.cumsum(own_at)])
    return _Tree(history.merges, c, start, width, place, before[start + width] - before[start])


def _split(
    tree: _Tree, node_of: np.ndarray, size: float, most: int
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """(parts, base, splits): the node of each part, the run's label it is a part of, and (new part, part it left)."""
    parts, base, splits = node_of.tolist(), list(range(len(node_of))), []

    def undone_next(part: int) -> list[tuple[int, int]]:
        node = int(last_merger(tree.merges, tree.own, tree.n_initial, parts[part], size))
        return [(-node, part)] if node >= 0 else []

    while True:
        waiting = [entry for part in range(len(parts)) for entry in undone_next(part)]
        heapq.heapify(waiting)
        while waiting and len(parts) < most:
            node, part = heapq.heappop(waiting)
            stays, leaves = sorted(tree.merges[-node - tree.n_initial].tolist(), key=lambda child: -tree.own[child])
            splits.append((len(parts), part))
            parts[part] = stays
            parts.append(leaves)
            base.append(base[part])
            for entry in (*undone_next(part), *undone_next(len(parts) - 1)):
                heapq.heappush(waiting, entry)
        if len(parts) >= most or size <= 2:
            return np.array(parts), np.array(base), splits
        size = max(size / 2, 2.0)


def _join(history: History, node_of: np.ndarray, moment: int, n_joins: int) -> list[tuple[int, int]]:
    """(label that disappears, label it becomes) of the mergers after that moment, at most ``n_joins``."""
    label_of = np.full(history.n_initial + len(history.merges), -1)
    label_of[node_of] = np.arange(len(node_of))
    joins: list[tuple[int, int]] = []
    for merger in range(moment, len(history.merges)):
        one, other = sorted(label_of[history.merges[merger]].tolist())
        if one >= 0 and len(joins) >= n_joins:
            break
        if one >= 0:
            joins.append((other, one))
        label_of[history.n_initial + merger] = one if one >= 0 else other
    return joins


def _placed(
    tree: _Tree, labels: np.ndarray, parts: np.ndarray, base: np.ndarray, features: np.ndarray | None
) -> np.ndarray:
    """(n,) int64 part of each image: the one whose node holds it, else the nearest of its label's parts."""
    part_at = np.full(tree.n_initial, -1)
    for part, node in enumerate(parts):
        part_at[tree.start[node] : tree.start[node] + tree.width[node]] = part
    part_of = part_at[tree.place]
    at_home = (part_of >= 0) & (base[part_of] == labels)
    n_parts = np.bincount(base)
    placed = np.where(at_home, part_of, labels)
    strays = np.flatnonzero(~at_home & (n_parts[labels] > 1))
    if not len(strays):
        return placed
    settled = np.flatnonzero(at_home & (n_parts[labels] > 1))
    centers = None if features is None else _centroids(features, settled, part_of, len(parts))
    size = np.bincount(part_of[settled], minlength=len(parts))
    for label in np.unique(labels[strays]):
        own_parts = np.flatnonzero(base == label)
        of_label = strays[labels[strays] == label]
        if features is None or centers is None:
            placed[of_label] = own_parts[size[own_parts].argmax()]
            continue
        for begin in range(0, len(of_label), BLOCK_ROWS):
            block = of_label[begin : begin + BLOCK_ROWS]
            placed[block] = own_parts[_nearest(features[block], centers[own_parts])]
    return placed


def _centroids(features: np.ndarray, settled: np.ndarray, part_of: np.ndarray, n_parts: int) -> np.ndarray:
    sums = np.zeros((n_parts, features.shape[1]))
    for begin in range(0, len(settled), BLOCK_ROWS):
        block = settled[begin : begin + BLOCK_ROWS]
        cells = (part_of[block], np.arange(len(block)))
        sums += coo_matrix((np.ones(len(block)), cells), shape=(n_parts, len(block))).tocsr() @ features[block]
    counts = np.bincount(part_of[settled], minlength=n_parts)
    centers: np.ndarray = sums / np.maximum(counts, 1)[:, None]
    return centers


def _nearest(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return ((centers**2).sum(axis=1) - 2 * wide @ centers.T).argmin(axis=1)
