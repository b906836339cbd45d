"""The circle of labels by its identities, and which images the page shows."""

import numpy as np
import pytest

from coterie.methods.looks import MOST, circle_map, columns_of_groups, looks, surest_of_groups


@pytest.mark.parametrize("k", [2, 3, 10, 15])
def test_a_sure_label_lies_on_the_rim_clockwise_from_above(k: int) -> None:
    v = circle_map(np.eye(k))
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1)
    clockwise = np.exp(1j * np.arctan2(v[:, 0], v[:, 1]))  # from the +y axis
    np.testing.assert_allclose(clockwise, np.exp(2j * np.pi * np.arange(1, k + 1) / k), atol=1e-12)
    np.testing.assert_allclose(v[-1], (0, 1), atol=1e-12)
    np.testing.assert_allclose(v.mean(axis=0), 0, atol=1e-12)


def test_an_unsure_label_lies_inside_and_a_uniform_one_in_the_middle() -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(10, 0.3), 300)
    assert (np.linalg.norm(circle_map(shares), axis=1) <= 1).all()
    np.testing.assert_allclose(circle_map(np.full((1, 10), 0.1)), 0, atol=1e-12)
    opposite = np.zeros((1, 10))
    opposite[0, [1, 6]] = 0.5
    np.testing.assert_allclose(circle_map(opposite), 0, atol=1e-12)  # what the map cannot show


def test_the_circle_is_the_sum_of_the_paper_from_h_equal_1() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(7), 20)
    for row, (x, y) in zip(shares, circle_map(shares), strict=True):
        assert x == pytest.approx(sum(row[h - 1] * np.sin(2 * np.pi * h / 7) for h in range(1, 8)))
        assert y == pytest.approx(sum(row[h - 1] * np.cos(2 * np.pi * h / 7) for h in range(1, 8)))


def test_columns_come_in_the_order_of_the_groups_that_prefer_them() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    shares = np.eye(5)[[3, 3, 1, 0, 0, 3]]
    assert columns_of_groups(labels, shares)[:2].tolist() == [3, 0]
    assert sorted(columns_of_groups(labels, shares)) == list(range(5)), "each once"
    assert columns_of_groups(labels, shares[:, [3, 0]]).shape == (2,), "fewer columns than groups"


def test_the_surest_images_of_each_group_are_shown_and_never_too_many() -> None:
    labels = np.repeat(np.arange(3), 10)
    confidence = np.tile(np.linspace(0, 1, 10), 3)
    assert surest_of_groups(labels, confidence).tolist() == [9, 8, 7, 6, 19, 18, 17, 16, 29, 28, 27, 26]
    many = np.arange(500) % 200
    assert len(surest_of_groups(many, np.ones(500))) == MOST


def test_points_of_a_large_set_are_thinned_evenly() -> None:
    labels = np.arange(5000) % 2
    found = looks(labels, np.ones(5000), np.eye(2)[labels], None)
    assert len(found.circle) == len(found.circle_images) == 1667
    assert set(np.diff(found.circle_images)) == {3}
    assert found.maps.shape == (8, 0, 0)
