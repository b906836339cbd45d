"""The number of clusters when nobody said: what any rule must hold to, on histories and on real blobs."""

import numpy as np
import pytest

from coterie.graphs.choice import N_RUNNERS_UP, Choice, choose_n_clusters, counted_size
from coterie.graphs.grouping import LinkageSettings, group_features, group_neighbors
from coterie.graphs.history import History, history_of
from coterie.graphs.knn import nearest_neighbors


def blobs(k: int, *, each: int = 60, d: int = 10, apart: float = 12.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d))
    centers *= apart / np.linalg.norm(centers, axis=1, keepdims=True)
    return (np.repeat(centers, each, axis=0) + rng.normal(size=(k * each, d))).astype(np.float32)


def chosen(features: np.ndarray) -> Choice:
    choice = group_features(features, LinkageSettings()).choice
    assert choice is not None
    return choice


def ladder(affinity: list[float], *, each: int = 50) -> History:
    """As many clusters of ``each`` images as there are affinities and one more, joined one after another."""
    c = len(affinity) + 1
    survivors = np.column_stack([np.zeros(c - 1, np.int64), np.arange(1, c)])
    sizes = each * np.arange(2, c + 1)
    return history_of(np.repeat(np.arange(c), each), survivors, np.array(affinity, float), sizes)


def test_the_largest_gap_of_a_history_is_the_answer() -> None:
    choice = choose_n_clusters(ladder([9.0, 8.5, 8.0, 7.5, 0.02, 0.018, 0.016]))  # 8 clusters, then 4 far apart
    assert choice.n_clusters == 4


@pytest.mark.parametrize("zeros", [1, 2, 4])
def test_parts_without_affinity_are_never_put_together(zeros: int) -> None:
    choice = choose_n_clusters(ladder([9.0, 8.0, 7.0, 6.0, 5.0, 4.0] + [0.0] * zeros))
    assert min(choice.n_clusters, *(k for k, _ in choice.runners_up)) > zeros


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [2, 5, 9])
def test_far_blobs_are_never_put_together(k: int, seed: int) -> None:
    assert chosen(blobs(k, apart=1000.0, seed=seed)).n_clusters >= k


@pytest.mark.parametrize("k", range(7, 13))
def test_blobs_that_touch_give_their_number(k: int) -> None:
    right = [chosen(blobs(k, apart=8.0, seed=seed)).n_clusters == k for seed in range(4)]
    assert sum(right) >= 2


@pytest.mark.parametrize("seed", range(5))
def test_the_runners_up_are_sorted_and_none_is_better_than_the_choice(seed: int) -> None:
    choice = chosen(blobs(6, apart=5.0, seed=seed))
    scores = [choice.score, *(score for _, score in choice.runners_up)]
    assert scores == sorted(scores, reverse=True)
    assert len(choice.runners_up) <= N_RUNNERS_UP
    numbers = [choice.n_clusters, *(k for k, _ in choice.runners_up)]
    assert len(set(numbers)) == len(numbers)
    assert choice.rule


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 3, 5, 8, 20])
def test_no_more_clusters_are_chosen_than_there_are_images(n: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    choice = chosen(features)
    assert 1 <= choice.n_clusters <= n
    assert all(1 <= k <= n for k, _ in choice.runners_up)
    assert np.isfinite([choice.score, *(score for _, score in choice.runners_up)]).all()


@pytest.mark.parametrize("n", [2, 3, 5, 100])
def test_images_that_are_all_the_same_have_a_choice(n: int) -> None:
    choice = chosen(np.ones((n, 3), np.float32))
    assert 1 <= choice.n_clusters <= n


def test_the_order_of_the_images_does_not_matter() -> None:
    features = blobs(7, apart=6.0)
    order = np.random.default_rng(0).permutation(len(features))
    assert chosen(features[order]).n_clusters == chosen(features).n_clusters


def test_a_history_without_mergers_is_what_it_is() -> None:
    none = np.empty((0, 2), np.int64)
    history = History(np.zeros(4, np.int64), none, np.empty(0), np.empty(0, np.int64))
    assert choose_n_clusters(history).n_clusters == 1


def test_the_size_that_counts_grows_with_the_root_of_n() -> None:
    assert [counted_size(n) for n in (2, 144, 10_000, 10**6)] == [3.0, 3.0, 25.0, 250.0]


def test_what_several_graphs_show_is_no_accident_of_one() -> None:
    two_and_five = ladder([9.0, 8.0, 7.9, 0.9, 0.8, 0.7, 0.004])  # 8 clusters; 5 are clear, 2 a little clearer
    five = ladder([9.0, 8.0, 7.9, 0.9, 0.8, 0.7, 0.6])
    assert choose_n_clusters(two_and_five).n_clusters == 2
    both = choose_n_clusters(two_and_five, five)
    assert both.n_clusters == 5
    assert both.answers == (2, 5)
    again = choose_n_clusters(five, five)
    assert (again.n_clusters, again.score) == (5, choose_n_clusters(five).score)


def test_a_given_number_of_neighbours_is_the_middle_of_the_graphs_that_choose() -> None:
    features = blobs(4, apart=9.0)
    grouping = group_features(features, LinkageSettings(n_neighbors=9))
    assert grouping.choice is not None
    assert len(grouping.choice.answers) == 3
    assert grouping.neighbors is not None
    assert grouping.neighbors.indices.shape[1] == 9


def test_neighbours_that_were_found_before_give_what_the_features_give() -> None:
    features = blobs(5, apart=6.0)
    found = nearest_neighbors(features, 60)
    for settings in (LinkageSettings(), LinkageSettings(n_clusters=5), LinkageSettings(n_neighbors=12)):
        one, other = group_features(features, settings), group_neighbors(found, features, settings)
        assert (one.labels == other.labels).all()
        assert one.choice == other.choice
