"""The one warp: against Pillow, kornia and torch's own flips and turns; and what its draws look like."""

import math
from dataclasses import replace
from typing import Any

import kornia.geometry.transform as kornia
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import ks_2samp

from coterie.images.augment import Augmentation
from coterie.images.draws import Draws
from coterie.images.warp import Outside, Placement, Warp, background, warp, warp_matrix, warp_places

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(b: int = 6, channels: int = 3, height: int = 16, width: int = 16) -> torch.Tensor:
    return torch.rand(b, channels, height, width, generator=generator(1))


def smooth(b: int, height: int, width: int) -> torch.Tensor:
    """Waves of random phase, for comparisons of several samplings with one."""
    phase = 6 * torch.rand(b, 3, 1, 1, generator=generator(2))
    y = torch.linspace(0, 3, height)[:, None]
    return 0.5 + 0.4 * (torch.sin(y + torch.linspace(0, 3, width) + phase))


def still(b: int, **changes: Any) -> Placement:
    """Everything stays where it is, but for ``changes``: numbers, or pairs for what has two columns."""
    placement = Warp().draw(16, 16, Draws(b, CPU, generator()))
    fields = {}
    for name, value in changes.items():
        column = torch.as_tensor(value, dtype=torch.float32)
        fields[name] = column.expand_as(getattr(placement, name)) if column.shape[:1] != (b,) else column
    return replace(placement, **fields)


def moved(images: torch.Tensor, outside: Outside = "edge", **changes: Any) -> torch.Tensor:
    output = (images.shape[2], images.shape[3])
    return warp(images, warp_matrix(still(len(images), **changes), output), output, outside)


@pytest.mark.parametrize("outside", ["edge", "background"])
@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (1, 5)])
def test_a_warp_without_ranges_is_the_identity(outside: Outside, shape: tuple[int, int]) -> None:
    images = noise(6, 3, *shape)
    result = Warp(outside=outside)(images, Draws(6, CPU, generator()))
    torch.testing.assert_close(result, images, rtol=0, atol=1e-5)


def test_places_are_those_of_torchs_affine_grid() -> None:
    matrix = torch.randn(5, 2, 3, generator=generator())
    theirs = torch.nn.functional.affine_grid(matrix, [5, 1, 7, 10], align_corners=False)
    torch.testing.assert_close(warp_places(matrix, (7, 10)), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [16, 23])
def test_a_flip_is_torchs_and_twice_is_the_identity(width: int) -> None:
    images = noise(width=width)
    flipped = moved(images, mirror=-1)
    torch.testing.assert_close(flipped, images.flip(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(moved(flipped, mirror=-1), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_torchs_counter_clockwise_as_seen(quarters: int) -> None:
    images = noise()
    turned = moved(images, angle=quarters * math.pi / 2)
    torch.testing.assert_close(turned, images.rot90(quarters, (2, 3)), rtol=0, atol=1e-5)


def test_half_a_turn_of_an_oblong_image_flips_both_axes() -> None:
    images = noise(height=12, width=20)
    torch.testing.assert_close(moved(images, angle=math.pi), images.flip(2, 3), rtol=0, atol=1e-5)


def test_a_shift_moves_to_the_right_and_down_and_repeats_the_edge() -> None:
    images = noise()
    result = moved(images, shift=(4 / 16, 2 / 16))
    torch.testing.assert_close(result[:, :, 2:, 4:], images[:, :, :-2, :-4], rtol=0, atol=1e-5)
    torch.testing.assert_close(result[:, :, 2:, :4], images[:, :, :-2, :1].expand(-1, -1, -1, 4), rtol=0, atol=1e-5)


def test_what_comes_from_outside_is_the_background_of_each_image_and_channel() -> None:
    images = noise()
    colours = torch.rand(6, 3, 1, 1, generator=generator(7))
    images[..., :2], images[..., -2:], images[:, :, :2], images[:, :, -2:] = (colours,) * 4
    images[:, :, 0, 3] = 1  # a stroke that touches the border is not the background
    assert torch.equal(background(images), colours)
    away = moved(images, "background", shift=(0, 1))
    torch.testing.assert_close(away, colours.expand_as(images), rtol=0, atol=1e-5)


def test_what_comes_from_outside_is_black_where_that_is_asked_for() -> None:
    images = noise().clamp_min(0.1)
    away = moved(images, "black", shift=(0, 0.5))
    half = images.shape[2] // 2
    assert not away[:, :, :half].any()
    torch.testing.assert_close(away[:, :, half:], images[:, :, : images.shape[2] - half], rtol=0, atol=1e-5)


def test_the_nearest_pixel_is_one_of_the_image() -> None:
    images = noise(4, 1, 12, 12)
    turned = Warp(rotation=30, outside="black", sampling="nearest")(images, Draws(4, CPU, generator()))
    for image, found in zip(images, turned, strict=True):
        assert set(found.flatten().tolist()) <= {0.0, *image.flatten().tolist()}


@pytest.mark.parametrize("shape", [(16, 16), (20, 33)])
def test_the_nearest_pixel_and_black_are_those_of_pillows_affine_map(shape: tuple[int, int]) -> None:
    b, (height, width) = 20, shape
    images = noise(b, 1, height, width)
    step = Warp(flip=0.5, rotation=180, shift=0.4, scale=(0.5, 1.5), shear=30, outside="black", sampling="nearest")
    matrix = warp_matrix(step.draw(height, width, Draws(b, CPU, generator(4))), shape)
    ours = step(images, Draws(b, CPU, generator(4)))
    for image, found, ((a, c, e), (d, f, g)) in zip(images[:, 0], ours[:, 0], matrix.double().tolist(), strict=True):
        # places from -1 to 1 as pixels counted from the outer edge
        x_from = (a, c * width / height, (1 + e - a - c) * width / 2)
        y_from = (d * height / width, f, (1 + g - d - f) * height / 2)
        theirs = Image.fromarray(image.numpy()).transform(
            (width, height), Image.Transform.AFFINE, (*x_from, *y_from), Image.Resampling.NEAREST, fillcolor=0
        )
        same = found.numpy() == np.asarray(theirs)
        assert same.mean() > 0.995, "float32 and float64 may part at the border of two pixels, and nowhere else"


@pytest.mark.parametrize("shape", [(16, 16), (20, 33)])
def test_rotation_shear_scale_and_shift_are_kornias(shape: tuple[int, int]) -> None:
    b, (height, width) = 40, shape
    images = noise(b, 1, height, width)
    rand = torch.rand(b, 5, generator=generator(4))
    angle, shear, scale = 3 * rand[:, 0], rand[:, 1] - 0.5, 0.5 + rand[:, 2]
    shift = rand[:, 3:] - 0.5
    ours = moved(images, "background", angle=angle, shear=shear, scale=scale, shift=shift)
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2]).expand(b, 2)
    matrix = kornia.get_affine_matrix2d(
        shift * torch.tensor([width, height]), middle, scale[:, None].expand(b, 2), -angle.rad2deg(), -shear, 0 * shear
    )
    ground = background(images)
    theirs = kornia.warp_affine(images - ground, matrix[:, :2], shape) + ground
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-5)


@pytest.mark.parametrize("output", [(16, 16), (24, 40)])
def test_a_crop_is_pillows_resize_of_the_box(output: tuple[int, int]) -> None:
    height, width = 16, 20
    images = noise(20, 1, height, width)  # boxes of 16 x 13 pixels at most: Pillow filters what it makes smaller
    rand = torch.rand(20, 4, generator=generator(5))
    extent = 0.2 + 0.6 * rand[:, :2]
    centre = (2 * rand[:, 2:] - 1) * (1 - extent)
    result = warp(images, warp_matrix(still(20, centre=centre, extent=extent), output), output, "edge")
    low = ((1 + centre - extent) / 2 * torch.tensor([width, height])).numpy()
    high = ((1 + centre + extent) / 2 * torch.tensor([width, height])).numpy()
    for image, ours, (left, top), (right, bottom) in zip(images[:, 0], result[:, 0], low, high, strict=True):
        box = (float(left), float(top), float(right), float(bottom))
        theirs = Image.fromarray(image.numpy()).resize(output[::-1], Image.Resampling.BILINEAR, box=box)
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)


def test_a_crop_is_also_kornias() -> None:
    images = noise(1, 3, 32, 32)
    place = still(1, centre=(-0.25, 0.125), extent=(0.5, 0.625))  # pixels 4..20 across, 8..28 down
    ours = warp(images, warp_matrix(place, (32, 32)), (32, 32), "edge")
    theirs = kornia.resize(images[:, :, 8:28, 4:20], (32, 32), align_corners=False)
    # kornia repeats the pixels at the border of the box, ours sees those beyond it
    torch.testing.assert_close(ours[:, :, 1:-1, 1:-1], theirs[:, :, 1:-1, 1:-1], rtol=0, atol=1e-5)


def test_all_together_do_what_they_do_one_after_another() -> None:
    images = smooth(8, 48, 48)
    box = {"centre": (0.1, -0.2), "extent": (0.6, 0.5)}
    turn = {"angle": 0.3, "shear": 0.1, "scale": 1.3, "shift": (0.05, -0.1)}
    at_once = moved(images, mirror=-1, **box, **turn)
    in_turn = moved(moved(moved(images, **box), mirror=-1), **turn)
    torch.testing.assert_close(at_once[:, :, 8:-8, 8:-8], in_turn[:, :, 8:-8, 8:-8], rtol=0, atol=2e-3)


def test_a_size_sets_the_pixels_of_the_result() -> None:
    images = smooth(4, 40, 40)
    result = Augmentation((Warp(crop=(0.64, 0.64), ratio=(1, 1), size=32),))(images, generator())
    assert result.shape == (4, 3, 32, 32)


def test_small_grey_images_stay_recognisable() -> None:
    images = smooth(10, 16, 16)[:, :1]
    result = Augmentation((Warp(rotation=5, shift=0.02, outside="background"),))(images, generator())
    assert result.shape == (10, 1, 16, 16)
    assert (result - images).abs().mean() < 0.05


def torchvision_boxes(n: int, aspect: float, area: tuple[float, float], seed: int) -> np.ndarray:
    """(n, 4) width, height, left, top as shares: the published rule of RandomResizedCrop, one image at a time."""
    random, boxes = np.random.default_rng(seed), []
    for _ in range(n):
        for _ in range(10):
            share = random.uniform(*area)
            ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
            width, height = math.sqrt(share * ratio / aspect), math.sqrt(share / ratio * aspect)
            if width <= 1 and height <= 1:
                boxes.append((width, height, random.uniform(0, 1 - width), random.uniform(0, 1 - height)))
                break
    return np.array(boxes)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 48)])
def test_crops_are_spread_as_torchvisions(height: int, width: int) -> None:
    place = Warp(crop=(0.2, 1)).draw(height, width, Draws(20_000, CPU, generator(8)))
    corner = (1 + place.centre - place.extent) / 2
    ours = torch.cat([place.extent, corner], 1).numpy()
    assert (ours[:, :2] <= 1).all()
    assert (ours[:, 2:] >= -1e-6).all()
    assert (ours[:, 2:] + ours[:, :2] <= 1 + 1e-6).all()
    theirs = torchvision_boxes(20_000, width / height, (0.2, 1), seed=9)
    for column in range(4):
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 0.01


def test_crops_keep_to_the_ranges_of_area_and_ratio() -> None:
    place = Warp(crop=(0.3, 0.6), ratio=(0.5, 2)).draw(20, 30, Draws(5000, CPU, generator()))
    area, ratio = place.extent.prod(1), place.extent[:, 0] / place.extent[:, 1] * 1.5
    assert 0.3 - 1e-5 <= area.min() < 0.31
    assert 0.59 < area.max() <= 0.6 + 1e-5
    assert 0.5 - 1e-5 <= ratio.min() < 0.52
    assert 1.9 < ratio.max() <= 2 + 1e-5


@pytest.mark.parametrize(("width", "share"), [(32, 1.0), (128, 1 / 3), (8, 1.0)])
def test_where_no_box_fits_the_largest_of_an_allowed_shape_is_taken(width: int, share: float) -> None:
    place = Warp(crop=(1, 1)).draw(32, width, Draws(50, CPU, generator()))
    height = min(1.0, (width / 32) / (3 / 4))
    torch.testing.assert_close(place.extent, torch.tensor([[share, height]]).expand(50, 2))


def test_affine_draws_fill_their_ranges_and_no_more() -> None:
    step = Warp(flip=0.3, rotation=15, shift=0.1, scale=(0.8, 1.2), shear=10)
    place = step.draw(16, 16, Draws(20_000, CPU, generator(3)))
    assert (place.mirror == -1).float().mean() == pytest.approx(0.3, abs=0.015)
    for values, low, high in (
        (place.angle.rad2deg(), -15, 15),
        (place.shear.rad2deg(), -10, 10),
        (place.scale, 0.8, 1.2),
        (place.shift[:, 0], -0.1, 0.1),
        (place.shift[:, 1], -0.1, 0.1),
    ):
        spread = (values - low) / (high - low)
        assert spread.min() >= -1e-5
        assert spread.max() <= 1 + 1e-5
        assert spread.mean() == pytest.approx(0.5, abs=0.01)
        assert spread.std() == pytest.approx(math.sqrt(1 / 12), abs=0.01)
    assert np.corrcoef(place.shift.T.numpy())[0, 1] == pytest.approx(0, abs=0.03)
