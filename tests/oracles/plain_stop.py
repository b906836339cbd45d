"""Stopping, adopting fragments, the normalised cut and the vote after the merging, by plain loops.

W (n, n) is a dense directed affinity, rows are sources.
"""

import numpy as np

from oracles.plain_graphs import clusters_after


def counts(initial: np.ndarray, merges: np.ndarray, min_size: float) -> list[int]:
    """How many clusters have ``min_size`` images after 0, 1, ..., m mergers."""
    return [
        sum(len(cluster) >= min_size for cluster in clusters_after(initial, merges, t)) for t in range(len(merges) + 1)
    ]


def last_moment(
    initial: np.ndarray, merges: np.ndarray, affinity: np.ndarray, n_clusters: int, min_size: float
) -> int | None:
    """The last number of mergers with exactly ``n_clusters`` counted clusters, not before the count was highest for the
    last time; mergers without affinity are looked at only if there is no such moment before them."""
    count = counts(initial, merges, min_size)
    n_real = sum(a > 0 for a in affinity)
    for seen in (count[: n_real + 1], count):
        peak = max(t for t in range(len(seen)) if seen[t] == max(seen))
        moments = [t for t in range(peak, len(seen)) if seen[t] == n_clusters]
        if moments:
            return max(moments)
    return None


def stopped(
    initial: np.ndarray, merges: np.ndarray, t: int, min_size: float, W: np.ndarray, features: np.ndarray | None
) -> tuple[set[frozenset[int]], list[frozenset[int]]]:
    """The clusters after ``t`` mergers once every fragment has joined one, and the fragments."""
    clusters = clusters_after(initial, merges, t)
    grown = [set(cluster) for cluster in clusters if len(cluster) >= min_size]
    fragments = [cluster for cluster in clusters if len(cluster) < min_size]
    left = list(fragments)
    while True:
        joins = []
        for fragment in left:
            weights = [sum(W[s, r] + W[r, s] for s in fragment for r in cluster) for cluster in grown]
            if max(weights) > 0:
                joins.append((fragment, int(np.argmax(weights))))
        if not joins:
            break
        for fragment, place in joins:
            grown[place] |= fragment
            left.remove(fragment)
    homes = [_without_edges(fragment, grown, features) for fragment in left]
    for fragment, place in zip(left, homes, strict=True):
        grown[place] |= fragment
    return {frozenset(cluster) for cluster in grown}, fragments


def _without_edges(fragment: frozenset[int], grown: list[set[int]], features: np.ndarray | None) -> int:
    if features is None:
        return int(np.argmax([len(cluster) for cluster in grown]))
    mean = features[list(fragment)].astype(np.float64).mean(axis=0)
    centers = [features[list(cluster)].astype(np.float64).mean(axis=0) for cluster in grown]
    return int(np.argmin([((mean - center) ** 2).sum() for center in centers]))


def mean_inside(W: np.ndarray, labels: np.ndarray) -> float:
    """The mean over clusters of (weight inside, both ends counted) / (weight at both ends of all edges)."""
    shares = []
    for label in np.unique(labels):
        inside = touching = 0.0
        for s in range(len(W)):
            for r in range(len(W)):
                ends = int(labels[s] == label) + int(labels[r] == label)
                touching += ends * W[s, r]
                inside += (2 * W[s, r]) if ends == 2 else 0.0
        shares.append(inside / touching if touching else 0.0)
    return float(np.mean(shares))


def vote(W: np.ndarray, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Every image's label after one vote of all; a cluster everybody would leave calls all its images back."""
    moved = labels.copy()
    for s in range(len(W)):
        weight = [0.0] * n_clusters
        for r in range(len(W)):
            weight[labels[r]] += W[s, r] + W[r, s]
        if max(weight) > weight[labels[s]]:
            moved[s] = weight.index(max(weight))
    while missing := set(range(n_clusters)) - set(moved.tolist()):
        for s in range(len(W)):
            if labels[s] in missing:
                moved[s] = labels[s]
    return moved
