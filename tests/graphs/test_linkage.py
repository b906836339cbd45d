"""From features to a history: what must not matter (T5: order, unit, names), and what must not break it (T6)."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs.affinity import Graph, affinity_graph
from coterie.graphs.components import graph_components, nearest_neighbor_clusters
from coterie.graphs.history import History, cut
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.linkage import link
from oracles.kernel_state import graph_of, random_case
from oracles.plain_graphs import partition

UPDATES = ["exact", "size_ratio", "constant_ratio"]


def cloud(n: int = 400, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def blobs(centers: int = 4, each: int = 50, apart: float = 1000.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    far = np.arange(centers)[:, None] * np.array([apart, 0.0, 0.0])
    return (np.repeat(far, each, axis=0) + rng.normal(size=(centers * each, 3))).astype(np.float32)


def linked(
    features: np.ndarray, k: int = 8, *, update: str = "exact", alpha: float = 0.0, scale: str = "local"
) -> tuple[Graph, History]:
    found = nearest_neighbors(features, k)
    graph = affinity_graph(found, scale=scale)
    return graph, link(graph, nearest_neighbor_clusters(found.indices[:, 0]), update=update, alpha=alpha)


def assert_whole(history: History, n: int) -> None:
    """A history anybody may rely on: sizes add up, affinities are finite, every node is merged at most once."""
    assert len(history.initial) == n
    assert np.isfinite(history.affinity).all()
    assert (history.affinity > 0).all()
    children = history.merges.ravel()
    assert len(set(children.tolist())) == len(children)
    sizes = np.concatenate([np.bincount(history.initial), history.size])
    assert (sizes[history.merges].sum(axis=1) == history.size).all()


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("scale", ["local", "global"])
def test_the_order_of_the_images_does_not_matter(update: str, scale: str) -> None:
    features = cloud()
    _, history = linked(features, update=update, alpha=0.1, scale=scale)
    order = np.random.default_rng(1).permutation(len(features))
    _, shuffled = linked(features[order], update=update, alpha=0.1, scale=scale)
    back = np.argsort(order)
    for k in (2, 5, 17, 60):
        assert partition(cut(shuffled, k)[back]) == partition(cut(history, k))


@pytest.mark.parametrize("factor", [1e-6, 0.3, 8.0, 1e5])
@pytest.mark.parametrize("scale", ["local", "global"])
def test_the_unit_of_the_features_does_not_matter(factor: float, scale: str) -> None:
    features = cloud()
    _, history = linked(features, scale=scale)
    _, scaled = linked(features * np.float32(factor), scale=scale)
    for k in (2, 5, 17, 60):
        assert partition(cut(scaled, k)) == partition(cut(history, k))


def test_the_names_of_the_initial_clusters_do_not_matter() -> None:
    graph, _, _ = random_case(2)
    initial = np.random.default_rng(0).integers(0, 20, 80)
    initial[:20] = np.arange(20)
    names = np.random.default_rng(1).permutation(20)
    for k in (3, 8):
        assert partition(cut(link(graph, names[initial]), k)) == partition(cut(link(graph, initial), k))


@pytest.mark.parametrize("update", UPDATES)
def test_far_blobs_are_each_merged_whole_and_never_with_each_other(update: str) -> None:
    features = blobs()
    graph, history = linked(features, update=update)
    assert_whole(history, 200)
    assert graph_components(graph) == 4
    assert history.n_final == 4
    assert partition(cut(history, 1)) == partition(np.repeat(np.arange(4), 50))


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("scale", ["local", "global"])
def test_more_duplicates_than_neighbours_do_not_break_the_linkage(update: str, scale: str) -> None:
    features = cloud(120)
    features[:30], features[30:60] = features[0], features[30]
    graph, history = linked(features, 8, update=update, scale=scale)
    assert_whole(history, 120)
    assert np.isfinite(graph.weights).all()


@pytest.mark.parametrize("update", UPDATES)
def test_images_that_are_all_the_same_do_not_break_the_linkage(update: str) -> None:
    _, history = linked(np.ones((60, 4), np.float32), 5, update=update)
    assert_whole(history, 60)


@pytest.mark.parametrize("update", UPDATES)
def test_one_hub_that_every_image_points_to_does_not_break_the_linkage(update: str) -> None:
    n = 300
    W = np.zeros((n, n))
    W[1:, 0] = 0.5
    W[0, 1:] = 0.5
    for i in range(1, n - 1):
        W[i, i + 1] = W[i + 1, i] = 0.4
    history = link(graph_of(W), np.arange(n), update=update)
    assert_whole(history, n)
    assert history.n_final == 1


def test_a_hub_that_nobody_is_pointed_back_from_has_no_affinity_to_anybody() -> None:
    W = np.zeros((20, 20))
    W[1:, 0] = 1.0  # every image points to the first, which points to none
    history = link(graph_of(W), np.arange(20))
    assert history.n_final == 20


@pytest.mark.parametrize("update", UPDATES)
def test_an_image_whose_weights_all_vanished_stays_alone(update: str) -> None:
    graph, _ = linked(cloud(60), 6)
    weights = graph.weights.copy()
    weights[(graph.indices == 7) | (np.repeat(np.arange(60), 6) == 7)] = 0.0
    history = link(graph._replace(weights=weights), np.arange(60), update=update)
    labels = cut(history, 1)
    assert (labels == labels[7]).sum() == 1


@pytest.mark.parametrize("update", UPDATES)
def test_a_graph_without_edges_or_with_one_cluster_has_an_empty_history(update: str) -> None:
    empty = Graph(np.zeros(6, np.int64), np.empty(0, np.int64), np.empty(0), 0)
    assert link(empty, np.arange(5), update=update).n_final == 5
    graph, _ = linked(cloud(20), 4)
    alone = link(graph, np.zeros(20, np.int64), update=update)
    assert alone.n_final == 1
    assert alone.merges.shape == (0, 2)


def test_edges_from_an_image_to_itself_and_parallel_edges_are_taken_as_their_sums() -> None:
    W = np.zeros((3, 3))
    W[0, 1], W[1, 0], W[1, 2], W[2, 1] = 0.5, 0.4, 0.3, 0.2
    doubled = Graph(
        np.array([0, 3, 6, 7]), np.array([0, 1, 1, 0, 1, 2, 1]), np.array([9.0, 0.2, 0.3, 0.4, 9.0, 0.3, 0.2]), 0
    )
    wanted, found = link(graph_of(W), np.arange(3)), link(doubled, np.arange(3))
    np.testing.assert_allclose(found.affinity, wanted.affinity, rtol=1e-15)
    assert found.merges.tolist() == wanted.merges.tolist()


def test_weights_of_any_size_from_tiny_to_huge_give_the_same_history() -> None:
    graph, _, initial = random_case(4)
    wanted = link(graph, initial)
    for factor in (2.0**-300, 2.0**-20, 2.0**200):
        found = link(graph._replace(weights=graph.weights * factor), initial)
        assert found.merges.tolist() == wanted.merges.tolist()


def test_two_runs_on_one_graph_are_the_same_to_the_bit_and_leave_it_as_it_was() -> None:
    graph, _, initial = random_case(5)
    before = graph._replace(indptr=graph.indptr.copy(), indices=graph.indices.copy(), weights=graph.weights.copy())
    one, two = link(graph, initial), link(graph, initial)
    assert one.affinity.tolist() == two.affinity.tolist()
    assert one.merges.tolist() == two.merges.tolist()
    assert all((now == then).all() for now, then in zip(graph[:3], before[:3], strict=True))


@pytest.mark.parametrize("update", ["", "Exact", "fast", None, 3])
def test_an_unknown_rule_is_refused_with_the_three_names(update: object) -> None:
    graph, _, initial = random_case(0)
    with pytest.raises(ConfigError, match="expected one of exact, size_ratio, constant_ratio"):
        link(graph, initial, update=update)  # type: ignore[arg-type]
