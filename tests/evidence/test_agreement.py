"""Whether a model says the same of changed images, with models that look at one thing only."""

import numpy as np

from coterie.evidence.agreement import SAMPLE, agreement_under_change


class Looks:
    """A model whose label is whether an image is bright as a whole, or in one pixel."""

    def __init__(self, images: np.ndarray, at_one_pixel: bool) -> None:
        self.at_one_pixel, self.seen = at_one_pixel, 0
        self.labels_ = self.predict(images)

    def predict(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        self.seen = len(images)
        looked_at = images[:, 0, 0, 0] if self.at_one_pixel else images.mean(axis=(1, 2, 3))
        return (looked_at > 128).astype(np.int64)


def pictures(n: int) -> np.ndarray:
    """Half of them bright; the pixel in the corner is bright or not by itself."""
    rng = np.random.default_rng(0)
    images = np.where(np.arange(n) % 2, 230, 25)[:, None, None, None] * np.ones((1, 1, 12, 12))
    images[:, 0, 0, 0] = rng.integers(0, 2, n) * 255
    return images.astype(np.uint8)


def test_what_is_seen_in_the_whole_image_survives_a_change_and_one_pixel_does_not() -> None:
    images = pictures(400)
    whole = agreement_under_change(Looks(images, at_one_pixel=False), images)
    corner = agreement_under_change(Looks(images, at_one_pixel=True), images)
    assert whole == 1.0
    assert 0.3 < corner < 0.8


def test_it_is_the_same_whenever_it_is_asked() -> None:
    images = pictures(300)
    model = Looks(images, at_one_pixel=True)
    assert agreement_under_change(model, images) == agreement_under_change(model, images)


def test_of_many_images_some_that_lie_evenly_are_asked() -> None:
    images = pictures(2 * SAMPLE + 10)
    model = Looks(images, at_one_pixel=False)
    agreement_under_change(model, images)
    assert SAMPLE / 2 < model.seen <= SAMPLE
