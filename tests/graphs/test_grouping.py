"""The whole linkage in one call: how many neighbours, when it starts again, how it goes on, and what it hands back."""

from dataclasses import replace

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.grouping import LinkageSettings, group_features, group_graph, neighbors_for
from coterie.graphs.history import cut
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.linkage import link
from coterie.graphs.refine import vote_once
from coterie.graphs.stop import sized_stop
from oracles.plain_graphs import partition

PLAIN = LinkageSettings(n_clusters=5, n_neighbors=8, stop="plain", refine=0)


def cloud(n: int = 300, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def parts(count: int, each: int = 40) -> np.ndarray:
    """Blobs no edge of a neighbour graph joins, each twice as far away as the one before."""
    return np.concatenate([cloud(each, 3, seed) + 1000.0 * 2**seed for seed in range(count)]).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "k", "expected"),
    [
        (10_000, 10, 10),
        (70_000, 10, 26),
        (1_440, 20, 5),
        (400, 40, 5),
        (4_000, 1, 20),
        (200_000, 10, 40),
        (10**6, 10, 20),
        (2, 2, 5),
    ],
)
def test_neighbours_grow_with_the_root_of_the_size_of_a_cluster_between_bounds(n: int, k: int, expected: int) -> None:
    assert neighbors_for(n, k) == expected


def test_the_pieces_in_a_row_give_what_one_call_gives() -> None:
    X, settings = cloud(), LinkageSettings(n_clusters=4, n_neighbors=8)
    found = nearest_neighbors(X, 8)
    graph = affinity_graph(found)
    history = link(graph, nearest_neighbor_clusters(found.indices[:, 0]))
    assert history.n_final == 1
    stop = sized_stop(history, graph, 4, features=X)
    grouping = group_features(X, settings)
    assert partition(grouping.labels) == partition(vote_once(graph, stop.labels, 4))
    assert (np.diff(np.bincount(grouping.labels)) <= 0).all()
    unrefined = group_features(X, replace(settings, refine=0))
    assert (unrefined.labels == stop.labels).all()
    assert unrefined.stop is not None
    assert unrefined.stop.min_size == stop.min_size
    plain = group_features(X, replace(settings, stop="plain", refine=0))
    assert plain.stop is None
    assert (plain.labels == cut(history, 4)).all()


def test_features_and_their_graph_are_grouped_alike() -> None:
    X = cloud()
    by_features = group_features(X, PLAIN)
    by_graph = group_graph(by_features.graph, PLAIN)
    assert (by_graph.labels == by_features.labels).all()
    assert by_graph.neighbors is None
    assert by_features.neighbors is not None
    assert by_features.neighbors.indices.shape == (300, 8)


def test_more_clusters_than_groups_of_neighbours_start_again_from_single_images() -> None:
    X = cloud()
    few = group_features(X, PLAIN)
    assert not few.restarted
    assert few.history.n_initial < 150
    many = group_features(X, replace(PLAIN, n_clusters=200))
    assert many.restarted
    assert many.history.n_initial == 300
    assert np.unique(many.labels).size == 200


@pytest.mark.parametrize("stop", ["sized", "plain"])
@pytest.mark.parametrize("policy", ["centroid", "double_ks"])
def test_parts_without_affinity_are_joined_down_to_k(policy: str, stop: str) -> None:
    settings = LinkageSettings(n_clusters=2, on_exhausted=policy, stop=stop)
    grouping = group_features(parts(4), settings)
    assert np.unique(grouping.labels).tolist() == [0, 1]
    assert grouping.n_exhausted >= 4
    assert grouping.history.n_final == 1
    each = grouping.labels.reshape(4, 40)
    assert (each == each[:, :1]).all()


@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_the_policy_stop_leaves_the_parts_apart(stop: str) -> None:
    grouping = group_features(parts(4), LinkageSettings(n_clusters=2, on_exhausted="stop", stop=stop))
    assert np.unique(grouping.labels).size == grouping.history.n_final >= 4


def test_the_policy_error_names_both_numbers() -> None:
    with pytest.raises(ConfigError, match="before the 2 asked for"):
        group_features(parts(4), LinkageSettings(n_clusters=2, on_exhausted="error"))
    assert np.unique(group_features(cloud(), replace(PLAIN, on_exhausted="error")).labels).size == 5


@pytest.mark.parametrize("rounds", [0, 1, 2, 10])
def test_every_round_of_refinement_is_one_more_vote(rounds: int) -> None:
    X = cloud()
    grouping = group_features(X, replace(PLAIN, refine=rounds))
    labels = group_features(X, PLAIN).labels
    for _ in range(rounds):
        labels = vote_once(grouping.graph, labels, 5)
    assert partition(grouping.labels) == partition(labels)


def test_an_automatic_number_brings_its_choice_and_one_that_was_asked_for_does_not() -> None:
    X = cloud()
    chosen = group_features(X, LinkageSettings())
    assert chosen.choice is not None
    assert np.unique(chosen.labels).size == chosen.choice.n_clusters
    again = group_features(X, LinkageSettings(n_clusters=chosen.choice.n_clusters))
    assert again.choice is None
    assert (again.labels == chosen.labels).all()


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize("n_neighbors", [1, 9, 1000, "auto"])
def test_more_neighbours_than_there_are_images_are_all_of_them(n: int, n_neighbors: int | str) -> None:
    for k in (1, 2, n):
        grouping = group_features(cloud(n), LinkageSettings(n_clusters=k, n_neighbors=n_neighbors))
        assert np.unique(grouping.labels).size == k
        assert grouping.neighbors is not None
        assert grouping.neighbors.indices.shape[1] <= n - 1


def test_the_same_features_give_the_same_answer_twice() -> None:
    X = cloud(800, 10)
    first, second = group_features(X, LinkageSettings(n_clusters=6)), group_features(X, LinkageSettings(n_clusters=6))
    assert (first.labels == second.labels).all()
    assert (first.history.merges == second.history.merges).all()
