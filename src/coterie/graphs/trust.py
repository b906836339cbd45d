"""When the answer of a linkage deserves less trust, and why, in sentences."""

from math import ceil

import numpy as np

from coterie.errors import (
    ChoiceWarning,
    ClusterCountWarning,
    CoterieWarning,
    DuplicateImagesWarning,
    FragmentsWarning,
    GraphWarning,
)
from coterie.graphs.components import graph_components
from coterie.graphs.grouping import Grouping, LinkageSettings
from coterie.graphs.history import labels_after

CLOSE = 0.75  # of the best score
WEAK = 2.0  # a score that no clear number of clusters had on the sets of docs/results
# Graphs of fewer and of more neighbours say the same number on the sets where it is right, and numbers further apart
# than a tenth where it is wrong (docs/results/automatic.md; chosen on the sets of docs/results, COIL-20 decided).
APART = 1.1
# Of the edge weight of a cluster stays inside: points without groups have at most .74 in 20 dimensions or more and up
# to .86 in 8, while in the plane any cut leaves nearly all inside; the sets of docs/results have at least .84
# (docs/results/automatic.md).
LOOSE = 0.8
MANY_FRAGMENTS = 0.01  # of the images
TINY = 0.02  # of the mean size of a cluster
HUB = 50  # times as many edges into an image as out of it
REST = 0.2  # of what all but the largest cluster would hold if all were equal
OUTLYING = 10  # times the median squared distance to a neighbour is the global variance, when a few far images set it
Reservation = tuple[type[CoterieWarning], str]


def reservations(grouping: Grouping, settings: LinkageSettings) -> list[Reservation]:
    """(class of warning, sentence) for everything about ``grouping`` that a person should know before relying on it."""
    return [
        reservation
        for check in (_count, _choice, _exhausted, _fragments, _copies, _one_scale, _underflow, _hubs, _giant, _loose)
        if (reservation := check(grouping, settings)) is not None
    ]


def _count(grouping: Grouping, settings: LinkageSettings) -> Reservation | None:
    k = int(grouping.labels.max()) + 1
    wanted = settings.n_clusters
    if wanted not in ("auto", k):
        return ClusterCountWarning, (
            f"{k} clusters instead of {wanted}: the rest have no affinity to each other"
            + ("" if grouping.neighbors is None else "; use more n_neighbors or on_exhausted='centroid'")
        )
    if grouping.restarted:
        return ClusterCountWarning, (
            f"there are fewer groups of nearest neighbours than the {k} clusters asked for, so the merging began with "
            "single images; some clusters will be very small"
        )
    return None


def _choice(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    choice = grouping.choice
    if choice is None:
        return None
    reasons = []
    close = [str(k) for k, score in choice.runners_up if score > CLOSE * choice.score]
    if close:
        reasons.append(f"{', '.join(close)} would fit nearly as well")
    elif choice.runners_up and choice.score < WEAK:
        reasons.append("no number stands out")
    others = [k for k in choice.answers if max(k, choice.n_clusters) > APART * min(k, choice.n_clusters)]
    if others:
        others_said = ", ".join(map(str, sorted(set(others))))
        reasons.append(f"graphs of fewer or more neighbours alone say {others_said}")
    if not reasons:
        return None
    return (
        ChoiceWarning,
        f"{choice.n_clusters} clusters is the best guess, not a clear answer: {', and '.join(reasons)}; "
        "look, and ask for a number",
    )


def _exhausted(grouping: Grouping, settings: LinkageSettings) -> Reservation | None:
    history, k = grouping.history, int(grouping.labels.max()) + 1
    _, images = np.unique(labels_after(history, history.n_initial - grouping.n_exhausted), return_counts=True)
    # under the sized stop fragments are adopted anyway, so only clusters of a tenth of the even share are news
    least = 1 if grouping.stop is None else max(grouping.stop.min_size, len(grouping.labels) / (10 * k))
    if (images >= least).sum() <= k:
        return None
    parts = graph_components(grouping.graph)
    what = (
        "a given graph has no features to join the rest by"
        if grouping.neighbors is None
        else f"on_exhausted={settings.on_exhausted!r} says what happens to the rest"
    )
    return GraphWarning, (
        f"affinity ran out at {grouping.n_exhausted} clusters (the neighbour graph has {parts} separate parts); {what}"
    )


def _fragments(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    stop, n = grouping.stop, len(grouping.labels)
    if stop is None:
        return _fragments_as_clusters(np.bincount(grouping.labels))
    if stop.n_fragment_images <= MANY_FRAGMENTS * n:
        return None
    return FragmentsWarning, (
        f"{stop.n_fragments:,} fragments with {stop.n_fragment_images:,} images in all, each smaller than "
        f"{ceil(stop.min_size):,}, were joined to the cluster their edges point to; they may be groups of their own"
    )


def _fragments_as_clusters(sizes: np.ndarray) -> Reservation | None:
    least = TINY * sizes.mean()
    n_tiny = int((sizes < least).sum())
    if not n_tiny:
        return None
    return FragmentsWarning, (
        f"{n_tiny:,} of the {len(sizes):,} clusters have fewer than {ceil(least):,} images: stray fragments use up "
        "their places; stop='sized' counts larger clusters only"
    )


def _copies(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    found = grouping.neighbors
    if found is None:
        return None
    enclosed = int((found.sq_distances[:, -1] == 0).sum())
    if not enclosed:
        return None
    return DuplicateImagesWarning, (
        f"{enclosed:,} images have so many exact copies that all of their {found.indices.shape[1]} neighbours are "
        "copies: what else they resemble was not seen; leave the copies out or use more n_neighbors"
    )


def _one_scale(grouping: Grouping, settings: LinkageSettings) -> Reservation | None:
    if grouping.neighbors is None or settings.scale != "global" or grouping.graph.n_underflow:
        return None
    distances = grouping.neighbors.sq_distances
    ratio = settings.a * float(distances.mean()) / max(float(np.median(distances)), np.finfo(float).tiny)
    if not OUTLYING < ratio < np.inf:
        return None
    return GraphWarning, (
        f"a few far images set the one scale of all edges, {np.sqrt(ratio):,.0f} times the median distance to a "
        "neighbour, so near and far neighbours weigh nearly the same; use scale='local'"
    )


def _underflow(grouping: Grouping, settings: LinkageSettings) -> Reservation | None:
    graph = grouping.graph
    if not graph.n_underflow:
        return None
    why = (
        "the nearest neighbours of some images are so near that their other neighbours no longer count"
        if settings.scale == "local"
        else "some images lie far from the rest; try scale='local'"
    )
    return GraphWarning, f"{graph.n_underflow:,} of {len(graph.weights):,} edges weigh nothing: {why}"


def _hubs(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    graph, n = grouping.graph, len(grouping.labels)
    targets = graph.indices
    if grouping.neighbors is not None:  # that copies name the same few of them as neighbours misleads nobody
        targets = targets[grouping.neighbors.sq_distances.ravel() > 0]
    edges_in = np.bincount(targets, minlength=n)
    limit = HUB * max(len(graph.indices) / n, 1)
    n_hubs = int((edges_in > limit).sum())
    if not n_hubs:
        return None
    return GraphWarning, (
        f"{n_hubs:,} images are among the nearest of more than {limit:.0f} others each (at most {edges_in.max():,}): "
        "such hubs pull unlike images together; other features may have fewer"
    )


def _giant(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    sizes = np.bincount(grouping.labels)
    rest = 1 - sizes.max() / len(grouping.labels)
    if len(sizes) < 2 or rest >= REST * (1 - 1 / len(sizes)):
        return None
    return GraphWarning, (
        f"one cluster holds {int(100 * (1 - rest))}% of the images: if the groups are not that unequal, the features "
        "hardly tell them apart; try other features or more clusters"
    )


def _loose(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    stop = grouping.stop
    if stop is None or stop.inside >= LOOSE or grouping.neighbors is None:
        return None
    return GraphWarning, (
        f"the clusters are hardly apart: on average only {stop.inside:.0%} of a cluster's edges stay inside it; "
        "try other features or another number of clusters"
    )
