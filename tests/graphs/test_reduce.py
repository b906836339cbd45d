"""Principal components before the neighbour search: axes, projection, and when there are none."""

import numpy as np
import pytest

from coterie.graphs.reduce import COMPONENTS, REDUCE_FROM, components_for, principal_axes, project


def sheet(n: int = 500, d: int = 12, rank: int = 3) -> np.ndarray:
    """Points of a ``rank``-dimensional subspace, off the origin."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d)) + 5).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "d", "wanted"),
    [
        (REDUCE_FROM, COMPONENTS + 1, COMPONENTS),
        (REDUCE_FROM - 1, 10_000, None),
        (10**6, COMPONENTS, None),
        (10**6, 784, COMPONENTS),
        (5, 2, None),
    ],
)
def test_many_images_of_many_features_are_searched_in_sixty_four_components(n: int, d: int, wanted: int | None) -> None:
    assert components_for(n, d) == wanted


def test_axes_are_orthonormal_and_keep_all_distances_of_features_that_lie_in_them() -> None:
    features = sheet()
    mean, axes = principal_axes(features, 3)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(mean, features.mean(axis=0), atol=1e-5)
    projected = project(features, mean, axes)
    assert projected.dtype == np.float32
    for i in range(0, 500, 41):
        before = np.linalg.norm(features - features[i], axis=1)
        np.testing.assert_allclose(np.linalg.norm(projected - projected[i], axis=1), before, atol=1e-3)


def test_the_components_of_an_image_are_the_same_alone_and_in_any_place_of_any_batch() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5000, 40)).astype(np.float32)
    mean, axes = principal_axes(features, 7)
    together = project(features, mean, axes)
    order = rng.permutation(5000)
    assert (project(features[order], mean, axes) == together[order]).all()
    for i in (0, 4095, 4096, 4999):
        assert (project(features[i : i + 1], mean, axes)[0] == together[i]).all()


def test_axes_are_the_same_in_every_run() -> None:
    one, two = (principal_axes(sheet(d=60), 5) for _ in range(2))
    assert (one[1] == two[1]).all()
