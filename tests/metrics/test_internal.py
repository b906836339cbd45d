"""Scores without classes, beside their definitions and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import ConfigError
from coterie.metrics import agreement, ari, effective_clusters, knn_purity, sampled_silhouette


def test_knn_purity_equals_its_definition() -> None:
    rng = np.random.default_rng(0)
    classes, near = rng.integers(0, 3, 50), rng.integers(0, 50, (50, 7))
    shares = [sum(classes[j] == classes[i] for j in near[i]) / 7 for i in range(50)]
    assert knn_purity(near, classes) == pytest.approx(np.mean(shares))
    assert knn_purity(near[:, :1], classes) == pytest.approx(
        np.mean([classes[near[i, 0]] == classes[i] for i in range(50)])
    )


@pytest.mark.parametrize(
    "near",
    [np.zeros((2, 1), int), np.zeros((3, 0), int), np.zeros(3, int), np.zeros((3, 1)), [[0], [1], [3]], [[-1]] * 3],
)
def test_neighbours_that_do_not_fit_are_refused(near: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="neighbors must"):
        knn_purity(np.asarray(near), [0, 1, 1])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_effective_clusters_lie_between_one_and_their_number(labels: list[int]) -> None:
    assert 1.0 <= effective_clusters(labels) <= len(set(labels)) + 1e-9


def test_effective_clusters_count_equal_clusters_fully_and_crumbs_hardly() -> None:
    assert effective_clusters(np.repeat(np.arange(7), 5)) == pytest.approx(7.0)
    assert effective_clusters([0] * 1000 + [1]) == pytest.approx(1.0, abs=0.02)
    assert effective_clusters([4, 4, 4]) == 1.0


def test_agreement_is_the_ari_and_ignores_names() -> None:
    a, b = np.random.default_rng(0).integers(0, 4, (2, 60))
    assert agreement(a, b) == ari(a, b) == pytest.approx(agreement(b, 3 - a))
    assert agreement(a, a + 7) == 1.0


@pytest.mark.parametrize("n", [40, 6000])
def test_the_silhouette_of_all_images_equals_scikit_learns(n: int) -> None:
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, n)
    labels[0] = 5  # alone in its cluster
    X = rng.normal(size=(n, 3)) + labels[:, None]
    assert sampled_silhouette(X, labels, sample_size=n) == pytest.approx(silhouette_score(X, labels), abs=1e-9)


def test_a_sampled_silhouette_is_near_the_full_one_and_repeats_with_its_seed() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 3000)
    X = rng.normal(size=(3000, 2)) + 3 * labels[:, None]
    full = sampled_silhouette(X, labels, sample_size=3000)
    first = sampled_silhouette(X, labels, sample_size=500, seed=1)
    assert first == pytest.approx(full, abs=0.05)
    assert first == sampled_silhouette(X, labels, sample_size=500, seed=1)
    assert first != sampled_silhouette(X, labels, sample_size=500, seed=2)


def test_silhouettes_of_copies_and_far_away_points_stay_exact() -> None:
    X = np.repeat([[1e6, 0.0], [1e6, 1.0]], 5, axis=0)
    assert sampled_silhouette(X, np.repeat([0, 1], 5)) == pytest.approx(1.0)
    assert sampled_silhouette(np.ones((6, 2)), np.repeat([0, 1], 3)) == 0.0
    assert sampled_silhouette(X, np.arange(10)) == 0.0


@pytest.mark.parametrize(
    ("X", "labels", "size", "reason"),
    [
        (np.ones((3, 2)), [0, 0, 0], 10, "at least two clusters"),
        (np.ones((3, 2)), [0, 1], 10, r"shape \(2, d\)"),
        (np.ones(3), [0, 1, 1], 10, r"shape \(3, d\)"),
        (np.full((3, 2), np.nan), [0, 1, 1], 10, "finite"),
        (np.ones((3, 2)), [0, 1, 1], 0, "sample_size"),
    ],
)
def test_silhouettes_without_meaning_are_refused(X: np.ndarray, labels: list[int], size: int, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        sampled_silhouette(X, labels, sample_size=size)
