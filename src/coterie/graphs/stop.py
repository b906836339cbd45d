"""Where to stop merging when a number of clusters was asked for, so that stray fragments do not use it up.

Stopping at exactly k clusters is fragile: most mergers of real images end in one giant cluster and a handful of
two-image fragments that use up the k places. The sized stop counts only clusters of at least ``min_size`` images: it
stops at the last moment at which exactly k such clusters exist, and each fragment then joins the cluster its edges
point to. Which ``min_size`` is right depends on how unequal the clusters are. Of several, the one is taken whose
clusters keep the largest mean share of their edges inside, which is the normalised cut (Shi, Malik: Normalized cuts,
2000) at its smallest.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix

from coterie.graphs.affinity import Graph
from coterie.graphs.compiled import Integer, compiled
from coterie.graphs.history import History, by_size, labels_after

# An even cluster has n / k images. The candidates for the smallest that counts are these parts of it, the first of
# equals preferred. Of two clusters, one may have a hundredth of the other.
PARTS = (50, 20, 10, 7, 5, 4, 3, 2, 100)
# A larger size must cut this much less than the first: strongly unequal clusters otherwise lose the small ones for a
# difference that is chance.
CLEARLY_LESS = 0.9


class Stop(NamedTuple):
    """labels (n,) int64 in 0..k-1, the largest cluster first; min_size: images a cluster needed to count; n_fragments
    clusters below it, with n_fragment_images images, joined others; inside: mean share of a cluster's edge weight that
    stays inside; is_fragment (n,) bool: images of those fragments.
    """

    labels: np.ndarray
    min_size: float
    n_fragments: int
    n_fragment_images: int
    inside: float
    is_fragment: np.ndarray


def sized_stop(
    history: History,
    graph: Graph,
    n_clusters: int,
    *,
    min_size: float | None = None,
    features: np.ndarray | None = None,
) -> Stop:
    """Exactly ``n_clusters`` clusters out of ``history``, by the sized stop.

    history must reach ``n_clusters`` (at least that many initial clusters, at most that many at its end). min_size:
    images a cluster needs to count, None for the best of n / (2 k) ... n / (100 k). features (n, d), if given, place
    fragments without any edge. When no candidate ever leaves exactly k counted clusters, smaller sizes are tried down
    to 1, which is the plain stop.
    """
    sizes = np.concatenate([np.bincount(history.initial), history.size])
    even = len(history.initial) / n_clusters
    wanted = [even / part for part in PARTS] if min_size is None else [float(min_size)]
    while True:
        # sizes that stop at the same moment count the same clusters, so the first stands for all of them
        moments: dict[int, float] = {}
        for size in wanted:
            t = last_moment(history, sizes, n_clusters, size)
            if t is not None:
                moments.setdefault(t, size)
        if moments:
            return _least_cut([_stop_at(history, graph, t, sizes, size, features) for t, size in moments.items()])
        wanted = [max(1.0, min(wanted) / 2)]


def _least_cut(stops: list[Stop]) -> Stop:
    """The stop with the smallest normalised cut, the first of equals; the first of all if it cuts hardly more."""
    best = min(stops, key=lambda stop: round(1 - stop.inside, 6))
    return best if 1 - best.inside < CLEARLY_LESS * (1 - stops[0].inside) else stops[0]


def last_moment(history: History, sizes: np.ndarray, n_clusters: int, min_size: float) -> int | None:
    """The largest number of mergers after which exactly ``n_clusters`` clusters have ``min_size`` images; None if
    never.

    Mergers of pairs without affinity are only looked at when those with affinity never leave that many.
    """
    counted = sizes >= min_size
    children = counted[history.merges]
    change = counted[history.n_initial :].astype(np.int64) - children.sum(axis=1)
    count = counted[: history.n_initial].sum() + np.concatenate([[0], np.cumsum(change)])
    with_affinity = _last_moment(count[: len(history.affinity) - history.n_zero_merges + 1], n_clusters)
    return with_affinity if with_affinity is not None else _last_moment(count, n_clusters)


def _last_moment(count: np.ndarray, n_clusters: int) -> int | None:
    # before the most there ever are, clusters only grow up to the size: that is no answer yet
    peak = len(count) - 1 - int(count[::-1].argmax())
    moments = np.flatnonzero(count[peak:] == n_clusters)
    return peak + int(moments[-1]) if len(moments) else None


def _stop_at(
    history: History, graph: Graph, t: int, sizes: np.ndarray, min_size: float, features: np.ndarray | None
) -> Stop:
    nodes, clusters = np.unique(labels_after(history, t), return_inverse=True)
    fragment = sizes[nodes] < min_size
    place = np.cumsum(~fragment) - 1
    place[fragment] = -1
    n_fragment_images = int(sizes[nodes][fragment].sum())
    if fragment.any():
        place = _adopt(place, clusters, graph, features)
    labels = by_size(place[clusters])
    inside = mean_inside(graph, labels)
    return Stop(labels, min_size, int(fragment.sum()), n_fragment_images, inside, fragment[clusters])


def _adopt(place: np.ndarray, clusters: np.ndarray, graph: Graph, features: np.ndarray | None) -> np.ndarray:
    """``place`` (c,), the label of each cluster or -1 for a fragment, with every fragment given the label that most of
    the edge weight between it and labelled clusters, in both directions, belongs to; again and again, as fragments may
    only know fragments. What no edge reaches goes to the nearest centroid, or to the largest cluster where there are no
    features.
    """
    sources = clusters[np.repeat(np.arange(len(clusters)), np.diff(graph.indptr))]
    targets = clusters[graph.indices]
    near = ((place[sources] < 0) | (place[targets] < 0)) & (sources != targets)
    ends = np.concatenate([sources[near], targets[near]]), np.concatenate([targets[near], sources[near]])
    weights = np.concatenate([graph.weights[near], graph.weights[near]])
    place = place.copy()
    while True:
        useful = (place[ends[0]] < 0) & (place[ends[1]] >= 0) & (weights > 0)
        if not useful.any():
            break
        cells = (ends[0][useful], place[ends[1][useful]])
        votes = coo_matrix((weights[useful], cells), shape=(len(place), int(place.max()) + 1)).tocsr()
        won = np.unique(cells[0])
        place[won] = np.asarray(votes[won].argmax(axis=1)).ravel()
    lost = place < 0
    if lost.any():
        place[lost] = _nearest_label(place, clusters, features)
    return place


def _nearest_label(place: np.ndarray, clusters: np.ndarray, features: np.ndarray | None) -> np.ndarray:
    """Labels of the clusters with place -1, by the distance between centroids."""
    size = np.bincount(clusters).astype(np.float64)
    labelled = place >= 0
    by_label = np.bincount(place[labelled], size[labelled])
    if features is None or not features.shape[1]:
        return np.full(int((~labelled).sum()), by_label.argmax())
    sums = np.zeros((len(place), features.shape[1]))
    np.add.at(sums, clusters, features)
    label_sums = np.zeros((len(by_label), features.shape[1]))
    np.add.at(label_sums, place[labelled], sums[labelled])
    centers, strays = label_sums / by_label[:, None], sums[~labelled] / size[~labelled, None]
    sq_distances = (centers**2).sum(1) - 2 * strays @ centers.T
    return sq_distances.argmin(axis=1)


def mean_inside(graph: Graph, labels: np.ndarray) -> float:
    """The mean over clusters of the share of their edge weight that stays inside: 1 - normalised cut / k."""
    inside, total = _edge_weights_by_label(graph.indptr, graph.indices, graph.weights, labels, int(labels.max()) + 1)
    return float(np.divide(inside, total, out=np.zeros_like(inside), where=total > 0).mean())


@compiled
def _edge_weights_by_label(
    indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: Integer
) -> tuple[np.ndarray, np.ndarray]:
    inside, total = np.zeros(k), np.zeros(k)
    for s in range(len(indptr) - 1):
        for e in range(indptr[s], indptr[s + 1]):
            total[labels[s]] += weights[e]
            total[labels[indices[e]]] += weights[e]
            if labels[s] == labels[indices[e]]:
                inside[labels[s]] += 2.0 * weights[e]
    return inside, total
