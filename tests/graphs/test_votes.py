"""What neighbours say about an image's cluster, beside plain loops; and the vote that may move it."""

import numpy as np
import pytest

from coterie.graphs import votes
from coterie.graphs.affinity import Graph
from coterie.graphs.refine import vote_once
from coterie.graphs.votes import confidence, graph_confidence, label_weights, own_share
from oracles.kernel_state import dense_of, graph_of, knn_case

K = 4


def some_votes(seed: int = 0, m: int = 50, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    indices = np.stack([rng.choice(n, 6, replace=False) for _ in range(m)])
    return indices, rng.random((m, 6)), rng.integers(0, K, n), rng.integers(0, K, m)


def share_by_loops(weights_of_label: dict[int, float], own: int) -> float:
    mine = weights_of_label.get(own, 0.0)
    others = max((w for label, w in weights_of_label.items() if label != own), default=0.0)
    return 1.0 if mine + others == 0 else mine / (mine + others)


def test_weights_and_confidence_are_those_of_plain_loops() -> None:
    indices, weights, labels, own = some_votes()
    table, trust = label_weights(indices, weights, labels, K), confidence(indices, weights, labels, own, K)
    for i in range(len(indices)):
        sums: dict[int, float] = {}
        for j, w in zip(indices[i], weights[i], strict=True):
            sums[int(labels[j])] = sums.get(int(labels[j]), 0.0) + w
        np.testing.assert_allclose(table[i], [sums.get(label, 0.0) for label in range(K)], atol=1e-12)
        assert trust[i] == pytest.approx(share_by_loops(sums, int(own[i])), abs=1e-6)


def test_confidence_does_not_depend_on_how_many_rows_are_counted_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    indices, weights, labels, own = some_votes()
    whole = confidence(indices, weights, labels, own, K)
    graph, _, initial = knn_case(0, 3, n=60)
    by_graph = graph_confidence(graph, initial % K, K)
    monkeypatch.setattr(votes, "CHUNK", 3 * K)
    assert (confidence(indices, weights, labels, own, K) == whole).all()
    assert (graph_confidence(graph, initial % K, K) == by_graph).all()


def test_a_row_whose_weights_all_vanished_counts_its_nearest_neighbour() -> None:
    indices, weights, labels, _ = some_votes()
    weights[3] = 0.0
    row = label_weights(indices, weights, labels, K)[3]
    assert row.tolist() == np.eye(K)[labels[indices[3, 0]]].tolist()
    assert confidence(indices[3:4], weights[3:4], labels, labels[indices[3:4, 0]], K)[0] == 1.0


def test_confidence_by_a_graph_equals_confidence_by_its_neighbours() -> None:
    graph, _, initial = knn_case(0, 3, n=80)
    labels = initial % K
    table = graph.indices.reshape(80, -1), graph.weights.reshape(80, -1)
    assert (graph_confidence(graph, labels, K) == confidence(*table, labels, labels, K)).all()


def test_an_image_without_edges_has_no_confidence_in_a_given_graph() -> None:
    graph = Graph(np.array([0, 1, 2, 2]), np.array([1, 0]), np.array([0.5, 0.5]), 0)
    assert graph_confidence(graph, np.array([0, 0, 1]), 2).tolist() == [1.0, 1.0, 0.0]


def test_one_cluster_alone_is_certain_and_a_tie_is_one_half() -> None:
    assert own_share(np.array([[3.0], [0.0]]), np.array([0, 0])).tolist() == [1.0, 1.0]
    assert own_share(np.array([[2.0, 2.0, 1.0], [1.0, 0.0, 3.0]]), np.array([0, 0])).tolist() == [0.5, 0.25]


@pytest.mark.parametrize("seed", range(10))
def test_a_vote_moves_images_as_a_plain_loop_does_and_empties_no_cluster(seed: int) -> None:
    graph, W, initial = knn_case(seed, 3, n=60)
    k = int(initial.max()) + 1
    voted = vote_once(graph, initial, k)
    both = W + W.T
    wanted = initial.copy()
    for s in range(60):
        sums = [both[s, initial == c].sum() for c in range(k)]
        if max(sums) > sums[initial[s]] + 1e-12:
            wanted[s] = int(np.argmax(sums))
    moved = voted != initial
    assert (voted[moved] == wanted[moved]).all()
    called_back = (voted == initial) & (wanted != initial)
    left = set(range(k)) - set(wanted.tolist())
    assert called_back.any() == bool(left)
    assert (np.bincount(voted, minlength=k) > 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_vote_among_single_images_leaves_every_cluster_with_one(seed: int) -> None:
    graph, _, _ = knn_case(seed, 3, n=40)
    assert sorted(vote_once(graph, np.arange(40), 40).tolist()) == list(range(40))


def test_a_vote_leaves_the_graph_as_it_was() -> None:
    graph = graph_of(np.array([[0, 0.5, 0.2], [0.4, 0, 0], [0, 0.1, 0]]))
    before = dense_of(graph)
    vote_once(graph, np.array([0, 1, 0]), 2)
    assert (dense_of(graph) == before).all()
