"""When the answer of a linkage deserves less trust, and why, in sentences."""

import numpy as np

from coterie.errors import ChoiceWarning, ClusterCountWarning, CoterieWarning, FragmentsWarning, GraphWarning
from coterie.graphs.components import graph_components
from coterie.graphs.grouping import Grouping, LinkageSettings
from coterie.graphs.history import labels_after

CLOSE = 0.75  # of the best score
WEAK = 2.0  # a score that no clear number of clusters had on the sets of docs/results
MANY_FRAGMENTS = 0.01  # of the images
HUB = 50  # times as many edges into an image as out of it
GIANT = 0.8  # of the images in one cluster, when the even share is below half of that
Reservation = tuple[type[CoterieWarning], str]


def reservations(grouping: Grouping, settings: LinkageSettings) -> list[Reservation]:
    """(class of warning, sentence) for everything about ``grouping`` that a person should know before relying on it."""
    return [
        reservation
        for check in (_count, _choice, _exhausted, _fragments, _underflow, _hubs, _giant)
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
    if choice is None or not choice.runners_up:
        return None
    close = [k for k, score in choice.runners_up if score > CLOSE * choice.score]
    if choice.score >= WEAK and not close:
        return None
    others = ", ".join(str(k) for k in close or [choice.runners_up[0][0]])
    why = f"{others} would fit nearly as well" if close else "no number stands out"
    return (
        ChoiceWarning,
        f"{choice.n_clusters} clusters is the best guess, not a clear answer: {why}; look, and ask for a number",
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
    if stop is None or stop.n_fragment_images <= MANY_FRAGMENTS * n:
        return None
    return FragmentsWarning, (
        f"{stop.n_fragments:,} fragments with {stop.n_fragment_images:,} images in all, each smaller than "
        f"{stop.min_size:.0f}, were joined to the cluster their edges point to; they may be groups of their own"
    )


def _underflow(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    graph = grouping.graph
    if not graph.n_underflow:
        return None
    return GraphWarning, (
        f"{graph.n_underflow} of {len(graph.weights)} edges weigh nothing: some images lie far from the rest; "
        "try scale='local'"
    )


def _hubs(grouping: Grouping, _: LinkageSettings) -> Reservation | None:
    graph, n = grouping.graph, len(grouping.labels)
    edges_in = np.bincount(graph.indices, minlength=n)
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
    share = sizes.max() / len(grouping.labels)
    if len(sizes) < 2 or share < GIANT or 1 / len(sizes) > GIANT / 2:
        return None
    return GraphWarning, (
        f"one cluster holds {share:.0%} of the images: the features hardly tell them apart; try other features or more "
        "clusters"
    )
