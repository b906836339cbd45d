"""Shares of edge weight, and the gap between mergers made and refused, beside plain loops."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.stop import mean_inside
from coterie.metrics.edges import edge_shares, merge_gap


def a_graph(n: int = 40, K: int = 5, k: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, n, (n, K)), rng.random((n, K)), rng.integers(0, k, n)


def test_edge_shares_equal_a_loop_over_edges() -> None:
    near, weights, labels = a_graph()
    own, total, towards = np.zeros(4), np.zeros(4), np.zeros((4, 4))
    for i in range(len(near)):
        for j, w in zip(near[i], weights[i], strict=True):
            a, b = labels[i], labels[j]
            for here, there in ((a, b), (b, a)):
                total[here] += w
                if here == there:
                    own[here] += w
                else:
                    towards[here, there] += w
    found = edge_shares(near, weights, labels)
    np.testing.assert_allclose(found.inside, own / total)
    np.testing.assert_allclose(found.strongest, towards.max(axis=1) / total)
    assert found.gap == pytest.approx(np.mean(own / total - towards.max(axis=1) / total))


def test_the_mean_share_inside_is_that_of_the_linkage() -> None:
    rng = np.random.default_rng(2)
    found = nearest_neighbors(rng.normal(size=(80, 6)).astype(np.float32), 7)
    graph, labels = affinity_graph(found), rng.integers(0, 5, 80)
    shares = edge_shares(found.indices, graph.weights.reshape(found.indices.shape), labels)
    assert shares.mean_inside == pytest.approx(mean_inside(graph, labels))


def test_clusters_without_a_common_edge_keep_everything_and_one_without_weight_keeps_nothing() -> None:
    near = np.array([[1], [0], [3], [2], [4]])
    found = edge_shares(near, np.array([[1.0], [1], [1], [1], [0]]), ["a", "a", "b", "b", "c"])
    assert found.inside.tolist() == [1, 1, 0]
    assert found.strongest.tolist() == [0, 0, 0]
    assert edge_shares(near, np.ones((5, 1)), np.zeros(5, int)).gap == 1.0


@pytest.mark.parametrize("near", [np.zeros((2, 1), int), np.zeros((3, 1)), np.full((3, 1), 3), np.full((3, 1), -1)])
def test_graphs_that_do_not_fit_are_refused(near: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="neighbors"):
        edge_shares(near, np.ones(near.shape), [0, 1, 2])


def test_the_merge_gap_is_between_the_last_merger_made_and_the_first_refused() -> None:
    affinity, smaller = [9.0, 8, 5, 7, 1, 0.5, 4], [10, 10, 10, 1, 10, 1, 10]  # the 1s are strays
    assert merge_gap(affinity, smaller, 3, 5) == pytest.approx((5 - 1) / (5 + 1))
    assert merge_gap(affinity, smaller, 3, 1) == pytest.approx((1 - 0.5) / (1 + 0.5))
    assert merge_gap([3.0, 0.0], [2, 2], 2, 1) == 1.0
    assert np.isnan(merge_gap([3.0, 0.0], [2, 2], 3, 1))
    assert np.isnan(merge_gap([0.0, 0.0], [2, 2], 2, 1))


def test_mergers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="refuses no merger"):
        merge_gap([1.0], [1], 1, 1)
    with pytest.raises(ConfigError, match="one number for each merger"):
        merge_gap([1.0], [1, 2], 2, 1)
