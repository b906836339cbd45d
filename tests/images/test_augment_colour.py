"""Colour, gamma, blur and noise: against kornia, Pillow and colorsys; and what their draws look like."""

import colorsys
from collections import Counter
from itertools import permutations

import kornia.enhance
import kornia.filters
import numpy as np
import pytest
import torch
from PIL import Image

from coterie.images.augment import Augmentation
from coterie.images.blur import Blur, blur
from coterie.images.colour import Gamma, Grey, Jitter, blend_, grey_of, jitter_, turn_hue
from coterie.images.draws import Draws
from coterie.images.noise import Noise

CPU = torch.device("cpu")
ADJUST = (
    kornia.enhance.adjust_brightness_accumulative,
    kornia.enhance.adjust_contrast_with_mean_subtraction,
    kornia.enhance.adjust_saturation_with_gray_subtraction,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def colours(b: int = 24, channels: int = 3, side: int = 12, seed: int = 1) -> torch.Tensor:
    """Random pixels, among them greys, black, white and pure colours."""
    images = torch.rand(b, channels, side, side, generator=generator(seed))
    images[..., 0] = images[:, :1, :, 0]
    images[..., 1] = images[..., 1].round()
    return images


@pytest.mark.parametrize("which", [0, 1, 2], ids=["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_contrast_and_saturation_are_kornias(which: int, channels: int) -> None:
    images, factors = colours(channels=channels), 2 * torch.rand(24, 3, generator=generator())
    ours = blend_(images.clone(), factors, torch.full((24,), which))
    theirs = images if channels == 1 and which == 2 else ADJUST[which](images, factors[:, which])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


def test_a_turn_of_the_hue_is_that_of_colorsys() -> None:
    images, turns = colours(6), torch.tensor([-0.5, -0.31, 0, 0.1, 0.4, 0.5])
    turned = turn_hue(images, turns)
    for image, result, turn in zip(images, turned, turns, strict=True):
        for pixel, ours in zip(image.flatten(1).T.tolist(), result.flatten(1).T.tolist(), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
            assert ours == pytest.approx(colorsys.hsv_to_rgb((hue + float(turn)) % 1, saturation, value), abs=2e-6)


def test_a_turn_of_the_hue_is_kornias() -> None:
    images, turns = colours(), torch.rand(24, generator=generator()) - 0.5
    theirs = kornia.enhance.adjust_hue(images, turns * 2 * torch.pi)
    torch.testing.assert_close(turn_hue(images, turns), theirs, rtol=0, atol=1e-5)


def test_a_turn_of_the_hue_has_the_gradient_of_small_steps_and_none_that_is_not_a_number() -> None:
    images, turns = colours(6).double().requires_grad_(), torch.tensor([-0.5, -0.31, 0, 0.1, 0.4, 0.5]).double()
    smooth = images.detach()[..., 2:].requires_grad_()  # no two channels alike, where the slope is another on each side
    assert torch.autograd.gradcheck(lambda x: turn_hue(x, turns), smooth, eps=1e-8, atol=1e-4)
    turn_hue(images, turns).sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


def test_jitter_makes_the_same_images_where_a_gradient_goes_through_and_gives_them_one() -> None:
    images, jitter = colours(), Jitter(0.4, 0.4, 0.4, 0.1)
    watched = images.clone().requires_grad_()
    made = jitter(watched, Draws(24, CPU, generator()))
    torch.testing.assert_close(made, jitter(images, Draws(24, CPU, generator())), rtol=0, atol=1e-5)
    made.sum().backward()
    assert watched.grad is not None
    assert (watched.grad.flatten(1).abs().sum(1) > 0).all()


def test_a_whole_turn_of_the_hue_is_the_identity() -> None:
    torch.testing.assert_close(turn_hue(colours(), torch.ones(24)), colours(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("b", [1, 2, 3, 5, 24])
def test_jitter_is_kornias_in_the_order_of_each_image(b: int) -> None:
    images, draws = colours(b), Draws(b, CPU, generator(4))
    factors, order = draws.uniform((0.6, 1.4), columns=3), draws.orders(3)
    turns = draws.uniform((-0.4, 0.4))
    ours = jitter_(images.clone(), factors, order, turns)
    for i in range(b):
        hue_after = next(stage for stage in range(4) if i < b * (stage + 1) // 4)
        steps = order[i].tolist()
        expected = images[i : i + 1]
        for step in [*steps[:hue_after], 3, *steps[hue_after:]]:
            if step == 3:
                expected = kornia.enhance.adjust_hue(expected, turns[i : i + 1] * 2 * torch.pi)
            else:
                expected = ADJUST[step](expected, factors[i : i + 1, step])
        torch.testing.assert_close(ours[i : i + 1], expected, rtol=0, atol=2e-5)


def test_neutral_factors_are_the_identity() -> None:
    order = Draws(24, CPU, generator()).orders(3)
    result = jitter_(colours(), torch.ones(24, 3), order, torch.zeros(24))
    torch.testing.assert_close(result, colours(), rtol=0, atol=4e-6)


def test_jitter_spares_the_share_of_images_it_should_and_puts_each_result_in_its_own_row() -> None:
    base = torch.rand(1, 3, 2, 2, generator=generator(6)) * 0.5 + 0.25
    images = base.repeat(4000, 1, 1, 1)
    marked = images.clone()
    marked[::2] = 0.5  # grey: hue and saturation cannot be seen, so these rows stay grey
    result = Augmentation((Jitter(0.4, 0.4, 0.4, 0.4, probability=0.8),))(marked, generator())
    assert (result[::2] - result[::2, :1]).abs().max() < 1e-6
    spared = (result[1::2] - images[1::2]).abs().amax((1, 2, 3)) < 1e-5
    assert spared.float().mean() == pytest.approx(0.2, abs=0.03)


def test_every_order_is_as_likely_as_any_other_and_hue_meets_every_row_at_every_place() -> None:
    orders = Counter(tuple(row) for row in Draws(12_000, CPU, generator()).orders(3).tolist())
    assert set(orders) == set(permutations(range(3)))
    assert max(abs(count - 2000) for count in orders.values()) < 200
    draws = Draws(8, CPU, generator())
    quarter = torch.stack([draws.places() // 2 for _ in range(4000)])
    share = torch.stack([(quarter == place).float().mean(0) for place in range(4)])
    assert (share - 0.25).abs().max() < 0.03


def test_jitter_factors_fill_their_ranges() -> None:
    images = torch.full((20_000, 1, 1, 1), 0.5)
    result = Augmentation((Jitter(brightness=0.4),))(images, generator()).flatten() / 0.5
    assert 0.6 <= result.min() < 0.61
    assert 1.39 < result.max() <= 1.4 + 1e-6
    assert result.mean() == pytest.approx(1, abs=0.01)


def test_a_factor_is_never_below_zero() -> None:
    result = Augmentation((Jitter(brightness=3),))(torch.full((1000, 1, 1, 1), 0.1), generator())
    assert result.min() >= 0
    assert result.max() == pytest.approx(0.4, abs=0.01)


def test_a_single_channel_has_no_hue_and_no_saturation() -> None:
    images = colours(channels=1)
    result = Augmentation((Jitter(saturation=0.9, hue=0.5),))(images, generator())
    torch.testing.assert_close(result, images, rtol=0, atol=1e-6)


def test_grey_is_that_of_pillow_to_the_rounding() -> None:
    pixels = (colours(1, side=32)[0] * 255).byte()
    theirs = np.asarray(Image.fromarray(pixels.permute(1, 2, 0).numpy()).convert("L"))
    ours = grey_of(pixels[None].float() / 255)[0, 0] * 255
    np.testing.assert_allclose(ours, theirs, atol=0.6)


def test_grey_takes_the_colours_of_its_share_of_images_and_leaves_the_others_to_the_bit() -> None:
    images = colours(4000, side=3)
    result = Augmentation((Grey(0.2),))(images, generator())
    grey = (result - result[:, :1]).abs().amax((1, 2, 3)) == 0
    assert grey.float().mean() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(result[~grey], images[~grey])
    torch.testing.assert_close(result[grey, :1], grey_of(images[grey]), rtol=0, atol=1e-6)


def test_gamma_is_kornias_and_as_often_brighter_as_darker() -> None:
    images = colours()
    expected = kornia.enhance.adjust_gamma(images, Draws(24, CPU, generator()).log_uniform((0.7, 1.4)))
    result = Augmentation((Gamma((0.7, 1.4)),))(images, generator())
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
    exponents = Draws(20_000, CPU, generator()).log_uniform((0.5, 2))
    assert 0.5 <= exponents.min() < 0.505
    assert 1.98 < exponents.max() <= 2 + 1e-5
    assert (exponents < 1).float().mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kernel", [3, 5, 23])
@pytest.mark.parametrize("shape", [(24, 24), (13, 30)])
def test_blur_is_kornias_with_a_width_of_each_images_own(kernel: int, shape: tuple[int, int]) -> None:
    images, sigma = torch.rand(9, 3, *shape, generator=generator()), torch.linspace(0.1, 4, 9)
    theirs = kornia.filters.gaussian_blur2d(images, kernel, sigma[:, None].expand(9, 2))
    torch.testing.assert_close(blur(images, sigma, kernel), theirs, rtol=0, atol=1e-5)


def test_blur_leaves_the_images_it_spares_to_the_bit() -> None:
    images = colours(2000, side=5)
    result = Augmentation((Blur((0.5, 2), 3, probability=0.5),))(images, generator())
    same = (result == images).flatten(1).all(1)
    assert same.float().mean() == pytest.approx(0.5, abs=0.04)


def test_noise_is_that_of_a_loop_over_the_same_draws() -> None:
    images = colours(6)
    ours = Noise((0.02, 0.3))(images, Draws(6, CPU, generator(5)))
    draws = Draws(6, CPU, generator(5))
    deviations, normal = draws.uniform((0.02, 0.3)).tolist(), draws.normal(images.shape[1:])
    for image, result, deviation, own in zip(images, ours, deviations, normal, strict=True):
        for before, after, number in zip(image.flatten(), result.flatten(), own.flatten(), strict=True):
            assert float(after) == pytest.approx(min(max(float(before) + deviation * float(number), 0), 1), abs=1e-6)


def test_noise_has_the_deviation_of_each_images_draw() -> None:
    images = torch.full((400, 1, 30, 30), 0.5)
    result = Augmentation((Noise((0.02, 0.08)),))(images, generator())
    deviations = result.std((1, 2, 3))
    assert result.mean() == pytest.approx(0.5, abs=0.001)
    assert 0.018 < deviations.min() < 0.024
    assert 0.076 < deviations.max() < 0.086
    assert deviations.mean() == pytest.approx(0.05, abs=0.003)
    neighbours = np.corrcoef((result - 0.5)[..., :-1].flatten(), (result - 0.5)[..., 1:].flatten())
    assert abs(neighbours[0, 1]) < 0.01
