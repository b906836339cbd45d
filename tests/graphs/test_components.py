"""Initial clusters, parts of a graph, and the joining of what has no affinity, beside plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.affinity import Graph
from coterie.graphs.components import (
    graph_components,
    merge_by_centroid,
    nearest_by_weight,
    nearest_neighbor_clusters,
)
from coterie.graphs.history import cut
from coterie.graphs.knn import nearest_neighbors
from oracles import plain_graphs
from oracles.kernel_state import graph_of
from oracles.plain_graphs import partition


@settings(deadline=None)
@given(st.integers(1, 30).flatmap(lambda n: st.lists(st.integers(-1, n - 1), min_size=n, max_size=n)))
def test_initial_clusters_are_the_connected_parts_of_the_nearest_neighbour_links(nearest: list[int]) -> None:
    found = nearest_neighbor_clusters(np.array(nearest))
    edges = [(i, j) for i, j in enumerate(nearest) if j >= 0]
    assert partition(found) == partition(np.array(plain_graphs.components(len(nearest), edges)))
    assert set(found.tolist()) == set(range(len(set(found.tolist()))))
    assert found.dtype == np.int64


@pytest.mark.parametrize(("d", "low", "high"), [(2, 2.9, 3.5), (64, 3.8, 4.2)])
def test_initial_clusters_have_the_mean_size_that_mutual_neighbours_predict(d: int, low: float, high: float) -> None:
    features = np.random.default_rng(0).normal(size=(4000, d)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True) if d > 2 else 1
    clusters = nearest_neighbor_clusters(nearest_neighbors(features, 1).indices[:, 0])
    assert low < 4000 / (clusters.max() + 1) < high  # jule.md A5


def test_the_nearest_by_weight_is_the_heaviest_edge_and_none_without_a_positive_one() -> None:
    graph = Graph(np.array([0, 2, 4, 4, 6]), np.array([1, 2, 0, 3, 0, 1]), np.array([0.1, 0.5, 0.3, 0.3, 0.0, 0.0]), 2)
    assert nearest_by_weight(graph).tolist() == [2, 0, -1, -1]


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_of_a_graph_are_counted_without_edges_of_no_weight_and_the_graph_stays_as_it_was(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W = rng.random((25, 25)) * (rng.random((25, 25)) < 0.06)
    full = graph_of(W)
    weights = np.where(rng.random(len(full.weights)) < 0.4, 0.0, full.weights)
    graph = full._replace(weights=weights.copy())
    sources = np.repeat(np.arange(25), np.diff(graph.indptr))
    edges = [(int(i), int(j)) for i, j, w in zip(sources, graph.indices, weights, strict=True) if w > 0]
    assert graph_components(graph) == len(set(plain_graphs.components(25, edges)))
    assert (graph.weights == weights).all()
    assert (graph.indptr == full.indptr).all()
    assert (graph.indices == full.indices).all()


@pytest.mark.parametrize("seed", range(8))
def test_clusters_without_affinity_join_as_a_plain_loop_joins_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 9, 40)
    labels = np.unique(labels, return_inverse=True)[1]
    features = rng.normal(size=(40, 3))
    history = merge_by_centroid(features, labels)
    assert history.n_final == 1
    assert (history.affinity == 0).all()
    for k in range(1, int(labels.max()) + 2):
        assert partition(cut(history, k)) == plain_graphs.join_by_centroid(features, labels, k)


def test_one_cluster_has_nothing_to_join() -> None:
    history = merge_by_centroid(np.zeros((4, 2)), np.zeros(4, np.int64))
    assert history.n_final == 1
    assert history.merges.shape == (0, 2)
