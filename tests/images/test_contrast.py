"""What sets groups apart: the means of their images against a slow loop, and what they show."""

import numpy as np
import pytest

from coterie.images import contrast
from coterie.images.contrast import GREY, set_apart

RNG = np.random.default_rng(0)


def by_loops(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(k, c, h, w) float64: mean of a group less mean of all, image by image."""
    sums = np.zeros((labels.max() + 1, *images.shape[1:]))
    for image, label in zip(images, labels, strict=True):
        sums[label] += image / 255
    return np.stack([sums[g] / (labels == g).sum() for g in range(len(sums))]) - sums.sum(axis=0) / len(images)


def test_pictures_are_the_means_of_the_groups_less_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "AT_ONCE", 7)
    images, labels = RNG.integers(0, 256, (50, 3, 6, 5), dtype=np.uint8), RNG.integers(0, 4, 50)
    pictures, strength = set_apart(images, labels)
    expected = by_loops(images, labels)
    assert strength == pytest.approx(np.abs(expected).max())
    assert pictures.dtype == np.uint8
    np.testing.assert_allclose((pictures.astype(float) - GREY) / GREY * strength, expected, atol=strength / GREY)


def test_a_pixel_that_makes_the_groups_stands_out_of_strokes_that_differ_more() -> None:
    labels = RNG.integers(0, 3, 3000)
    images = RNG.integers(0, 256, (3000, 1, 8, 8), dtype=np.uint8)
    images[:, 0, 0, 0] = np.array([100, 128, 156])[labels]
    pictures, strength = set_apart(images, labels)
    assert strength == pytest.approx(28 / 255, abs=0.01)
    assert [picture[0, 0, 0] for picture in pictures][::2] == [0, 254]
    assert np.abs(pictures[0, 0].astype(int) - GREY).flatten()[1:].max() < 60


def test_many_images_are_looked_at_evenly_and_a_group_that_is_missed_is_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "MOST", 10)
    images, labels = RNG.integers(0, 256, (30, 1, 4, 4), dtype=np.uint8), np.tile([0, 2, 1], 10)
    pictures, strength = set_apart(images, labels)
    assert strength == 0
    assert (pictures == GREY).all()


def test_images_that_are_all_alike_are_set_apart_by_nothing() -> None:
    pictures, strength = set_apart(np.full((6, 1, 4, 4), 9, np.uint8), np.arange(6) % 2)
    assert strength == 0
    assert (pictures == GREY).all()
