"""New images among grouped ones, by their neighbours."""

import math

import numpy as np
import pytest

from coterie.graphs.affinity import smallest_variance
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.placing import memberships_by_neighbors


def grouped(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around three directions, and which of them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows = np.eye(3, 6)[labels] + 0.2 * rng.normal(size=(n, 6))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def by_loops(new: np.ndarray, rows: np.ndarray, labels: np.ndarray, k: int, smallest: float) -> np.ndarray:
    found = np.zeros((len(new), labels.max() + 1))
    for i, x in enumerate(new.astype(np.float64)):
        distances = ((x - rows.astype(np.float64)) ** 2).sum(1)
        near = np.argsort(distances, kind="stable")[:k]
        variance = max(distances[near[max(k // 2, 1) - 1]], smallest)
        for j in near:
            found[i, labels[j]] += math.exp(-distances[j] / (2 * variance)) / math.sqrt(variance)
    return found


@pytest.mark.parametrize("k", [1, 5, 20])
def test_a_membership_is_the_summed_weight_of_the_neighbours_in_a_cluster(k: int) -> None:
    rows, labels = grouped()
    new, _ = grouped(30, seed=1)
    found = memberships_by_neighbors(new, rows, labels, n_neighbors=k, smallest_variance=1e-6)
    np.testing.assert_allclose(found, by_loops(new, rows, labels, k, 1e-6), rtol=1e-4)
    assert found.dtype == np.float64


def test_new_images_go_where_their_kind_is() -> None:
    rows, labels = grouped()
    new, kinds = grouped(60, seed=2)
    found = memberships_by_neighbors(new, rows, labels, n_neighbors=10, smallest_variance=1e-6)
    assert (found.argmax(1) == kinds).mean() > 0.95
    assert (found >= 0).all()
    assert (found.sum(1) > 0).all()


def test_the_grouped_images_stay_where_they_are() -> None:
    rows, labels = grouped()
    smallest = smallest_variance(nearest_neighbors(rows, 10).sq_distances)
    found = memberships_by_neighbors(rows, rows, labels, n_neighbors=10, smallest_variance=smallest)
    assert (found.argmax(1) == labels).mean() > 0.95


def test_what_an_image_comes_with_does_not_matter() -> None:
    rows, labels = grouped()
    new, _ = grouped(30, seed=1)
    new[3:20] = new[3]  # many copies would change a scale that was taken from the new images
    whole = memberships_by_neighbors(new, rows, labels, n_neighbors=8, smallest_variance=1e-6)
    for i in (0, 3, 25):
        alone = memberships_by_neighbors(new[i : i + 1], rows, labels, n_neighbors=8, smallest_variance=1e-6)
        np.testing.assert_allclose(alone[0], whole[i], rtol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1e6])
def test_an_image_on_top_of_another_or_far_from_all_still_belongs_somewhere(scale: float) -> None:
    rows, labels = grouped()
    new = rows[:4] * np.float32(scale) if scale else rows[:4]
    found = memberships_by_neighbors(new, rows, labels, n_neighbors=5, smallest_variance=1e-9)
    assert np.isfinite(found).all()
    assert (found.sum(1) > 0).all()
    if not scale:
        assert (found.argmax(1) == labels[:4]).all()


def test_there_may_be_fewer_grouped_images_than_neighbours_asked_for() -> None:
    rows, labels = grouped(3)
    found = memberships_by_neighbors(rows, rows, labels, n_neighbors=20, smallest_variance=1e-6)
    assert found.shape == (3, 3)
    assert (found.argmax(1) == labels).all()
