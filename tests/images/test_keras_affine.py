"""The augmentations of DAC and DCCM against Keras' arithmetic, image by image, with SciPy's affine map (dac.md 5)."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from coterie.errors import ConfigError
from coterie.images.draws import Draws
from coterie.images.keras_affine import ChannelShift, KerasAffine, Rescale, Turn, turn_matrix
from coterie.images.presets import PRESETS
from coterie.images.warp import warp

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(b: int = 30, channels: int = 3, height: int = 16, width: int = 16) -> torch.Tensor:
    return torch.rand(b, channels, height, width, generator=generator(1))


def keras(image: np.ndarray, turn: Turn, i: int) -> np.ndarray:
    """One image (c, h, w) through the matrices of ImageDataGenerator: nearest pixels, edges repeated."""
    height, width = image.shape[1:]
    angle = float(turn.angle[i])
    rows, columns = float(turn.shift[i, 0]) * height, float(turn.shift[i, 1]) * width
    rotation = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    translation = np.array([[1, 0, rows], [0, 1, columns], [0, 0, 1]])
    zoom = np.diag([float(turn.zoom[i, 0]), float(turn.zoom[i, 1]), 1.0])
    there, back = np.eye(3), np.eye(3)
    there[:2, 2] = height / 2 + 0.5, width / 2 + 0.5
    back[:2, 2] = -there[:2, 2]
    matrix = there @ rotation @ translation @ zoom @ back
    moved = [affine_transform(channel, matrix[:2, :2], matrix[:2, 2], order=0, mode="nearest") for channel in image]
    return np.stack(moved)[:, :, :: int(turn.mirror[i])]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 23)])
@pytest.mark.parametrize(
    "step", [KerasAffine(20, 0.18, (0.85, 1.15), flip=0.5), KerasAffine(180, 0.4, (0.5, 2.0), 0.5)]
)
def test_every_pixel_is_taken_from_where_keras_takes_it(step: KerasAffine, height: int, width: int) -> None:
    images = noise(height=height, width=width)
    turn = step.draw(Draws(len(images), CPU, generator()))
    ours = warp(images, turn_matrix(turn, (height, width)), (height, width), "edge", "nearest").numpy()
    theirs = np.stack([keras(image, turn, i) for i, image in enumerate(images.numpy())])
    # where a place lies in the middle between two pixels, float32 and float64 may take different ones
    assert (ours != theirs).mean() < 1e-3


def test_the_step_draws_and_warps() -> None:
    step, images = KerasAffine(20, 0.18, (0.85, 1.15), flip=0.5), noise()
    turn = step.draw(Draws(30, CPU, generator(3)))
    expected = warp(images, turn_matrix(turn, (16, 16)), (16, 16), "edge", "nearest")
    assert torch.equal(step(images, Draws(30, CPU, generator(3))), expected)


def test_without_ranges_nothing_moves_and_a_flip_is_a_flip() -> None:
    images = noise(height=12, width=20)
    assert torch.equal(KerasAffine()(images, Draws(30, CPU, generator())), images)
    assert torch.equal(KerasAffine(flip=1.0)(images, Draws(30, CPU, generator())), images.flip(3))


def test_values_are_those_of_the_image_and_nothing_between() -> None:
    images = noise(channels=1)
    result = KerasAffine(20, 0.18, (0.85, 1.15))(images, Draws(30, CPU, generator()))
    for before, after in zip(images, result, strict=True):
        assert torch.isin(after, before).all()


def test_draws_fill_their_ranges_and_zoom_and_shift_are_drawn_for_each_axis() -> None:
    turn = KerasAffine(20, 0.18, (0.85, 1.15), flip=0.5).draw(Draws(20_000, CPU, generator(3)))
    for values, low, high in (
        (turn.angle.rad2deg(), -20, 20), (turn.shift[:, 0], -0.18, 0.18), (turn.shift[:, 1], -0.18, 0.18),
        (turn.zoom[:, 0], 0.85, 1.15), (turn.zoom[:, 1], 0.85, 1.15),
    ):  # fmt: skip
        spread = (values - low) / (high - low)
        assert spread.min() >= -1e-5
        assert spread.max() <= 1 + 1e-5
        assert spread.mean() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(turn.zoom.T.numpy())[0, 1] == pytest.approx(0, abs=0.03)
    assert np.corrcoef(turn.shift.T.numpy())[0, 1] == pytest.approx(0, abs=0.03)
    assert (turn.mirror == -1).float().mean() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_channel_shift_is_clipped_to_what_the_image_held(channels: int) -> None:
    images = 0.2 + 0.5 * noise(channels=channels)
    moves = Draws(30, CPU, generator(5)).uniform((-0.1, 0.1), columns=channels).view(30, channels)
    result = ChannelShift(0.1)(images, Draws(30, CPU, generator(5)))
    for image, move, ours in zip(images.numpy(), moves.numpy(), result.numpy(), strict=True):
        channel = [np.clip(one + by, image.min(), image.max()) for one, by in zip(image, move, strict=True)]
        np.testing.assert_allclose(ours, np.stack(channel), rtol=1e-6)


def test_a_rescaling_multiplies() -> None:
    images = noise()
    assert torch.equal(Rescale(0.975)(images, Draws(30, CPU, generator())), images * 0.975)


@pytest.mark.parametrize(
    ("name", "affine", "channels", "factor"),
    [  # the table of dac.md section 5
        ("dac-cifar", KerasAffine(20, 0.18, (0.85, 1.15), 0.5), 0.1, 0.95),
        ("dac-cifar-mild", KerasAffine(10, 0.09, (0.95, 1.05), 0.5), 0.05, 0.975),
        ("dac", KerasAffine(10, 0.1, (0.95, 1.05), 0.5), 0.05, 0.975),
        ("dac-mnist", KerasAffine(10, 0.1, (0.95, 1.05), 0.0), 0.05, 0.975),
    ],
)
def test_the_presets_are_those_of_the_scripts(name: str, affine: KerasAffine, channels: float, factor: float) -> None:
    assert PRESETS[name].steps == (affine, ChannelShift(channels), Rescale(factor))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: KerasAffine(rotation=200), "rotation=200"),
        (lambda: KerasAffine(shift=2), "shift=2"),
        (lambda: KerasAffine(zoom=(1.2, 0.8)), "zoom=.* runs backwards"),
        (lambda: KerasAffine(flip=-1), "flip=-1"),
        (lambda: ChannelShift(2), "most=2"),
        (lambda: Rescale(1.5), "factor=1.5"),
    ],
    ids=range(6),
)
def test_a_range_that_cannot_be_is_refused(make: object, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make()  # type: ignore[operator]
