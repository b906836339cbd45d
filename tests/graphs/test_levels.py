"""Fewer and more clusters around the answer of a run."""

import numpy as np
import pytest

from coterie.graphs.grouping import LinkageSettings, group_features
from coterie.graphs.history import History, by_size, cut
from coterie.graphs.levels import Levels, levels
from coterie.graphs.stop import last_moment
from oracles import plain_levels

N = 120


def blobs(k: int, seed: int) -> np.ndarray:
    """(n, 3) rows around k centres, each of them made of two smaller ones."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, 1, 3)) * 3 + rng.normal(size=(k, 2, 3)) * 0.8
    which = rng.integers(0, k, N), rng.integers(0, 2, N)
    rows: np.ndarray = (centers[which] + rng.normal(size=(N, 3)) * 0.35).astype(np.float32)
    return rows


def a_run(k: int, seed: int, n_moved: int = 5) -> tuple[History, np.ndarray, float, np.ndarray]:
    """History, labels of which some were moved elsewhere, the size that counted, and features."""
    features = blobs(k, seed)
    grouping = group_features(features, LinkageSettings(n_clusters=k, n_neighbors=6, refine=1))
    labels = grouping.labels.copy()
    moved = np.random.default_rng(seed).permutation(N)[:n_moved]
    labels[moved] = (labels[moved] + 1) % k
    assert grouping.stop is not None
    return grouping.history, by_size(labels), grouping.stop.min_size, features


def clusters(labels: np.ndarray) -> plain_levels.Level:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [2, 3, 5])
def test_every_level_is_that_of_plain_sets(k: int, seed: int) -> None:
    history, labels, min_size, features = a_run(k, seed)
    found = levels(history, labels, min_size, most=20, features=features)
    moment = last_moment(history, np.concatenate([np.bincount(history.initial), history.size]), k, min_size)
    assert moment is not None
    node_of = plain_levels.matched(history, labels, moment, min_size)
    above = plain_levels.more(history, labels, node_of, min_size, 20, features)
    below = plain_levels.fewer(history, labels, node_of, moment, 2)
    assert (found.fewest, found.most) == (k - len(below), k + len(above))
    for step, level in enumerate(above):
        assert clusters(found.at(k + 1 + step)) == level
    for step, level in enumerate(below):
        assert clusters(found.at(k - 1 - step)) == level


@pytest.mark.parametrize("seed", range(4))
def test_neighbouring_levels_differ_by_one_merger_and_keep_their_labels(seed: int) -> None:
    history, labels, min_size, features = a_run(4, seed)
    found = levels(history, labels, min_size, most=30, features=features)
    assert np.array_equal(found.at(4), labels)
    for k in range(found.fewest, found.most):
        coarse, fine = found.at(k), found.at(k + 1)
        assert (len(np.unique(coarse)), len(np.unique(fine))) == (k, k + 1)
        changed = coarse != fine
        (child, parent) = found.mergers[found.most - k - 1]
        assert set(fine[changed]) == {child}
        assert set(coarse[changed]) == {parent}


def test_new_labels_follow_those_of_the_run_in_their_order() -> None:
    found = levels(*a_run(3, 0)[:3], most=12)
    for k in range(3, found.most + 1):
        assert np.array_equal(np.unique(found.at(k)), np.arange(k))
        assert (found.mergers[:, 1] < found.mergers[:, 0]).all()


@pytest.mark.parametrize(("fewest", "most"), [(2, 9), (4, 4), (3, 5), (1, 7)])
def test_no_level_lies_outside_of_what_was_asked_for(fewest: int, most: int) -> None:
    history, labels, min_size, features = a_run(4, 1)
    found = levels(history, labels, min_size, fewest=fewest, most=most, features=features)
    assert (found.fewest, found.most) == (fewest, most)
    assert np.array_equal(found.at(4), labels)
    assert np.array_equal(found.at(most + 5), found.at(most))


def test_the_levels_around_a_plain_cut_are_the_plain_cuts() -> None:
    history, *_ = a_run(4, 2)
    found = levels(history, cut(history, 6), 1.0, most=14)
    assert found.most == 14
    for k in range(2, 15):
        assert clusters(found.at(k)) == clusters(cut(history, k))


def test_without_features_strays_go_to_the_larger_part() -> None:
    # 0..5 and 6..8 merge, then 9 joins them; 10..15 stay apart
    history = History(
        np.array([0] * 6 + [1] * 3 + [2] + [3] * 6), np.array([[0, 1], [2, 4]]), np.ones(2), np.array([9, 10])
    )
    labels = np.array([0] * 10 + [1] * 6)
    found = levels(history, labels, 3)
    assert found.at(3).tolist() == [0] * 6 + [2] * 3 + [0] + [1] * 6
    features = np.array([[0.0, 0]] * 6 + [[4, 0]] * 3 + [[3, 0]] + [[9, 9]] * 6)
    assert levels(history, labels, 3, features=features).at(3)[9] == 2


def test_parts_of_half_the_size_are_looked_at_when_no_larger_ones_are_left() -> None:
    history = History(np.repeat([0, 1, 2], [6, 2, 9]), np.array([[0, 1]]), np.ones(1), np.array([8]))
    assert np.bincount(levels(history, np.repeat([1, 0], [8, 9]), 5.0).finest).tolist() == [9, 6, 2]


def test_what_was_no_part_of_its_own_when_it_joined_stays_with_the_nearest_part() -> None:
    # (4 + 4) + 2: the two joined late, but only parts of four are worth telling apart at first
    history = History(np.repeat([0, 1, 2, 3], [4, 4, 2, 9]), np.array([[0, 1], [2, 4]]), np.ones(2), np.array([8, 10]))
    found = levels(history, np.repeat([1, 0], [10, 9]), 4.0, features=np.arange(19.0)[:, None])
    assert np.bincount(found.finest).tolist() == [9, 4, 6]


def test_one_cluster_and_a_history_without_mergers_have_levels_too() -> None:
    alone = levels(
        History(np.arange(3), np.empty((0, 2), np.int64), np.empty(0), np.empty(0, np.int64)), np.arange(3), 1
    )
    assert (alone.fewest, alone.n_clusters, alone.most) == (3, 3, 3)
    history, *_ = a_run(2, 0)
    one = levels(history, np.zeros(N, np.int64), 2.0, most=5)
    assert (one.fewest, one.n_clusters, one.most) == (1, 1, 5)


def test_labels_that_the_history_never_led_to_are_the_only_level() -> None:
    history = History(np.repeat([0, 1], 5), np.array([[0, 1]]), np.ones(1), np.array([10]))
    labels = np.arange(10) % 3
    found = levels(history, labels, 2.0)
    assert isinstance(found, Levels)
    assert (found.fewest, found.most) == (3, 3)
    assert np.array_equal(found.at(3), labels)
