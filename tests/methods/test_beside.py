"""Groups of what images look like as a whole, and UDC that looks for something else beside them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import ConfigError, FewImagesWarning
from coterie.images.store import open_images
from coterie.methods import udc as module
from coterie.methods.adversaries import codes
from coterie.methods.beside import AT_ONCE, FEWEST, groups_of_batches, pixel_groups, warn_of_small
from coterie.methods.udc import UDC
from coterie.metrics import nmi
from methods.saving import fail_once
from methods.udc_runs import IMAGES, SETTINGS, assert_same, train

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


def test_colours_make_groups_too() -> None:
    images = np.random.default_rng(0).integers(0, 30, (20, 3, 6, 6), dtype=np.uint8)
    images[::2, 0] += 200
    groups = pixel_groups(open_images(images.transpose(0, 2, 3, 1)), 2)
    assert nmi(np.arange(20) % 2, groups.numpy(), "arithmetic") == pytest.approx(1)


def test_groups_learned_from_every_other_image_are_of_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    images, sides, _ = marked(90, 8)
    monkeypatch.setattr("coterie.methods.beside.LEARNED_FROM", 30)
    groups = pixel_groups(open_images(images), 2)
    assert len(groups) == 90
    assert nmi(sides, groups.numpy(), "arithmetic") == pytest.approx(1)


@pytest.mark.parametrize(
    ("n", "sentence"),
    [
        (len(IMAGES) + 1, rf"beside is {len(IMAGES) + 1} and the images fall into {len(IMAGES)} groups; give beside="),
        (1, r"beside is 1; expected a whole number of at least 2, or 0 for none"),
        (-2, r"beside is -2; expected a whole number"),
    ],
)
def test_a_number_of_groups_that_cannot_be_is_refused(n: int, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        train(None, beside=n)


@pytest.mark.filterwarnings("ignore:12 images are exact copies")
def test_more_groups_than_there_are_different_images_are_refused_with_their_number() -> None:
    images = np.repeat(np.random.default_rng(0).integers(0, 256, (3, 1, 6, 6), dtype=np.uint8), 5, axis=0)
    with pytest.raises(ConfigError, match="beside is 4 and the images fall into 3 groups; give beside=3 or fewer"):
        pixel_groups(open_images(images), 4)


def test_groups_with_few_images_to_train_on_are_told_with_their_number() -> None:
    groups = torch.arange(3).repeat_interleave(torch.tensor([FEWEST - 1, FEWEST, FEWEST]))
    with pytest.warns(FewImagesWarning, match=r"1 of the 3 groups .* fewer than 100 .*\(the smallest 99\)"):
        warn_of_small(groups, 3)
    with pytest.warns(FewImagesWarning, match=r"1 of the 4 groups .*\(the smallest 0\)"):
        warn_of_small(torch.arange(3).repeat_interleave(FEWEST), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_small(torch.arange(2).repeat_interleave(FEWEST), 2)


@pytest.mark.filterwarnings("ignore:only 2 of the 3 clusters")
def test_a_training_beside_groups_tells_of_those_it_has_few_images_of() -> None:
    with pytest.warns(FewImagesWarning, match=r"3 of the 3 groups that clusters are drawn beside"):
        UDC(**{**SETTINGS, "iterations": 1}, beside=3).fit(IMAGES)


def test_every_step_draws_images_of_the_groups_of_the_real_ones() -> None:
    real = torch.tensor([[0, 1], [2, 3]])
    assert groups_of_batches(real, 2).tolist() == [[0, 1], [2, 3], [0, 1], [2, 3], [0, 1]]


def test_a_generator_is_told_the_cluster_of_each_run_and_the_group_that_runs_share() -> None:
    told = codes(3, torch.tensor([[0, 2], [1, 1]]), torch.tensor([1, 0]), 2)
    assert told.tolist() == [[[1, 0, 0, 0, 1], [0, 0, 1, 0, 1]], [[0, 1, 0, 1, 0], [0, 1, 0, 1, 0]]]
    assert codes(3, torch.tensor([[0, 2]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]


def test_an_iteration_has_the_groups_of_its_own_real_images(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, iterate = [], module.iterate

    def spy(players: Any, real: Any, draw: Any, *given: Any) -> Any:
        seen.append((real[:, :, 0], draw.groups))
        return iterate(players, real, draw, *given)

    monkeypatch.setattr(module, "iterate", spy)
    train(None, beside=3, iterations=2)
    known = pixel_groups(open_images(IMAGES), 3)
    images = torch.from_numpy(IMAGES).float().reshape(len(IMAGES), -1) / 255
    for real, groups in seen:
        distances = torch.cdist(real.flatten(0, 1).flatten(1), images)
        assert distances.min(1).values.max() < 0.05 < distances.topk(2, largest=False).values[:, 1].min()
        own = known[distances.argmin(1)].view(real.shape[:2])
        assert torch.equal(groups, torch.cat([own, own[[0, 1]]]))  # one step of the classifier, one of the generator


def test_a_training_that_goes_on_has_the_groups_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = train(None, beside=3)
    fail_once(monkeypatch, module, "iterate", at=4)
    with pytest.raises(MemoryError):
        train(tmp_path, 0.0, beside=3)
    monkeypatch.setattr(module, "pixel_groups", lambda store, _: torch.zeros(len(store), dtype=torch.int64))
    assert_same(train(tmp_path, 0.0, beside=3), straight)


def test_a_training_beside_groups_answers_draws_and_places_as_any_other() -> None:
    model = train(None, beside=3)
    assert model.samples_.shape[1:] == (8, 1, 12, 12)
    assert np.array_equal(model.predict(IMAGES), model.labels_)
    assert not np.array_equal(model.embedding_, train(None).embedding_)
