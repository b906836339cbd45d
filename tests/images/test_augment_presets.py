"""The presets hold the numbers of the specifications, and each kind of images gets the one that suits it."""

import pytest
import torch

from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.blur import Blur
from coterie.images.colour import Grey, Jitter
from coterie.images.presets import PRESETS, preset, preset_for
from coterie.images.warp import Warp


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def only(name: str, kind: type) -> list[object]:
    return [step for step in PRESETS[name].steps if isinstance(step, kind)]


@pytest.mark.parametrize(
    ("name", "crop", "flip", "jitter", "grey"),
    [  # the list of presets in baselines.md; cc at s = .5 and 1
        ("mice", (0.2, 1), 0.5, Jitter(0.4, 0.4, 0.4, 0.4), 0.2),
        ("cc", (0.08, 1), 0.5, Jitter(0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
        ("cc-imagenet", (0.08, 1), 0.5, Jitter(0.8, 0.8, 0.8, 0.2, 0.8), 0.2),
        ("simclr32", (0.2, 1), 0.5, Jitter(0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
        ("idfd", (0.2, 1), 0.0, Jitter(0.4, 0.4, 0.4), 0.2),
        ("iic", (0.390625, 0.390625), 0.5, Jitter(0.4, 0.4, 0.4, 0.125), 1.0),
    ],
)
def test_a_preset_is_that_of_its_paper(
    name: str, crop: tuple[float, float], flip: float, jitter: Jitter, grey: float
) -> None:
    (warp,) = only(name, Warp)
    assert isinstance(warp, Warp)
    assert (warp.crop, warp.flip, warp.rotation) == (crop, flip, 0)
    assert warp.ratio == ((1, 1) if name == "iic" else (3 / 4, 4 / 3))
    assert only(name, Jitter) == [jitter]
    assert only(name, Grey) == [Grey(grey)]


def test_grey_comes_before_the_jitter_in_mice_and_after_it_elsewhere() -> None:
    for name in ("mice", "cc", "simclr32", "idfd", "iic"):
        kinds = [type(step) for step in PRESETS[name].steps]
        assert (kinds.index(Grey) < kinds.index(Jitter)) == (name == "mice")


def test_only_the_preset_for_large_photos_blurs() -> None:
    assert {name for name in PRESETS if only(name, Blur)} == {"cc-imagenet"}
    assert only("cc-imagenet", Blur) == [Blur((0.1, 2), 23, 0.5)]


def test_iic_crops_20_of_32_pixels_and_has_no_colour_left() -> None:
    (warp,) = only("iic", Warp)
    assert isinstance(warp, Warp)
    result = PRESETS["iic"](torch.rand(8, 3, 32, 32, generator=generator()), generator())
    assert (result - result[:, :1]).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "scale"), [("gatcluster", (0.8, 1.2)), ("gatcluster-imagenet", (0.7, 1.3))])
def test_gatcluster_recolours_moves_and_leaves_the_grey_to_the_network(name: str, scale: tuple[float, float]) -> None:
    jitter, warp = PRESETS[name].steps  # gatcluster.md section 5
    assert jitter == Jitter(0.3, 0.3, 0, 0.2)
    assert warp == Warp(flip=0.5, rotation=10, shift=0.1, scale=scale, shear=10, outside="black", sampling="nearest")


def test_marks_are_not_mirrored_and_their_colours_stay_together() -> None:
    images = torch.zeros(400, 3, 16, 16)
    images[:, :, 4:12, 4:6] = 0.9  # an L: its foot points to the right
    images[:, :, 10:12, 4:12] = 0.9
    quiet = Augmentation(PRESETS["marks"].steps[:-1])
    result = quiet(images, generator())
    assert (result - result[:, :1]).abs().max() < 1e-6
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    mass = result[:, 0] / result[:, 0].sum((1, 2), keepdim=True)
    centre_x, centre_y = (mass * x).sum((1, 2)), (mass * y).sum((1, 2))
    skew = (mass * (x - centre_x[:, None, None]) * (y - centre_y[:, None, None])).sum((1, 2))
    assert (skew > 0).all()  # a mirrored L would have it below 0


@pytest.mark.parametrize(
    ("shape", "name", "reason"),
    [
        ((1, 16, 16), "marks", "marks"),
        ((1, 64, 64), "marks", "64 px"),
        ((1, 128, 96), "mice", "grey images above 64 px"),
        ((3, 32, 32), "mice", "colour photo"),
        ((3, 224, 224), "mice", "colour photo"),
    ],
)
def test_images_get_the_preset_that_suits_them_with_the_reason(
    shape: tuple[int, int, int], name: str, reason: str
) -> None:
    choice = preset_for(shape)
    assert choice.name == name
    assert reason in choice.because
    assert choice.name in PRESETS


def test_an_unknown_preset_is_refused_with_the_names_of_all() -> None:
    assert preset("mice") is PRESETS["mice"]
    with pytest.raises(ConfigError, match=r"augment='simclr' is not a preset: give one of mice, cc, .*, marks"):
        preset("simclr")
