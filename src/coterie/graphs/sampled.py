"""Very many images: a sample of them is linked, and the others join where their neighbours in it are.

A million images leave memory for 20 edges each. So few, among so many, link groups that touch long before either is
whole, and the merging ends in one giant cluster. A tenth of the images with as many edges sees more of the shape of the
groups, in less time (docs/results/speed.md).
"""

from typing import NamedTuple

import numpy as np

from coterie.graphs.grouping import Grouping
from coterie.graphs.history import by_size
from coterie.graphs.knn import search
from coterie.graphs.placing import neighbor_weights
from coterie.graphs.votes import label_weights, own_share

MANY, SAMPLE = 200_000, 100_000
AT_ONCE = 65_536  # images placed at a time


class Spread(NamedTuple):
    """A grouping of a sample, told of all n images: labels (n,) int64, the largest cluster is 0; confidence (n,)
    float32; initial (n,) int64, initial cluster of each; merge_table (m, 4) with the sizes of all; is_fragment (n,).
    """

    labels: np.ndarray
    confidence: np.ndarray
    initial: np.ndarray
    merge_table: np.ndarray
    is_fragment: np.ndarray


def sampled_rows(n: int, most: int) -> np.ndarray:
    """(most,) int64: rows of n, drawn evenly and always the same, in rising order."""
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def spread(
    grouping: Grouping, features: np.ndarray, rows: np.ndarray, smallest: float, global_variance: float | None
) -> Spread:
    """The ``grouping`` of ``features[rows]`` told of all ``features`` (n, d).

    An image that is not in the sample has the initial cluster of the nearest one that is, and the label that most of
    the weight of its neighbours there has; smallest and global_variance as in ``graphs.placing``.
    """
    n, k = len(features), grouping.n_clusters
    assert grouping.neighbors is not None
    labels, initial = np.empty(n, np.int64), np.empty(n, np.int64)
    confidence, is_fragment = np.empty(n, np.float32), np.zeros(n, bool)
    labels[rows], initial[rows], confidence[rows] = grouping.labels, grouping.history.initial, grouping.confidence()
    if grouping.stop is not None:
        is_fragment[rows] = grouping.stop.is_fragment
    linked, n_neighbors = features[rows], grouping.neighbors.indices.shape[1]
    others = np.setdiff1d(np.arange(n), rows, assume_unique=True)
    for begin in range(0, len(others), AT_ONCE):
        here = others[begin : begin + AT_ONCE]
        found = search(features[here], linked, n_neighbors)
        weights = neighbor_weights(found.sq_distances, smallest, global_variance)
        shares = label_weights(found.indices, weights, grouping.labels, k)
        labels[here] = shares.argmax(axis=1)
        confidence[here] = own_share(shares, labels[here])
        initial[here] = grouping.history.initial[found.indices[:, 0]]
    return Spread(by_size(labels), confidence, initial, _resized(grouping.merge_table, initial), is_fragment)


def _resized(merge_table: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """``merge_table`` with the sizes that its clusters have when ``initial`` (n,) says where they begin."""
    children = merge_table[:, :2].astype(np.int64)
    c = int(initial.max()) + 1
    size = np.concatenate([np.bincount(initial, minlength=c), np.zeros(len(children), np.int64)])
    for t, (first, second) in enumerate(children):
        size[c + t] = size[first] + size[second]
    return np.column_stack([merge_table[:, :3], size[c:]])
