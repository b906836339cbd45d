"""Augmentation as a whole: what goes in and comes out, reproducibility, independence of the images of a batch."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.blur import Blur
from coterie.images.colour import Gamma, Grey, Jitter
from coterie.images.noise import Noise
from coterie.images.presets import PRESETS
from coterie.images.warp import Warp

EVERYTHING = Augmentation(
    (
        Warp(crop=(0.2, 1), flip=0.5, rotation=20, shift=0.1, scale=(0.8, 1.2), shear=10, outside="background"),
        Grey(0.2),
        Jitter(0.4, 0.4, 0.4, 0.4, probability=0.8),
        Gamma((0.7, 1.4)),
        Blur((0.1, 2), kernel=5, probability=0.5),
        Noise((0, 0.05)),
    )
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(b: int = 12, channels: int = 3, side: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(b, channels, side, side, generator=generator(seed))


@pytest.mark.parametrize("augment", [*PRESETS.values(), EVERYTHING], ids=[*PRESETS, "everything"])
@pytest.mark.parametrize("shape", [(5, 3, 32, 32), (5, 1, 16, 16), (2, 3, 40, 24), (1, 3, 32, 32)])
def test_images_stay_float32_in_0_to_1_of_their_shape_and_are_left_alone(
    augment: Augmentation, shape: tuple[int, ...]
) -> None:
    images = torch.rand(*shape, generator=generator(3))
    before = images.clone()
    result = augment(images, generator())
    assert result.shape == shape
    assert result.dtype == torch.float32
    assert result.isfinite().all()
    assert result.min() >= 0
    assert result.max() <= 1
    assert not torch.equal(result, images)
    assert torch.equal(images, before)


def test_uint8_images_give_what_the_same_images_give_as_floats() -> None:
    images = (batch() * 255).byte()
    assert torch.equal(EVERYTHING(images, generator()), EVERYTHING(images.float() / 255, generator()))


def test_the_same_state_of_the_generator_gives_the_same_bits_and_the_next_draw_others() -> None:
    images, random = batch(), generator(5)
    state = random.get_state()
    first = EVERYTHING(images, random)
    assert not torch.equal(EVERYTHING(images, random), first)
    random.set_state(state)
    assert torch.equal(EVERYTHING(images, random), first)


def test_no_other_generator_is_touched() -> None:
    before = torch.get_rng_state()
    EVERYTHING(batch(), generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("step", EVERYTHING.steps, ids=lambda step: type(step).__name__)
def test_copies_of_one_image_in_a_batch_come_out_different(step: Any) -> None:
    images = batch(1).expand(64, -1, -1, -1)
    result = Augmentation((step,))(images, generator()).flatten(1)
    assert len(result.unique(dim=0)) > 1
    if not isinstance(step, Grey):  # which can only take two forms
        assert len(result.unique(dim=0)) > 25


def test_views_are_independent_variants_with_the_images_in_the_same_rows() -> None:
    images = torch.linspace(0, 1, 6)[:, None, None, None].expand(6, 1, 8, 8)
    shifted = Augmentation((Warp(shift=0.2), Noise((0.01, 0.01)))).views(images, 3, generator())
    assert shifted.shape == (3, 6, 1, 8, 8)
    assert torch.allclose(shifted.mean((2, 3, 4)), images.mean((1, 2, 3)).expand(3, 6), atol=0.02)
    assert not torch.equal(shifted[0], shifted[1])


def test_one_view_is_what_a_call_gives() -> None:
    images = batch()
    assert torch.equal(EVERYTHING.views(images, 1, generator())[0], EVERYTHING(images, generator()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PRESETS)
def test_a_part_of_a_batch_gets_the_draws_that_it_has_in_the_whole(name: str, channels: int) -> None:
    images, augment, after = batch(7, channels=channels), PRESETS[name], generator()
    whole = augment.views(images, 2, after)
    for rows in (slice(0, 3), slice(3, 7)):
        own = generator()
        part = augment.views(images[rows], 2, own, (rows.start, 7))
        torch.testing.assert_close(part, whole[:, rows], rtol=0, atol=1e-5)
        assert torch.equal(own.get_state(), after.get_state())


class Calls(TorchDispatchMode):
    """Writes down every operation that reaches the device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_larger_batch_takes_no_more_operations_and_nothing_travels_between_host_and_device() -> None:
    counts = []
    for b in (8, 64):
        images, calls = batch(b), Calls()
        with calls:
            EVERYTHING.views(images, 2, None)
        counts.append(len(calls.names))
        forbidden = ("_local_scalar_dense", "item", "nonzero", "lift_fresh", "scalar_tensor", "masked_select")
        assert not [name for name in calls.names if any(word in name for word in forbidden)]
    assert counts[0] == counts[1]


def test_mixed_precision_around_it_changes_nothing() -> None:
    images = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = EVERYTHING(images, generator())
    assert torch.equal(mixed, EVERYTHING(images, generator()))


def test_the_result_carries_no_gradient() -> None:
    assert not EVERYTHING(batch().requires_grad_(), generator()).requires_grad


def test_the_configuration_is_json_and_names_every_range() -> None:
    config = Augmentation((Warp(crop=(0.2, 1), flip=0.5), Grey(0.2))).config()
    assert json.loads(json.dumps(config)) == config
    assert config[0]["step"] == "warp"
    assert config[0]["crop"] == [0.2, 1]
    assert config[1] == {"step": "grey", "probability": 0.2}


def test_equal_ranges_make_equal_augmentations() -> None:
    assert Augmentation((Grey(0.2),)) == Augmentation((Grey(0.2),))
    assert hash(EVERYTHING) != hash(PRESETS["mice"])


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.rand(3, 8, 8), r"images are torch.float32 \(3, 8, 8\): give \(b, c, h, w\)"),
        (torch.rand(2, 3, 8, 8).double(), "images are torch.float64"),
        (torch.rand(2, 4, 8, 8), "images of 4 channels have no known colours: give 1 channel or 3"),
        (torch.rand(2, 3, 2, 2), "kernel=5 is too large for images of 2 pixels: give 3 at most"),
    ],
)
def test_images_that_cannot_be_augmented_are_refused_with_the_reason(images: torch.Tensor, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        EVERYTHING(images, generator())


def test_a_generator_of_another_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="the images are on meta and the generator on cpu"):
        EVERYTHING(batch().to("meta"), generator())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Augmentation(()), "an augmentation without steps"),
        (lambda: EVERYTHING.views(batch(), 0, generator()), "n_views=0 gives nothing to learn from"),
        (lambda: Warp(crop=(0.0, 1)), r"crop=0.0 is outside its range: give a number from 0.001 to 1"),
        (lambda: Warp(crop=(0.9, 0.2)), r"crop=\(0.9, 0.2\) runs backwards"),
        (lambda: Warp(crop=0.2), r"crop=0.2 is not a range: give \(smallest, largest\)"),  # type: ignore[arg-type]
        (lambda: Warp(flip=1.5), "flip=1.5 is outside its range: give a number from 0 to 1"),
        (lambda: Warp(shear=90), "shear=90"),
        (lambda: Warp(scale=(0, 1)), "scale=0"),
        (lambda: Warp(size=0), "size=0"),
        (lambda: Warp(outside="zeros"), "outside='zeros' is not known: give edge, background or black"),  # type: ignore[arg-type]
        (lambda: Warp(sampling="cubic"), "sampling='cubic' is not known: give bilinear or nearest"),  # type: ignore[arg-type]
        (lambda: Grey(-0.1), "probability=-0.1"),
        (lambda: Jitter(brightness=-1), "brightness=-1 is outside its range: give a number of 0 or more"),
        (lambda: Jitter(hue=0.6), "hue=0.6 is outside its range: give a number from 0 to 0.5"),
        (lambda: Jitter(contrast=float("nan")), "contrast=nan"),
        (lambda: Gamma((0, 1)), "exponent=0"),
        (lambda: Blur((0, 1), 3, 0.5), "sigma=0"),
        (lambda: Blur((1, 1), 4, 0.5), "kernel=4 has no middle: give an odd number"),
        (lambda: Noise((-1, 0)), "deviation=-1"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()
