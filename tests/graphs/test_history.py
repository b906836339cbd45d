"""Merge histories: numbering as SciPy does it, cuts at every number of clusters, one history after another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, is_valid_linkage

from coterie.graphs.history import History, by_size, cut, followed_by, history_of, labels_after
from oracles.plain_graphs import clusters_after, partition


def random_history(seed: int, *, n: int = 40, c: int = 15, mergers: int | None = None) -> History:
    """Random mergers of ``c`` clusters of ``n`` images, written as the kernel writes them: who stays, who goes."""
    rng = np.random.default_rng(seed)
    initial = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    alive, sizes = list(range(c)), np.bincount(initial).tolist()
    survivors, size = [], []
    for _ in range(c - 1 if mergers is None else mergers):
        stays, goes = (int(i) for i in rng.choice(alive, 2, replace=False))
        alive.remove(goes)
        sizes[stays] += sizes[goes]
        survivors.append((stays, goes))
        size.append(sizes[stays])
    affinity = np.sort(rng.random(len(size)))[::-1].copy()
    return history_of(initial, np.array(survivors, np.int64).reshape(-1, 2), affinity, np.array(size, np.int64))


@pytest.mark.parametrize("seed", range(5))
def test_the_children_of_every_merger_are_numbered_as_scipy_numbers_them(seed: int) -> None:
    history = random_history(seed, n=15, c=15)
    linkage = np.column_stack([history.merges, np.arange(1.0, 15.0), history.size])
    assert is_valid_linkage(linkage)
    assert (history.merges[:, 0] < history.merges[:, 1]).all()
    for k in range(1, 16):
        assert partition(fcluster(linkage, k, "maxclust")) == partition(cut(history, k))


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_at_any_number_holds_the_clusters_of_a_replay_the_largest_first(seed: int) -> None:
    history = random_history(seed, mergers=11)
    assert history.n_final == 4
    for k in range(1, 20):
        labels = cut(history, k)
        done = min(max(15 - k, 0), 11)
        assert partition(labels) == set(clusters_after(history.initial, history.merges, done))
        assert len(np.unique(labels)) == labels.max() + 1 == min(max(k, 4), 15)
        assert (np.diff(np.bincount(labels)) <= 0).all()


def test_the_sizes_of_a_history_are_those_of_its_clusters() -> None:
    history = random_history(0)
    for t in range(len(history.merges)):
        assert history.size[t] == (labels_after(history, t + 1) == history.n_initial + t).sum()


@settings(deadline=None)
@given(st.lists(st.integers(-3, 6), min_size=1, max_size=40))
def test_labels_by_size_keep_the_partition_and_break_ties_by_the_first_image(labels: list[int]) -> None:
    numbered = by_size(np.array(labels))
    assert partition(numbered) == partition(np.array(labels))
    ranks = [(-(numbered == c).sum(), int(np.flatnonzero(numbered == c)[0])) for c in range(numbered.max() + 1)]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("seed", range(8))
def test_a_history_followed_by_another_is_the_replay_of_both(seed: int) -> None:
    first = random_history(seed, mergers=8)
    groups = cut(first, 1)
    rng = np.random.default_rng(seed + 100)
    second = random_history(seed + 50, n=7, c=7)._replace(initial=groups)
    sizes = [int((labels_after(second, t + 1) == 7 + t).sum()) for t in range(len(second.merges))]
    second = second._replace(size=np.array(sizes), affinity=rng.random(len(sizes)))
    both = followed_by(first, second)
    assert both.n_final == 1
    assert both.affinity.tolist() == [*first.affinity, *second.affinity]
    for t in range(len(both.merges)):
        assert both.size[t] == (labels_after(both, t + 1) == 15 + t).sum()
    for k in range(1, 8):
        assert partition(cut(both, k)) == partition(cut(second, k))
    for k in range(8, 16):
        assert partition(cut(both, k)) == partition(cut(first, k))


def test_a_history_without_mergers_has_its_initial_clusters_at_every_cut() -> None:
    history = random_history(0, mergers=0)
    assert history.merges.shape == (0, 2)
    assert partition(cut(history, 1)) == partition(history.initial)


def test_mergers_without_affinity_are_counted() -> None:
    history = random_history(0)
    assert history.n_zero_merges == 0
    assert history._replace(affinity=np.where(np.arange(14) > 10, 0.0, history.affinity)).n_zero_merges == 3
