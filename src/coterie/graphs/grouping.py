"""The whole linkage in one call: features (or a graph) in, exactly k clusters out, with all that led to them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from torch import get_num_threads

from coterie.errors import ConfigError
from coterie.graphs.affinity import Graph, affinity_graph
from coterie.graphs.choice import Choice, choose_n_clusters
from coterie.graphs.components import merge_by_centroid, nearest_by_weight, nearest_neighbor_clusters
from coterie.graphs.history import History, by_size, cut, followed_by
from coterie.graphs.knn import Neighbors
from coterie.graphs.linkage import LocalStructure, link
from coterie.graphs.neighbors import find_neighbors
from coterie.graphs.refine import vote_once
from coterie.graphs.stages import Stages
from coterie.graphs.stop import Stop, sized_stop
from coterie.graphs.votes import confidence, graph_confidence

FEWEST_NEIGHBORS, MOST_NEIGHBORS = 5, 40
MANY, MOST_FOR_MANY = 200_000, 20  # images from which on more neighbours would take more than 4 GB at a million
# The number of clusters is chosen by graphs of so many neighbours, times these parts. A wider range of them reaches
# further into small classes and loses digits.
FIRST_NEIGHBORS, LOOKS = 10, (0.7, 1.0, 1.4)
# Parts that so many neighbours do not join are joined by their centroids instead of filling the memory.
MOST_DOUBLED = 640


@dataclass(frozen=True)
class LinkageSettings:
    """How to link; the parameters of ``GraphDegreeLinkage``, which explains them, and the merge criterion of JULE."""

    n_clusters: int | Literal["auto"] = "auto"
    n_neighbors: int | Literal["auto"] = "auto"
    scale: str = "local"
    a: float = 1.0
    update: str = "exact"
    alpha: float = 0.0
    init: str = "nearest"
    stop: str = "sized"
    min_cluster_size: float | Literal["auto"] = "auto"
    refine: int = 1
    on_exhausted: str = "centroid"
    search: str = "auto"
    local: LocalStructure | None = None

    def link(self, graph: Graph, initial: np.ndarray) -> History:
        """The mergers of ``initial`` (n,) along ``graph`` by the rule of these settings."""
        return link(graph, initial, update=self.update, alpha=self.alpha, local=self.local)


class Grouping(NamedTuple):
    """labels (n,) int64, the largest cluster first, and what led to them. ``n_exhausted``: clusters left when affinity
    ran out; ``restarted``: whether the linkage had to start from single images to reach k; ``choice``: when k was not
    given; ``seconds``: (stage, seconds) of neighbours, number of groups, graph, merging and stop.
    """

    labels: np.ndarray
    history: History
    graph: Graph
    neighbors: Neighbors | None
    n_exhausted: int
    restarted: bool
    stop: Stop | None
    choice: Choice | None
    seconds: tuple[tuple[str, float], ...] = ()

    @property
    def n_clusters(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def merge_table(self) -> np.ndarray:
        """(m, 4) float64: child, child, affinity and size of each merger, numbered as SciPy does."""
        return np.column_stack([self.history.merges, self.history.affinity, self.history.size]).astype(np.float64)

    @property
    def n_zero_merges(self) -> int:
        """Mergers without any affinity before ``n_clusters`` were left."""
        before_cut = max(self.history.n_initial - self.n_clusters, 0)
        return int((self.history.affinity[:before_cut] == 0).sum())

    def confidence(self) -> np.ndarray:
        """(n,) float32 in 0..1: how far the neighbours of each image are in its cluster (``graphs.votes``)."""
        if self.neighbors is None:
            return graph_confidence(self.graph, self.labels, self.n_clusters)
        weights = self.graph.weights.reshape(self.neighbors.indices.shape)
        return confidence(self.neighbors.indices, weights, self.labels, self.labels, self.n_clusters)


def neighbors_for(n: int, n_clusters: int) -> int:
    """K_s when nobody said: 10 for 1,000 images a cluster, growing with the square root, between 5 and 40 (20 above
    200,000 images).

    Few neighbours keep small clusters apart, many keep large ones whole. The rule was chosen on the sets of
    docs/results; sets it was not chosen on are marked there.
    """
    return int(np.clip(round(10 * np.sqrt(n / n_clusters / 1000)), FEWEST_NEIGHBORS, _most_neighbors(n)))


def _most_neighbors(n: int) -> int:
    return MOST_NEIGHBORS if n <= MANY else MOST_FOR_MANY


def group_features(features: np.ndarray, settings: LinkageSettings) -> Grouping:
    """The clusters of the rows of ``features`` (n, d) float32."""
    stages = Stages()
    found = find_neighbors(features, _widest(len(features), settings), method=settings.search)
    stages.lap("neighbours")
    return _group_neighbors(found, features, settings, stages)


def group_neighbors(found: Neighbors, features: np.ndarray, settings: LinkageSettings) -> Grouping:
    """The clusters of the rows of ``features`` (n, d), whose neighbours are ``found`` already: at least as many as
    these settings need.
    """
    return _group_neighbors(found, features, settings, Stages())


def group_graph(graph: Graph, settings: LinkageSettings) -> Grouping:
    """The clusters of the images that ``graph`` links; pairs without affinity cannot be joined by centroids here."""
    stages, nearest = Stages(), nearest_by_weight(graph)
    choice = None
    if settings.n_clusters == "auto":
        choice = choose_n_clusters(settings.link(graph, _initial(nearest, settings)))
        settings = replace(settings, n_clusters=choice.n_clusters)
        stages.lap("number of groups")
    return _group(graph, nearest, settings, None, stages)._replace(choice=choice)


def merge_down(features: np.ndarray, labels: np.ndarray, settings: LinkageSettings) -> np.ndarray:
    """Labels (n,) after the clusters ``labels`` (n,) have merged along the graph of ``features`` (n, d), until
    ``settings.n_clusters`` are left; more are left with ``on_exhausted="stop"`` when affinity runs out before.

    The forward pass of JULE: ``settings`` has numbers for n_clusters and n_neighbors; its stop and its start do not
    matter.
    """
    found = find_neighbors(features, int(settings.n_neighbors), method=settings.search)
    history = settings.link(affinity_graph(found, scale=settings.scale, a=settings.a), labels)
    if history.n_final > int(settings.n_clusters):
        history = _carried_on(history, settings, features)
    return cut(history, int(settings.n_clusters))


def _group_neighbors(found: Neighbors, features: np.ndarray, settings: LinkageSettings, stages: Stages) -> Grouping:
    n, choice = len(features), None
    if settings.n_clusters == "auto":
        choice = _choose_by_looks(found, settings)
        settings = replace(settings, n_clusters=min(choice.n_clusters, n))
        stages.lap("number of groups")
    wanted = settings.n_neighbors
    found = _first(found, neighbors_for(n, int(settings.n_clusters)) if wanted == "auto" else int(wanted))
    graph = affinity_graph(found, scale=settings.scale, a=settings.a)
    stages.lap("graph")
    grouping = _group(graph, found.indices[:, 0], settings, features, stages)
    return grouping._replace(neighbors=found, choice=choice)


def _widest(n: int, settings: LinkageSettings) -> int:
    """The neighbours that have to be searched for, the looks at the number of clusters included."""
    auto = settings.n_clusters == "auto"
    if settings.n_neighbors == "auto":
        return _most_neighbors(n) if auto else neighbors_for(n, int(settings.n_clusters))
    return max(_looks(settings)) if auto else int(settings.n_neighbors)


def _looks(settings: LinkageSettings) -> list[int]:
    """The numbers of neighbours of the graphs that the number of clusters is chosen by."""
    middle = FIRST_NEIGHBORS if settings.n_neighbors == "auto" else int(settings.n_neighbors)
    return sorted({max(1, round(middle * part)) for part in LOOKS})


def _choose_by_looks(found: Neighbors, settings: LinkageSettings) -> Choice:
    def history_of_first(k: int) -> History:
        few = _first(found, k)
        graph = affinity_graph(few, scale=settings.scale, a=settings.a)
        return settings.link(graph, _initial(few.indices[:, 0], settings))

    # the kernels run without the interpreter's lock; of many images, one look at a time is what the memory holds
    at_once = get_num_threads() if len(found.indices) <= MANY else 1
    with ThreadPoolExecutor(at_once) as pool:
        return choose_n_clusters(*pool.map(history_of_first, _looks(settings)))


def _first(found: Neighbors, k: int) -> Neighbors:
    if k >= found.indices.shape[1]:
        return found
    # copies, so that the wider arrays are not kept
    return found._replace(indices=found.indices[:, :k].copy(), sq_distances=found.sq_distances[:, :k].copy())


def _initial(nearest: np.ndarray, settings: LinkageSettings) -> np.ndarray:
    return np.arange(len(nearest)) if settings.init == "singletons" else nearest_neighbor_clusters(nearest)


def _group(
    graph: Graph, nearest: np.ndarray, settings: LinkageSettings, features: np.ndarray | None, stages: Stages
) -> Grouping:
    k = int(settings.n_clusters)
    initial = _initial(nearest, settings)
    restarted = int(initial.max()) + 1 < k
    if restarted:
        initial = np.arange(len(nearest))
    history = settings.link(graph, initial)
    n_exhausted = history.n_final
    history = _carried_on(history, settings, features)
    stages.lap("merging")
    stop = None
    if settings.stop == "plain" or history.n_final > k:
        labels = cut(history, k)
    else:
        size = None if settings.min_cluster_size == "auto" else float(settings.min_cluster_size)
        stop = sized_stop(history, graph, k, min_size=size, features=features)
        labels = stop.labels
    for _ in range(settings.refine):
        labels = by_size(vote_once(graph, labels, int(labels.max()) + 1))
    stages.lap("stop")
    seconds = tuple(stages.seconds.items())
    return Grouping(labels, history, graph, None, n_exhausted, restarted, stop, None, seconds)


def _carried_on(history: History, settings: LinkageSettings, features: np.ndarray | None) -> History:
    """``history`` down to one cluster, by the policy for clusters that have no affinity left (jule.md A6)."""
    k = int(settings.n_clusters)
    if settings.on_exhausted == "error" and history.n_final > k:
        raise ConfigError(
            f"affinity ran out at {history.n_final} clusters, before the {k} asked for; "
            "use more n_neighbors or on_exhausted='centroid'"
        )
    if features is None or history.n_final == 1 or settings.on_exhausted in ("stop", "error"):
        return history
    n_neighbors = neighbors_for(len(features), k) if settings.n_neighbors == "auto" else int(settings.n_neighbors)
    most = min(MOST_DOUBLED, len(features) - 1)
    while settings.on_exhausted == "double_ks" and history.n_final > k and n_neighbors < most:
        n_neighbors = min(2 * n_neighbors, most)
        found = find_neighbors(features, n_neighbors, method=settings.search)
        wider = affinity_graph(found, scale=settings.scale, a=settings.a)
        history = followed_by(history, settings.link(wider, cut(history, 1)))
    if history.n_final == 1:
        return history
    return followed_by(history, merge_by_centroid(features, cut(history, 1)))
