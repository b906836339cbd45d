"""Groups of what images look like as a whole, and UDC that looks for something else beside them."""

import numpy as np
import pytest
import torch

from coterie.errors import ConfigError
from coterie.images.store import open_images
from coterie.methods.adversaries import codes
from coterie.methods.beside import AT_ONCE, groups_of_batches, pixel_groups
from coterie.metrics import nmi
from methods.udc_runs import IMAGES, train

MARKS = (25, 128, 230)


def marked(n: int, side: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n images (n, 1, side, side) that are dark left or right, with a pixel of three values: images, sides, values."""
    rng = np.random.default_rng(0)
    images = rng.integers(100, 156, (n, 1, side, side)).astype(np.uint8)
    sides, values = rng.integers(0, 2, n), rng.integers(0, 3, n)
    images[sides == 0, :, :, : side // 2] //= 2
    images[sides == 1, :, :, side // 2 :] //= 2
    images[:, 0, 0, 0] = np.array(MARKS)[values]
    return images, sides, values


def test_groups_are_of_what_is_large_and_not_of_one_pixel() -> None:
    images, sides, values = marked(2 * AT_ONCE + 10)
    groups = pixel_groups(open_images(images), 2)
    assert groups.dtype == torch.int64
    assert nmi(sides, groups.numpy(), "arithmetic") == pytest.approx(1)
    assert nmi(values, groups.numpy(), "arithmetic") < 0.01


def test_groups_learned_from_every_other_image_are_of_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    images, sides, _ = marked(90, 8)
    monkeypatch.setattr("coterie.methods.beside.LEARNED_FROM", 30)
    groups = pixel_groups(open_images(images), 2)
    assert len(groups) == 90
    assert nmi(sides, groups.numpy(), "arithmetic") == pytest.approx(1)


def test_more_groups_than_images_are_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"beside is 43 and there are 42 images; give at most as many"):
        train(None, beside=len(IMAGES) + 1)


def test_every_step_draws_images_of_the_groups_of_the_real_ones() -> None:
    real = torch.tensor([[0, 1], [2, 3]])
    assert groups_of_batches(real, 2).tolist() == [[0, 1], [2, 3], [0, 1], [2, 3], [0, 1]]


def test_a_generator_is_told_the_cluster_of_each_run_and_the_group_that_runs_share() -> None:
    told = codes(3, torch.tensor([[0, 2], [1, 1]]), torch.tensor([1, 0]), 2)
    assert told.tolist() == [[[1, 0, 0, 0, 1], [0, 0, 1, 0, 1]], [[0, 1, 0, 1, 0], [0, 1, 0, 1, 0]]]
    assert codes(3, torch.tensor([[0, 2]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]


def test_one_group_is_none() -> None:
    one, none = train(None, beside=1, iterations=2), train(None, iterations=2)
    assert np.array_equal(one.embedding_, none.embedding_)


def test_a_training_beside_groups_answers_draws_and_places_as_any_other() -> None:
    model = train(None, beside=3)
    assert model.samples_.shape[1:] == (8, 1, 12, 12)
    assert np.array_equal(model.predict(IMAGES), model.labels_)
    assert not np.array_equal(model.embedding_, train(None).embedding_)
