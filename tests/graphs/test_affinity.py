"""Edge weights beside plain loops, and where distances are zero, equal or far too large."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs.affinity import (
    SMALLEST_SCALE,
    affinity_graph,
    edge_weights,
    local_variance,
    smallest_variance,
)
from coterie.graphs.knn import Neighbors, nearest_neighbors
from oracles import plain_graphs


def some_neighbors(n: int = 60, k: int = 9, seed: int = 0) -> Neighbors:
    return nearest_neighbors(np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32), k)


@pytest.mark.parametrize("k", [1, 2, 3, 8, 9])
def test_local_weights_are_those_of_the_formula_in_plain_loops(k: int) -> None:
    found = some_neighbors(k=k)
    wanted = plain_graphs.local_weights(found.sq_distances)
    np.testing.assert_allclose(edge_weights(found.sq_distances, scale="local"), wanted, rtol=1e-13)


@pytest.mark.parametrize("a", [0.3, 1.0, 4.0])
def test_global_weights_are_those_of_the_formula_in_plain_loops(a: float) -> None:
    found = some_neighbors()
    wanted = plain_graphs.global_weights(found.sq_distances, a)
    np.testing.assert_allclose(edge_weights(found.sq_distances, scale="global", a=a), wanted, rtol=1e-12)


def test_the_graph_holds_each_image_s_edges_to_its_neighbours_nearest_first() -> None:
    found = some_neighbors()
    graph = affinity_graph(found)
    assert graph.indptr.tolist() == list(range(0, 541, 9))
    assert (graph.indices.reshape(60, 9) == found.indices).all()
    assert (np.diff(graph.weights.reshape(60, 9), axis=1) <= 0).all()
    assert graph.n_underflow == 0


@pytest.mark.parametrize("scale", ["local", "global"])
def test_images_that_are_all_the_same_have_edges_of_one_positive_finite_weight(scale: str) -> None:
    graph = affinity_graph(nearest_neighbors(np.ones((30, 3), np.float32), 5), scale=scale)
    assert (graph.weights == 1.0).all()
    assert graph.n_underflow == 0


def test_duplicates_among_other_images_do_not_outweigh_everything() -> None:
    features = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    features[:30] = features[0]
    found = nearest_neighbors(features, 10)
    weights = edge_weights(found.sq_distances, scale="local")
    usual = np.median(found.sq_distances[30:, 4])
    assert np.isfinite(weights).all()
    assert weights.max() <= 1 / np.sqrt(SMALLEST_SCALE * usual / 10)


def test_weights_that_vanish_are_counted_and_stay_in_their_place() -> None:
    sq_distances = np.array([[1.0, 1.0], [1.0, 5000.0], [1.0, 1.0], [2000.0, 9000.0]])
    indices = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    graph = affinity_graph(Neighbors(indices, sq_distances), scale="global", a=1e-3)
    assert graph.n_underflow == (graph.weights == 0).sum() == 3
    assert graph.indices.tolist() == indices.ravel().tolist()


def test_local_scale_keeps_an_outlier_s_edges_where_a_global_scale_loses_them() -> None:
    features = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float32)
    features[0] = 300.0
    found = nearest_neighbors(features, 5)
    assert affinity_graph(found, scale="global", a=0.1).n_underflow == 5
    assert affinity_graph(found, scale="local").n_underflow == 0


@pytest.mark.parametrize("scale", ["local", "global"])
def test_scaling_all_distances_scales_all_weights_alike(scale: str) -> None:
    found = some_neighbors()
    ratio = edge_weights(found.sq_distances * 49, scale=scale) / edge_weights(found.sq_distances, scale=scale)
    np.testing.assert_allclose(ratio, 1 / 7 if scale == "local" else 1.0, rtol=1e-12)


def test_the_least_variance_of_a_fit_is_the_one_new_images_are_given() -> None:
    found = some_neighbors()
    least = smallest_variance(found.sq_distances)
    zeros = np.zeros((2, 9))
    assert (local_variance(zeros, least) == least).all()
    alone = edge_weights(found.sq_distances[:1], scale="local", smallest=least)
    together = edge_weights(found.sq_distances, scale="local", smallest=least)
    assert (alone[0] == together[0]).all()


@pytest.mark.parametrize("scale", ["", "Local", None, 1, np.nan])
def test_an_unknown_scale_is_refused_with_both_names(scale: object) -> None:
    with pytest.raises(ConfigError, match="expected 'local' or 'global'"):
        edge_weights(np.ones((2, 2)), scale=scale)  # type: ignore[arg-type]
