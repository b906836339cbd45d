"""The forward pass of JULE: clusters merge along a new graph until so many are left (jule.md A6, B1)."""

from dataclasses import replace

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs import grouping
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.grouping import LinkageSettings, merge_down
from coterie.graphs.history import cut
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.linkage import LocalStructure, link
from oracles.dense_linkage import run
from oracles.kernel_state import dense_of
from oracles.plain_graphs import join_by_centroid, partition

SETTINGS = LinkageSettings(n_clusters=10, n_neighbors=8, scale="global", on_exhausted="error")


def cloud(n: int = 200, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def far_parts(count: int, each: int = 20) -> np.ndarray:
    """Blobs on a line, each gap twice the one before; 5 neighbours stay inside a blob."""
    return np.concatenate([cloud(each, 3, seed) + 1000.0 * 2**seed for seed in range(count)]).astype(np.float32)


def initial(features: np.ndarray) -> np.ndarray:
    return nearest_neighbor_clusters(nearest_neighbors(features, 1).indices[:, 0])


def refines(fine: np.ndarray, coarse: np.ndarray) -> bool:
    return len(np.unique(np.stack([fine, coarse]), axis=1).T) == len(np.unique(fine))


@pytest.mark.parametrize("scale", ["global", "local"])
def test_the_clusters_that_merge_are_those_of_the_dense_definition(scale: str) -> None:
    X = cloud()
    labels = initial(X)
    graph = affinity_graph(nearest_neighbors(X, 8), scale=scale)
    merged = labels.copy()
    for _, stays, goes in run(dense_of(graph), labels)[: labels.max() + 1 - 10]:
        merged[merged == goes] = stays
    found = merge_down(X, labels, replace(SETTINGS, scale=scale))
    assert partition(found) == partition(merged)
    assert found.dtype == np.int64
    assert (np.diff(np.bincount(found)) <= 0).all()


def test_labels_only_merge_whatever_the_features_say() -> None:
    labels = np.random.default_rng(1).integers(0, 30, 200)
    labels = np.unique(labels, return_inverse=True)[1]
    assert refines(labels, merge_down(cloud(), labels, SETTINGS))


def test_nothing_merges_when_so_few_are_left_already() -> None:
    X = cloud()
    labels = merge_down(X, initial(X), SETTINGS)
    for n_clusters in (10, 11, 50):
        assert partition(merge_down(X, labels, replace(SETTINGS, n_clusters=n_clusters))) == partition(labels)


def test_two_periods_on_the_same_features_are_one() -> None:
    X = cloud()
    half = merge_down(X, initial(X), replace(SETTINGS, n_clusters=25))
    assert partition(merge_down(X, half, SETTINGS)) == partition(merge_down(X, initial(X), SETTINGS))


def test_the_settings_reach_the_linkage() -> None:
    X = cloud(400)
    labels = initial(X)
    graph = affinity_graph(nearest_neighbors(X, 8), scale="global", a=2.0)
    for rule, local in (("exact", LocalStructure(5, 1.0)), ("constant_ratio", None), ("size_ratio", None)):
        history = link(graph, labels, update=rule, alpha=0.1, local=local)
        found = merge_down(X, labels, replace(SETTINGS, a=2.0, update=rule, alpha=0.1, local=local))
        assert partition(found) == partition(cut(history, 10))


def test_the_stop_and_the_start_of_the_settings_do_not_matter() -> None:
    X = cloud()
    other = replace(SETTINGS, stop="plain", refine=5, init="singletons", min_cluster_size=3)
    assert (merge_down(X, initial(X), other) == merge_down(X, initial(X), SETTINGS)).all()


# --- when affinity runs out


PARTS = far_parts(5)
BY_PART = np.repeat(np.arange(5), 20)


def exhausted(policy: str, n_clusters: int) -> np.ndarray:
    settings = LinkageSettings(n_clusters=n_clusters, n_neighbors=5, on_exhausted=policy)
    return merge_down(PARTS, initial(PARTS), settings)


def test_stop_leaves_the_parts_that_have_no_affinity() -> None:
    found = exhausted("stop", 2)
    assert refines(found, BY_PART)
    assert found.max() + 1 >= 5


def test_error_names_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"affinity ran out at \d+ clusters, before the 2 asked for"):
        exhausted("error", 2)


def test_centroid_joins_the_smallest_with_the_nearest_centroid() -> None:
    assert partition(exhausted("centroid", 2)) == join_by_centroid(PARTS, exhausted("stop", 2), 2)


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 4])
def test_doubling_the_neighbours_joins_the_parts_by_affinity(n_clusters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    find = grouping.find_neighbors

    def spy(features: np.ndarray, n_neighbors: int, **other: str) -> object:
        searched.append(n_neighbors)
        return find(features, n_neighbors, **other)  # type: ignore[arg-type]

    monkeypatch.setattr(grouping, "find_neighbors", spy)
    found = exhausted("double_ks", n_clusters)
    assert found.max() + 1 == n_clusters
    assert refines(BY_PART, found)
    assert searched == [5, 10, 20, 40, 80, 99][: len(searched)]  # of 100 images
    assert len(searched) > 2


def test_doubling_ends_at_a_bound_and_the_centroids_do_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST_DOUBLED", 10)
    assert partition(exhausted("double_ks", 2)) == join_by_centroid(PARTS, exhausted("stop", 2), 2)


def test_no_policy_is_asked_while_affinity_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_carried_on", lambda *_: pytest.fail("affinity had not run out"))
    for policy in ("stop", "error", "centroid", "double_ks"):
        assert exhausted(policy, 12).max() + 1 == 12


def test_more_neighbours_than_images_are_all_of_them() -> None:
    assert merge_down(cloud(7), np.arange(7), LinkageSettings(n_clusters=2, n_neighbors=20)).max() == 1
