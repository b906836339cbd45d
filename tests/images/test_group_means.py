"""What sets groups apart: the means of their images against a slow loop, and what they show."""

import numpy as np
import pytest
from scipy.stats import norm

from coterie.images import group_means
from coterie.images.group_means import GREY, set_apart, shrunk

RNG = np.random.default_rng(0)


def by_loops(images: np.ndarray, labels: np.ndarray, chance: float) -> np.ndarray:
    """(k, c, h, w) float64: the mean of a group less that of all, nearer to 0 by ``chance`` standard errors."""
    pixels = images / 255
    k, everywhere = labels.max() + 1, pixels.mean(axis=0)
    rest = np.zeros(images.shape[1:])
    for image, label in zip(pixels, labels, strict=True):
        rest += (image - pixels[labels == label].mean(axis=0)) ** 2
    found = []
    for g in range(k):
        own = pixels[labels == g]
        error = np.sqrt(rest / (len(pixels) - k) / len(own))
        difference = own.mean(axis=0) - everywhere
        more = difference - np.sign(difference) * chance * error
        found.append(np.where(abs(difference) > chance * error, more, 0))
    return np.stack(found)


def test_pictures_are_the_means_of_the_groups_less_that_of_all_and_less_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_means, "AT_ONCE", 7)
    images, labels = RNG.integers(0, 256, (50, 3, 6, 5), dtype=np.uint8), RNG.integers(0, 4, 50)
    images[labels == 2, :, :3] //= 8
    pictures, strength = set_apart(images, labels, 40, 128)
    chance = norm.isf(0.25 / (4 * 3 * 6 * 5))  # a quarter of a pixel to either side
    expected = by_loops(images, labels, chance)
    assert strength == pytest.approx(np.abs(expected).max())
    assert strength > 0
    assert pictures.dtype == np.uint8
    np.testing.assert_allclose((pictures.astype(float) - GREY) / GREY * strength, expected, atol=strength / GREY)


def marked(labels: np.ndarray) -> np.ndarray:
    """Images of noise (n, 1, 8, 8) whose first pixel is faint and says what ``labels`` are modulo 3."""
    images = RNG.integers(0, 256, (len(labels), 1, 8, 8), dtype=np.uint8)
    images[:, 0, 0, 0] = np.array([100, 128, 156])[labels % 3]
    return images


def test_a_pixel_that_makes_the_groups_is_all_that_stands_out_of_strokes_that_differ_more() -> None:
    labels = RNG.integers(0, 3, 3000)
    pictures, strength = set_apart(marked(labels), labels, 40, 128)
    assert strength == pytest.approx(28 / 255, abs=0.01)
    assert [picture[0, 0, 0] for picture in pictures][::2] == [0, 254]
    pictures[:, :, 0, 0] = GREY
    assert (pictures == GREY).all()


@pytest.mark.parametrize("size", [1, 3])
def test_a_tiny_group_does_not_outshine_the_others(size: int) -> None:
    labels = np.concatenate([np.arange(3000) % 3, np.full(size, 3)])
    pictures, strength = set_apart(marked(labels), labels, 40, 128)
    assert strength == pytest.approx(28 / 255, abs=0.01)
    assert [picture[0, 0, 0] for picture in pictures][:3:2] == [0, 254]
    assert (pictures[3, 0, 1:] == GREY).all()


def test_groups_at_random_are_set_apart_by_next_to_nothing() -> None:
    pictures, strength = set_apart(RNG.integers(0, 256, (400, 1, 16, 16), dtype=np.uint8), np.arange(400) % 40, 40, 128)
    assert strength < 0.05
    assert (pictures != GREY).sum() <= 3


def test_images_are_shrunk_to_means_and_never_enlarged() -> None:
    images = RNG.integers(0, 256, (3, 3, 8, 4), dtype=np.uint8)
    assert shrunk(images, 8) is images
    half = shrunk(images, 4)
    assert half.shape == (3, 3, 4, 2)
    assert half.dtype == np.uint8
    np.testing.assert_allclose(half, images.reshape(3, 3, 4, 2, 2, 2).mean(axis=(3, 5)), atol=0.5)
    assert shrunk(images, 1).shape == (3, 3, 1, 1)
    assert shrunk(images[:0], 4).shape == (0, 3, 8, 4)


def test_of_many_images_some_are_looked_at_and_a_group_without_any_is_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_means, "MOST", 10)
    labels = np.full(40, 2)
    looked_at = np.random.default_rng(0).choice(40, 10, replace=False)
    labels[looked_at] = np.arange(10) % 2
    images = np.array([50, 100, 200], np.uint8)[labels].reshape(-1, 1, 1, 1) * np.ones((40, 1, 4, 4), np.uint8)
    pictures, strength = set_apart(images, labels, 40, 128)
    assert strength == pytest.approx(25 / 255)  # of those ten
    assert [int(picture[0, 0, 0]) for picture in pictures] == [0, 254, GREY]


def test_a_lone_pixel_of_large_images_stays_as_strong_and_groups_beyond_the_first_have_no_say() -> None:
    labels = np.concatenate([np.arange(300) % 2, np.full(150, 2)])
    images = np.full((450, 1, 40, 20), 100, np.uint8)
    images[labels == 1, 0, 7, 3] = 220
    images[labels == 2, 0, 30:] = 250
    pictures, strength = set_apart(images, labels, 2, 8)
    assert pictures.shape == (2, 1, 8, 4)
    assert strength == pytest.approx((220 - (100 + 220 + 100) / 3) / 255)
    assert pictures[1, 0, 1, 0] == 254
    assert pictures[0, 0, 1, 0] == np.rint(127 - 127 / 2)  # darker than the mean of all by half as much


def test_images_that_are_all_alike_are_set_apart_by_nothing() -> None:
    pictures, strength = set_apart(np.full((6, 1, 4, 4), 9, np.uint8), np.arange(6) % 2, 40, 128)
    assert strength == 0
    assert (pictures == GREY).all()
