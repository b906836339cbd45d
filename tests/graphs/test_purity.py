"""Purity of neighbours, beside hand values and a plain loop."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.purity import knn_purity


def by_loops(indices: np.ndarray, classes: np.ndarray, k: int) -> float:
    shares = []
    for i, neighbors in enumerate(indices):
        shares.append(sum(1 for j in neighbors[:k] if classes[j] == classes[i]) / k)
    return sum(shares) / len(shares)


def test_purity_of_four_images_is_what_a_hand_counts() -> None:
    indices = np.array([[1, 2, 3], [0, 2, 3], [3, 1, 0], [0, 2, 1]])
    classes = np.array([7, 7, 5, 5])
    # own class among the first: yes, yes, yes, no; among the first two: 1, 1, 1, 1; among all three: 1 each
    np.testing.assert_allclose(knn_purity(indices, classes, [1, 2, 3]), [3 / 4, 1 / 2, 1 / 3])


def test_purity_is_that_of_a_plain_loop_for_every_k_in_the_order_asked() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 200)
    features = (rng.normal(size=(200, 3)) + classes[:, None]).astype(np.float32)
    indices = nearest_neighbors(features, 12).indices
    ks = [12, 1, 5, 5]
    expected = [by_loops(indices, classes, k) for k in ks]
    np.testing.assert_allclose(knn_purity(indices, classes, ks), expected, atol=1e-12)


def test_one_class_is_pure_and_a_class_of_its_own_for_each_image_is_not() -> None:
    indices = np.array([[1, 2], [2, 0], [0, 1]])
    np.testing.assert_array_equal(knn_purity(indices, np.zeros(3, int), [1, 2]), [1, 1])
    np.testing.assert_array_equal(knn_purity(indices, np.arange(3), [1, 2]), [0, 0])


@pytest.mark.parametrize("ks", [[0], [3], [1, 9]])
def test_more_neighbours_than_are_given_are_refused(ks: list[int]) -> None:
    with pytest.raises(ConfigError, match="from 1 to the 2 neighbours"):
        knn_purity(np.array([[1, 2], [2, 0], [0, 1]]), np.zeros(3, int), ks)


def test_an_image_among_its_own_neighbours_is_refused() -> None:
    with pytest.raises(ConfigError, match="its own neighbours"):
        knn_purity(np.array([[1, 2], [1, 0], [0, 1]]), np.zeros(3, int), [1])


def test_classes_of_other_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 images and classes of 4"):
        knn_purity(np.array([[1, 2], [2, 0], [0, 1]]), np.zeros(4, int), [1])
