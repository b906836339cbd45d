"""The answers a deep method ends with: its own, and those of the linkage on its embedding."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from coterie.graphs.affinity import Graph, affinity_graph
from coterie.graphs.grouping import Grouping, LinkageSettings, group_features
from coterie.graphs.history import by_size
from coterie.graphs.knn import Neighbors
from coterie.graphs.stop import mean_inside
from coterie.graphs.votes import confidence, own_share


class Answer(NamedTuple):
    """labels (n,) int64, the largest cluster is 0; confidence (n,) float32 in 0..1."""

    labels: np.ndarray
    confidence: np.ndarray


def linkage_answer(embedding: np.ndarray, settings: LinkageSettings) -> tuple[Answer, Grouping]:
    """The clusters of ``embedding`` (n, d) by graph degree linkage, and all that led to them."""
    grouping = group_features(embedding, settings)
    return Answer(grouping.labels, grouping.confidence()), grouping


def answer_by_neighbors(found: Neighbors, labels: np.ndarray) -> Answer:
    """``labels`` (n,) with the confidence that the neighbours ``found`` (n, k) give them."""
    weights = affinity_graph(found).weights.reshape(found.indices.shape)
    return Answer(labels, confidence(found.indices, weights, labels, labels, int(labels.max()) + 1))


def linkage_attributes(grouping: Grouping) -> dict[str, Any]:
    """What a clusterer that ends with a linkage keeps of it; ``GraphDegreeLinkage`` explains each attribute."""
    assert grouping.neighbors is not None
    return {
        "initial_labels_": grouping.history.initial,
        "merges_": grouping.merge_table,
        "stop_": grouping.stop,
        "recall_": grouping.neighbors.recall,
        "n_zero_merges_": grouping.n_zero_merges,
    }


def shares_of_prototypes(features: np.ndarray, prototypes: np.ndarray, tau: float) -> np.ndarray:
    """(n, k) float64: softmax over the ``prototypes`` (k, d) of their inner products with ``features`` (n, d) / tau."""
    logits = features.astype(np.float64) @ prototypes.T.astype(np.float64) / tau
    shares: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def head_answer(shares: np.ndarray) -> tuple[Answer, np.ndarray]:
    """The clusters with the largest ``shares`` (n, k), and which columns they are, in the order of their labels.

    Columns that no image prefers are not among them.
    """
    preferred = shares.argmax(axis=1)
    labels = by_size(preferred)
    columns = np.empty(labels.max() + 1, np.int64)
    columns[labels] = preferred
    return Answer(labels, own_share(shares, preferred).astype(np.float32)), columns


def choose_answer(graph: Graph, answers: Mapping[str, Answer], n_clusters: int) -> tuple[str, str]:
    """The name of the answer that cuts least of the neighbour ``graph`` by ``kept_inside``, and the sentence that says
    so. The first of equals wins.
    """
    kept = kept_inside(graph, answers, n_clusters)
    best = keeps_most(kept)
    told = ", ".join(f"{name} {share:.1%}" for name, share in sorted(kept.items(), key=lambda item: item[0] != best))
    return best, f"its clusters keep most of the weight of the neighbour graph inside ({told})"


def keeps_most(kept: Mapping[str, float]) -> str:
    """The name with the largest share; the first of equals, in six digits."""
    return max(kept, key=lambda name: round(kept[name], 6))


def kept_inside(graph: Graph, answers: Mapping[str, Answer], n_clusters: int) -> dict[str, float]:
    """The share of its edge weight in the neighbour ``graph`` that a cluster keeps inside, 0 to 1, of each of the
    ``answers`` averaged over the ``n_clusters`` clusters that were asked for; one that is empty keeps nothing.
    """
    return {name: mean_inside(graph, labels) * _n_used(labels) / n_clusters for name, (labels, _) in answers.items()}


def matched(labels: np.ndarray, to: np.ndarray, k: int) -> np.ndarray:
    """``labels`` (n,) in 0..k-1 renamed so that as many as possible equal those of ``to`` (n,)."""
    from scipy.optimize import linear_sum_assignment

    counts = np.bincount(labels * k + to, minlength=k * k).reshape(k, k)
    names = np.empty(k, np.int64)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    names[rows] = columns
    return names[labels]


def most_common(labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(k,): for each of the k clusters of ``among`` (n,) the most common of ``labels`` (n,) in it."""
    counts = np.zeros((among.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (among, labels), 1)
    found: np.ndarray = counts.argmax(axis=1)
    return found


def _n_used(labels: np.ndarray) -> int:
    return int(labels.max()) + 1
