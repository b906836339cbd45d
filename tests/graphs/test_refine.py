"""The vote after the merging beside a plain loop: who moves, who stays, and that no cluster is emptied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.refine import vote_once
from oracles import plain_stop
from oracles.kernel_state import graph_of


def random_matrix(rng: np.random.Generator, n: int, density: float = 0.15) -> np.ndarray:
    """Whole-numbered weights, so that sums are exact and ties are common."""
    W = rng.integers(1, 4, (n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(W, 0)
    return W.astype(np.float64)


def all_labels(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, n - k)]))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.data())
def test_a_vote_is_that_of_a_plain_loop_and_empties_no_cluster(seed: int, n: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    k = data.draw(st.integers(1, n))
    W, labels = random_matrix(rng, n, data.draw(st.sampled_from([0.0, 0.05, 0.2, 0.9]))), all_labels(rng, n, k)
    moved = vote_once(graph_of(W), labels, k)
    assert moved.tolist() == plain_stop.vote(W, labels, k).tolist()
    assert set(moved.tolist()) == set(range(k))


def two_groups(extra: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """(W, labels) of the groups {0, 1, 2} and {3, 4, 5} and image 6, which is in the first."""
    W = np.zeros((7, 7))
    for i, j in ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)):
        W[i, j] = W[j, i] = 9.0
    for edge, weight in extra.items():
        W[edge] = weight
    return W, np.array([0, 0, 0, 1, 1, 1, 0])


@pytest.mark.parametrize("edge", [(6, 3), (3, 6)], ids=["edge out", "edge in"])
def test_an_image_moves_to_where_its_edges_lead_or_come_from(edge: tuple[int, int]) -> None:
    W, labels = two_groups({edge: 0.5, (6, 0): 0.4})
    assert vote_once(graph_of(W), labels, 2).tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_an_image_between_equals_keeps_its_cluster() -> None:
    W, labels = two_groups({(6, 3): 0.5, (6, 0): 0.25, (0, 6): 0.25})
    assert (vote_once(graph_of(W), labels, 2) == labels).all()


def test_of_two_better_equals_the_smaller_label_is_taken_whatever_the_order_of_edges() -> None:
    W = np.zeros((6, 6))
    W[0, 1] = W[1, 0] = W[2, 3] = W[3, 2] = 9.0
    W[4, 0] = W[4, 2] = 1.0
    labels = np.array([0, 0, 1, 1, 2, 2])
    W[5, 0] = 0.0
    assert vote_once(graph_of(W), labels, 3)[4] == 0
    assert vote_once(graph_of(W[::-1, ::-1].copy()), labels[::-1].copy(), 3)[1] == 0


def test_an_image_without_edges_stays() -> None:
    W, labels = two_groups({})
    assert vote_once(graph_of(W), labels, 2)[6] == 0
    assert (vote_once(graph_of(np.zeros((7, 7))), labels, 2) == labels).all()


def test_all_vote_at_once_so_two_may_change_places() -> None:
    W = np.zeros((6, 6))
    W[0, 1] = W[0, 2] = W[3, 4] = W[3, 5] = 1.0
    assert vote_once(graph_of(W), np.array([1, 0, 0, 0, 1, 1]), 2).tolist() == [0, 1, 1, 1, 0, 0]


def test_a_cluster_everybody_would_leave_calls_its_images_back() -> None:
    W, labels = two_groups({(6, 3): 1.0})
    labels[6] = 2
    assert vote_once(graph_of(W), labels, 3).tolist() == labels.tolist()


def test_calling_back_goes_on_until_no_cluster_is_empty() -> None:
    # 0 would go to 1's cluster, 1 to 2's, 2 to 3's group: calling 0 back changes nothing for 1, and so on
    W = np.zeros((5, 5))
    W[0, 1], W[1, 2], W[2, 3], W[3, 4], W[4, 3] = 1.0, 2.0, 4.0, 9.0, 9.0
    labels = np.array([0, 1, 2, 3, 3])
    assert vote_once(graph_of(W), labels, 4).tolist() == labels.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_images_and_the_names_of_labels_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W = rng.random((60, 60)) * (rng.random((60, 60)) < 0.1)
    labels = all_labels(rng, 60, 6)
    moved = vote_once(graph_of(W), labels, 6)
    order, names = rng.permutation(60), rng.permutation(6)
    shuffled = vote_once(graph_of(W[np.ix_(order, order)]), labels[order], 6)
    assert (shuffled == moved[order]).all()
    assert (vote_once(graph_of(W), names[labels], 6) == names[moved]).all()


def test_votes_end_where_every_image_agrees_with_its_edges() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 5])
    W = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1))
    np.fill_diagonal(W, 0.0)
    labels = np.repeat([0, 1], 40)
    wrong = labels.copy()
    wrong[[3, 7, 50]] ^= 1
    assert (vote_once(graph_of(W), wrong, 2) == labels).all()
    assert (vote_once(graph_of(W), labels, 2) == labels).all()


def test_neither_the_graph_nor_the_labels_are_changed() -> None:
    W, labels = two_groups({(6, 3): 0.5})
    graph = graph_of(W)
    before = [array.copy() for array in (graph.indptr, graph.indices, graph.weights, labels)]
    vote_once(graph, labels, 2)
    for array, old in zip((graph.indptr, graph.indices, graph.weights, labels), before, strict=True):
        assert (array == old).all()
