"""JULE's merge criterion against dense scores at every merger (jule.md A4, E5)."""

import numpy as np
import pytest

from coterie.graphs import linkage_kernel as kernel
from coterie.graphs.affinity import Graph
from coterie.graphs.history import cut
from coterie.graphs.linkage import UPDATES, LocalStructure, link
from coterie.graphs.linkage_state import LinkageState
from coterie.graphs.local_kernel import merge_locally, score
from oracles.dense_linkage import DenseLinkage
from oracles.kernel_state import graph_of, knn_case, random_case

TOLERANCE = 1e-12


def started(graph: Graph, initial: np.ndarray, rule: str = "exact") -> LinkageState:
    return kernel.start(graph.indptr, graph.indices, graph.weights, initial, UPDATES[rule])


def plain_scores(affinity: np.ndarray, n_nearest: int, weight: float) -> np.ndarray:
    """(c,) scores of A4 by a loop; -inf for clusters without any affinity."""
    scores = np.full(len(affinity), -np.inf)
    for i, row in enumerate(affinity):
        ranked = sorted(row, reverse=True)
        ranked += [0.0] * n_nearest
        if ranked[0] > 0:
            gaps = [ranked[0] - other for other in ranked[1:n_nearest]]
            scores[i] = ranked[0] + weight * (sum(gaps) / len(gaps) if gaps else ranked[0])
    return scores


def replay(W: np.ndarray, graph: Graph, initial: np.ndarray, n_nearest: int, weight: float, rule: str) -> int:
    """Checks that every merger was the one with the best score at its time; returns how many there were."""
    state = started(graph, initial, rule)
    _, merges, affinity, _ = merge_locally(state, int(initial.max()), n_nearest, weight, UPDATES[rule])
    dense = DenseLinkage(W, initial, rule)
    for (stays, goes), value in zip(merges.tolist(), affinity.tolist(), strict=True):
        table = dense.affinity()
        scores = plain_scores(table, n_nearest, weight)
        assert table[stays, goes] == pytest.approx(value, abs=TOLERANCE)
        chosen = [i for i, j in ((stays, goes), (goes, stays)) if scores[i] >= scores.max() - TOLERANCE
                  and table[i, j] >= table[i].max() - TOLERANCE]  # fmt: skip
        assert chosen, f"{stays} and {goes} merged; the best score is that of {scores.argmax()}"
        dense.merge(stays, goes)
    assert dense.affinity().max() <= TOLERANCE or len(merges) == initial.max()
    return len(merges)


@pytest.mark.parametrize("n_nearest", [1, 2, 5, 12])
@pytest.mark.parametrize("seed", range(4))
def test_every_merger_is_the_one_with_the_best_score_on_neighbour_graphs(n_nearest: int, seed: int) -> None:
    graph, W, initial = knn_case(seed, 4, n=120)
    assert replay(W, graph, initial, n_nearest, 1.0, "exact") > 10


@pytest.mark.parametrize("rule", ["exact", "size_ratio", "constant_ratio"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_every_merger_is_the_one_with_the_best_score_on_random_graphs(rule: str, weight: float) -> None:
    for seed in range(3):
        graph, W, initial = random_case(seed, n=60)
        assert replay(W, graph, initial, 4, weight, rule) > 5


def test_without_a_weight_or_with_one_neighbour_the_pairs_are_those_of_plain_linkage() -> None:
    graph, _, initial = knn_case(0, 3, n=150)
    plain = link(graph, initial)
    for local in (LocalStructure(5, 0.0), LocalStructure(1, 1.0)):
        history = link(graph, initial, local=local)
        assert (history.merges == plain.merges).all()
        assert np.allclose(history.affinity, plain.affinity, atol=TOLERANCE)


def test_the_criterion_of_the_torch_release_is_plain_once_a_hundred_clusters_are_left() -> None:
    graph, _, initial = knn_case(0, 3, n=900)
    history = link(graph, initial, local=LocalStructure(5, 1.0, plain_from=100))
    everywhere = link(graph, initial, local=LocalStructure(5, 1.0))
    first = history.n_initial - 100
    assert first > 20
    assert (history.merges[:first] == everywhere.merges[:first]).all()
    plain = link(graph, cut(history, 100))
    assert np.allclose(history.affinity[first:], plain.affinity, atol=TOLERANCE)
    assert not np.allclose(everywhere.affinity[first:], plain.affinity, atol=TOLERANCE)


def test_the_criterion_prefers_a_cluster_that_is_far_from_its_other_neighbours() -> None:
    W = np.zeros((5, 5))
    for i, j, w in [(0, 1, 0.9), (1, 2, 0.85), (0, 2, 0.85), (3, 4, 0.8)]:
        W[i, j] = W[j, i] = w
    initial = np.arange(5)
    assert link(graph_of(W), initial).merges[0].tolist() == [0, 1]
    assert link(graph_of(W), initial, local=LocalStructure(3, 1.0)).merges[0].tolist() == [3, 4]


def test_a_score_is_the_formula_of_a4() -> None:
    affinity = np.array([0.9, 0.5, 0.1, 0.0])
    expected = 0.9 + 0.7 / 3 * ((0.9 - 0.5) + (0.9 - 0.1) + 0.9)
    assert score(affinity, 0.7) == pytest.approx(expected, abs=TOLERANCE)
    assert score(affinity[:1], 1.0) == pytest.approx(1.8, abs=TOLERANCE)
