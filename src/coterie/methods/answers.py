"""The answers a deep method ends with: its own, and those of the linkage on its embedding."""

from typing import Any, NamedTuple

import numpy as np

from coterie.graphs.affinity import affinity_graph
from coterie.graphs.grouping import Grouping, LinkageSettings, group_features
from coterie.graphs.neighbors import find_neighbors
from coterie.graphs.votes import confidence


class Answer(NamedTuple):
    """labels (n,) int64, the largest cluster is 0; confidence (n,) float32 in 0..1."""

    labels: np.ndarray
    confidence: np.ndarray


def linkage_answer(embedding: np.ndarray, settings: LinkageSettings) -> tuple[Answer, Grouping]:
    """The clusters of ``embedding`` (n, d) by graph degree linkage, and all that led to them."""
    grouping = group_features(embedding, settings)
    found = grouping.neighbors
    assert found is not None
    weights = grouping.graph.weights.reshape(found.indices.shape)
    n_clusters = int(grouping.labels.max()) + 1
    share = confidence(found.indices, weights, grouping.labels, grouping.labels, n_clusters)
    return Answer(grouping.labels, share), grouping


def answer_by_neighbors(embedding: np.ndarray, labels: np.ndarray, n_neighbors: int) -> Answer:
    """``labels`` (n,) with the confidence that the neighbours in ``embedding`` (n, d) give them."""
    found = find_neighbors(embedding, n_neighbors)
    weights = affinity_graph(found).weights.reshape(found.indices.shape)
    return Answer(labels, confidence(found.indices, weights, labels, labels, int(labels.max()) + 1))


def linkage_attributes(grouping: Grouping, n_clusters: int) -> dict[str, Any]:
    """What a clusterer that ends with a linkage keeps of it; ``GraphDegreeLinkage`` explains each attribute."""
    history, found = grouping.history, grouping.neighbors
    assert found is not None
    before_cut = max(history.n_initial - n_clusters, 0)
    return {
        "initial_labels_": history.initial,
        "merges_": np.column_stack([history.merges, history.affinity, history.size]).astype(np.float64),
        "stop_": grouping.stop,
        "n_neighbors_": found.indices.shape[1],
        "recall_": found.recall,
        "n_zero_merges_": int((history.affinity[:before_cut] == 0).sum()),
    }
