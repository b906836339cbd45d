"""Hand-crafted features: the libraries' own answers, what may not change them, and what a model keeps of them."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from coterie.errors import ConfigError, MissingExtraError, ModelFileError, UsageError
from coterie.images import descriptors, vocabulary
from coterie.images.descriptors import Descriptor, part_images
from coterie.images.extractor import FeatureExtractor
from coterie.images.features import choose_features, describer, extractor_from_saved, make_extractor
from coterie.images.greys import grey, stretched
from coterie.images.lbp import pattern_image
from coterie.images.sift import Sift, patches, pyramid

skimage = pytest.importorskip("skimage.feature", reason="the extra 'descriptors' is not installed")
kornia = pytest.importorskip("kornia.feature", reason="the extra 'descriptors' is not installed")

NAMES = ["hog", "lbp", "sift"]
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 32, 32), (1, 50, 37), (3, 300, 9)]


class Store:
    """The part of an ImageStore that features use; keeps the size of the largest part that was asked for."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.images.flags.writeable = False  # as a memory-mapped store is
        self.largest = 0

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        c, h, w = self.images.shape[1:]
        return c, h, w

    def batches(self, size: int) -> Iterator[np.ndarray]:
        self.largest = max(self.largest, size)
        for start in range(0, len(self), size):
            yield self.images[start : start + size]


def random_images(n: int, c: int = 1, h: int = 28, w: int = 28, seed: int = 0) -> np.ndarray:
    """Random blocks of 4 pixels, so that there is something between noise and one colour."""
    small = np.random.default_rng(seed).integers(0, 256, (n, c, -(-h // 4), -(-w // 4)), dtype=np.uint8)
    return small.repeat(4, axis=2).repeat(4, axis=3)[..., :h, :w].copy()


def random_store(n: int, c: int = 1, h: int = 28, w: int = 28, seed: int = 0) -> Store:
    return Store(random_images(n, c, h, w, seed))


def fitted(name: str, store: Store) -> tuple[Descriptor, np.ndarray]:
    extractor = Descriptor(describer(name))
    return extractor, extractor.fit_transform(store)


def raw(name: str, images: np.ndarray) -> np.ndarray:
    """What the images are described by, before the mean is taken off."""
    made = describer(name)
    made.learn(Store(images.copy()))
    return made.describe(images)


def reloaded(extractor: FeatureExtractor, features: Any = None) -> FeatureExtractor:
    """As through a model folder: JSON for the configuration, arrays for the rest."""
    tensors = {name: array.copy() for name, array in extractor.tensors().items()}
    return extractor_from_saved(json.loads(json.dumps(extractor.config())), tensors, features, device="cpu")


# All three


@pytest.mark.parametrize(("name", "width"), [("hog", 1764), ("lbp", 944), ("sift", 4200)])
@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size_and_colour_become_finite_rows_of_unit_length(name: str, width: int, shape: Any) -> None:
    store = Store(np.random.default_rng(0).integers(0, 256, (9, *shape), dtype=np.uint8))
    _, rows = fitted(name, store)
    assert (rows.shape, rows.dtype) == ((9, width), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_what_the_images_are_described_by_minus_the_mean(name: str) -> None:
    store = random_store(30)
    extractor, rows = fitted(name, store)
    described = extractor.describer.describe(store.images)
    centred = described - described.mean(axis=0)
    np.testing.assert_allclose(rows, centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-5)
    assert (described >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_parts_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = random_store(33)
    _, whole = fitted(name, store)
    monkeypatch.setattr(descriptors, "PART_PIXELS", 64 * 64 * 5)
    in_parts = random_store(33)
    _, rows = fitted(name, in_parts)
    assert in_parts.largest == (26 if name == "lbp" else 5)
    np.testing.assert_allclose(rows, whole, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_alone_gets_the_row_that_it_gets_among_others(name: str) -> None:
    extractor, _ = fitted(name, random_store(20))
    new = random_images(6, seed=3)
    together = extractor.transform(Store(new.copy()))
    alone = np.concatenate([extractor.transform(Store(new[i : i + 1].copy())) for i in range(6)])
    np.testing.assert_allclose(alone, together, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_images_give_the_same_rows_again(name: str) -> None:
    (first, rows), (second, again) = fitted(name, random_store(25)), fitted(name, random_store(25))
    np.testing.assert_array_equal(rows, again)
    assert all(np.array_equal(array, second.tensors()[key]) for key, array in first.tensors().items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("c", [1, 3])
def test_new_images_get_the_same_rows_after_saving_and_loading(name: str, c: int) -> None:
    extractor, rows = fitted(name, random_store(20, c))
    new = random_store(6, c, seed=5)
    np.testing.assert_array_equal(reloaded(extractor).transform(new), extractor.transform(new))
    np.testing.assert_array_equal(reloaded(extractor, name).transform(random_store(20, c)), rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 33, 20)])
def test_images_of_one_colour_become_zeros_and_never_nan(name: str, value: int, shape: Any) -> None:
    _, rows = fitted(name, Store(np.full((5, *shape), value, np.uint8)))
    assert not rows.any()


@pytest.mark.parametrize("name", NAMES)
def test_one_colour_among_other_images_is_described_alike_whatever_the_colour(name: str) -> None:
    flat = np.stack([np.full((1, 28, 28), value, np.uint8) for value in (0, 100, 255)])
    _, rows = fitted(name, Store(np.concatenate([random_images(10), flat])))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[-3:], rows[[-1, -1, -1]], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 1), (1, 3, 200)])
def test_images_smaller_than_any_cell_do_not_fail(name: str, shape: Any) -> None:
    _, rows = fitted(name, Store(np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8)))
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_grey_image_in_three_channels_is_described_as_the_grey_one(name: str) -> None:
    images = random_images(12)
    _, rows = fitted(name, Store(images))
    _, thrice = fitted(name, Store(images.repeat(3, axis=1)))
    np.testing.assert_allclose(thrice, rows, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_large_images_are_described_few_at_a_time(name: str) -> None:
    assert part_images(describer(name), random_store(1, 3, 1200, 1500)) == 1
    assert part_images(describer(name), random_store(1, 3, 60, 64)) == 64


@pytest.mark.parametrize("name", NAMES)
def test_new_images_of_another_shape_are_refused(name: str) -> None:
    extractor, _ = fitted(name, random_store(5))
    with pytest.raises(ConfigError, match=r"shape \(1, 28, 29\) and the fitted ones \(1, 28, 28\)"):
        extractor.transform(random_store(5, w=29))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_transformed_or_saved_before_it_is_fitted(name: str) -> None:
    extractor = Descriptor(describer(name))
    assert isinstance(extractor, FeatureExtractor)
    for act in (lambda: extractor.transform(random_store(2)), extractor.config, extractor.tensors):
        with pytest.raises(UsageError, match="call fit_transform before"):
            act()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"settings": {}}, "other settings"), ({"shape": None}, "expected \\[channels"), ({"shape": [1, 0, 2]}, "shape")],
)
def test_a_model_with_other_settings_or_no_shape_is_refused(name: str, changed: dict[str, Any], sentence: str) -> None:
    extractor, _ = fitted(name, random_store(5))
    with pytest.raises(ModelFileError, match=sentence):
        extractor_from_saved(extractor.config() | changed, extractor.tensors())


@pytest.mark.parametrize("words", [None, np.zeros((3, 5), np.float32), np.zeros((0, 128), np.float32)])
def test_a_model_without_sound_words_is_refused(words: np.ndarray | None) -> None:
    extractor, _ = fitted("sift", random_store(5))
    tensors = extractor.tensors() | {"words": words}
    with pytest.raises(ModelFileError, match="words"):
        extractor_from_saved(extractor.config(), {key: array for key, array in tensors.items() if array is not None})


@pytest.mark.parametrize(("name", "module"), [("hog", "skimage"), ("lbp", "skimage"), ("sift", "kornia")])
def test_without_the_extra_the_error_says_how_to_install_it(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, _ = fitted(name, random_store(3))
    monkeypatch.setitem(sys.modules, module, None)
    for act in (lambda: make_extractor(name, random_store(2), "cpu"), lambda: reloaded(extractor)):
        with pytest.raises(MissingExtraError, match=r'not installed; run: pip install "coterie\[descriptors\]"$'):
            act()


def test_auto_never_means_a_hand_crafted_feature() -> None:
    chosen = {choose_features((c, s, s), on)[0] for c in (1, 3) for s in (8, 64, 224) for on in (False, True)}
    assert chosen == {"pixels", "efficientnet-lite0"}


# In grey, and stretched


def test_grey_is_that_of_pillow() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 40, 30), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(np.moveaxis(image, 0, -1)).convert("L")) for image in images]
    np.testing.assert_array_equal(grey(images)[:, 0], expected)


@pytest.mark.parametrize("value", range(0, 256, 15))
def test_one_colour_stays_one_colour_at_every_size(value: int) -> None:
    for size in ((64, 64), (7, 90)):
        made = stretched(np.full((1, 1, 19, 23), value, np.uint8), size)
        assert np.unique(made).size == 1


# HOG


@pytest.mark.parametrize("c", [1, 3])
def test_hog_is_that_of_scikit_image(c: int) -> None:
    images = random_images(3, c, 64, 64)
    for image, row in zip(images, raw("hog", images), strict=True):
        expected = skimage.hog(
            np.moveaxis(image, 0, -1) / 255, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1
        )
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_hog_has_nine_directions_in_four_cells_of_every_block() -> None:
    cells = 64 // 8
    assert raw("hog", random_images(1)).shape[1] == (cells - 1) ** 2 * 4 * 9


def test_hog_is_the_same_in_half_the_contrast_and_in_the_negative() -> None:
    images = random_images(5, h=64, w=64)
    expected = raw("hog", images)
    np.testing.assert_allclose(raw("hog", 255 - images), expected, atol=1e-3)
    even = images // 4 * 4
    np.testing.assert_allclose(raw("hog", even // 2 + 60), raw("hog", even), atol=1e-3)


# LBP


def test_lbp_is_that_of_scikit_image_inside_the_rim() -> None:
    for image in random_images(4)[:, 0]:
        expected = skimage.local_binary_pattern(image, 8, 1, "nri_uniform")
        np.testing.assert_array_equal(pattern_image(image)[1:-1, 1:-1], expected[1:-1, 1:-1])


def test_the_histograms_of_lbp_are_those_of_a_loop() -> None:
    images = random_images(2, h=13, w=9)
    for image, row in zip(images[:, 0], raw("lbp", images), strict=True):
        counts, patterns = np.zeros((4, 4, 59)), pattern_image(image)
        for y in range(13):
            for x in range(9):
                counts[y * 4 // 13, x * 4 // 9, patterns[y, x]] += 1
        np.testing.assert_allclose(row, np.sqrt(counts.ravel() / (13 * 9)), atol=1e-6)


def test_lbp_does_not_change_with_brightness_and_contrast() -> None:
    images = random_images(8) // 3
    np.testing.assert_array_equal(raw("lbp", 3 * images), raw("lbp", images))
    np.testing.assert_array_equal(raw("lbp", 2 * images + 50), raw("lbp", images))


def test_lbp_at_straight_neighbours_does_not_change_with_any_rising_greys() -> None:
    """Of four neighbours none lies between pixels. The diagonal ones of eight do: there it nearly holds."""
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 24), dtype=np.uint8)
    curve = np.sort(np.random.default_rng(1).choice(60_000, 256, replace=False))  # rising, and far from a line
    for image in images:
        for method in ("uniform", "nri_uniform"):
            before, after = (skimage.local_binary_pattern(grey, 4, 1, method) for grey in (image, curve[image]))
            np.testing.assert_array_equal(after[1:-1, 1:-1], before[1:-1, 1:-1])
    gamma = np.round(255 * (np.arange(256) / 255) ** 0.8).astype(np.uint8)
    same = np.mean([pattern_image(image) == pattern_image(gamma[image]) for image in images])
    assert same > 0.9


# SIFT


def test_patches_are_the_dense_sift_of_kornia() -> None:
    images = random_images(3, h=64, w=80)
    found = patches(images)
    module = kornia.DenseSIFTDescriptor(rootsift=False, stride=8, padding=2)
    for image, own in zip(images, found, strict=True):
        expected = module(torch.from_numpy(image[None].astype(np.float32) / 255))[0].detach().numpy()
        textured = own.any(axis=-1)
        np.testing.assert_allclose(own[textured], np.moveaxis(expected, 0, -1)[textured], atol=1e-4)
    assert found.shape == (3, 8, 10, 128)


def test_patches_lie_centred_on_tiles_of_8_pixels() -> None:
    """A dot in the middle of one tile is seen by that tile and its neighbours, and as strongly on every side."""
    image = np.zeros((1, 1, 64, 64), np.uint8)
    image[..., 27:29, 35:37] = 255  # rows 24 to 31 are tile 3, columns 32 to 39 tile 4
    seen = patches(image)[0].any(axis=-1)
    assert {(int(y), int(x)) for y, x in np.argwhere(seen)} == {(y, x) for y in (2, 3, 4) for x in (3, 4, 5)}


def test_a_patch_without_contrast_is_zeros_and_rounding_is_no_contrast() -> None:
    flat = np.full((1, 1, 64, 64), 100, np.uint8)
    flat[..., ::3, ::5] = 101
    assert not patches(flat).any()
    flat[..., ::3, ::5] = 110
    assert patches(flat).any(axis=-1).all()


def test_sift_does_not_change_with_brightness_and_contrast() -> None:
    images = random_images(4, h=64, w=64) // 8 * 4
    np.testing.assert_allclose(patches(images + 90), patches(images), atol=1e-4)
    np.testing.assert_allclose(patches(images * 2), patches(images), atol=1e-4)


def test_the_pyramid_is_that_of_a_loop_with_the_weights_of_the_paper() -> None:
    words = np.random.default_rng(0).integers(0, 5, (2, 9, 11))
    for image, row in zip(words, pyramid(words, 5), strict=True):
        expected = []
        for side, weight in ((1, 1 / 4), (2, 1 / 4), (4, 1 / 2)):
            counts = np.zeros((side, side, 5))
            for y in range(9):
                for x in range(11):
                    counts[y * 4 // 9 * side // 4, x * 4 // 11 * side // 4, image[y, x]] += weight
            expected.append(counts.ravel())
        np.testing.assert_allclose(row, np.sqrt(np.concatenate(expected) / 99), atol=1e-6)
        assert np.square(row, dtype=np.float64).sum() == pytest.approx(1, abs=1e-6)


def test_there_are_no_more_words_than_kinds_of_patches() -> None:
    images = np.zeros((4, 1, 64, 64), np.uint8)
    images[2:, ..., 32:] = 200
    made = Sift()
    made.learn(Store(images))
    kinds = len(np.unique(patches(images).reshape(-1, 128), axis=0))
    assert made.words is not None
    assert len(made.words) == kinds < 200
    assert made.describe(images).shape == (4, 21 * kinds)


def test_words_are_learned_from_a_sample_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SAMPLE_IMAGES", 7)
    drawn = list(vocabulary.sampled_images(random_store(50), 8))
    assert sum(map(len, drawn)) == 7
    monkeypatch.setattr(vocabulary, "SAMPLE_PATCHES", 100)
    rng = np.random.default_rng(0)
    parts = [rng.random((60, 128), dtype=np.float32) for _ in range(4)]
    kept = vocabulary.drawn_patches(parts)
    assert kept.shape == (100, 128)
    assert len(np.unique(np.concatenate([kept, *parts]), axis=0)) == 240
