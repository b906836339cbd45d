from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ConfigError, ImageOdditiesWarning, NoImagesError, SourceError
from coterie.images.arrays import array_images
from coterie.images.options import StoreOptions
from coterie.images.store import open_images

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


def test_uint8_arrays_are_kept_without_a_copy() -> None:
    for array, shape in ((GREY, (1, 6, 7)), (COLOUR, (3, 6, 7)), (COLOUR.transpose(0, 3, 1, 2), (3, 6, 7))):
        store = open_images(array)
        assert store.shape == shape
        assert np.shares_memory(store.images, array)
        assert store.names == ["0", "1", "2", "3", "4"]


def test_channels_last_and_first_give_the_same_images() -> None:
    first = open_images(np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2)))
    last = open_images(COLOUR)
    assert np.array_equal(first.images, last.images)
    assert first.fingerprint == last.fingerprint


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY / 255, GREY),
        (GREY.astype(np.float32) / 255, GREY),
        (GREY.astype(np.int64), GREY),
        (GREY.astype(np.uint16) * 257, GREY),
        (GREY > 127, np.where(GREY > 127, 255, 0)),
        (GREY * 1e30 - 5e31, None),
    ],
)
def test_other_types_are_scaled_to_bytes(array: np.ndarray, expected: np.ndarray | None) -> None:
    images, _ = array_images(array)
    if expected is None:
        low, high = int(GREY.min()), int(GREY.max())
        expected = np.rint((GREY - float(low)) / (high - low) * 255)
    assert np.abs(images[:, 0].astype(int) - expected).max() <= 1


def test_scaling_by_own_range_is_told() -> None:
    with pytest.warns(ImageOdditiesWarning, match="5 images hold floats or 32-bit integers"):
        open_images(GREY.astype(float) * 3 - 100)


def test_values_that_are_not_finite_are_refused_by_row() -> None:
    array = GREY / 255
    array[1, 0, 0] = np.nan
    array[4, 2, 2] = np.inf
    with pytest.raises(SourceError, match=r"2 images of the array hold NaN or infinity \(rows 1, 4\)"):
        open_images(array)


def test_a_matrix_is_told_from_images() -> None:
    with pytest.raises(SourceError, match="rows of features go beside their images"):
        open_images(np.zeros((10, 64), np.float32))


@pytest.mark.parametrize(
    "array", [np.zeros((4, 5, 6, 7), np.uint8), np.zeros((0, 4, 4), np.uint8), np.zeros((4, 4, 4), complex)]
)
def test_arrays_that_are_no_images_are_refused(array: np.ndarray) -> None:
    with pytest.raises(SourceError, match="array of"):
        open_images(array)


def test_one_row_is_too_few_to_group_but_enough_to_predict() -> None:
    with pytest.raises(NoImagesError, match="at least 2"):
        open_images(GREY[:1])
    assert len(open_images(GREY[:1], options=StoreOptions((6, 7), grey=True))) == 1


def test_size_and_grey_change_arrays_when_given() -> None:
    assert open_images(COLOUR, size=12).shape == (3, 12, 12)
    assert open_images(COLOUR, grey=True).shape == (1, 6, 7)
    assert open_images(GREY, grey=False).shape == (3, 6, 7)
    assert np.array_equal(open_images(GREY, grey=False).images[:, 2], GREY)


def test_npy_and_npz_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    np.savez(tmp_path / "only.npz", pictures=GREY, labels=np.arange(5))
    np.savez(tmp_path / "named.npz", images=GREY, other=COLOUR)
    for name in ("a.npy", "only.npz", "named.npz"):
        assert np.array_equal(open_images(tmp_path / name).images[:, 0], GREY)
    np.savez(tmp_path / "unclear.npz", one=GREY, two=COLOUR)
    with pytest.raises(SourceError, match=r"\['one', 'two'\]: expected a key named images"):
        open_images(tmp_path / "unclear.npz")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    array = np.empty(3, object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(SourceError, match="never loaded"):
            open_images(tmp_path / name)


def test_a_store_passes_through_and_takes_a_models_shape() -> None:
    store = open_images(COLOUR)
    assert open_images(store) is store
    assert open_images(store, options=store.options) is store
    assert open_images(store, options=StoreOptions((4, 4), grey=True)).images.shape == (5, 1, 4, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"size": -1},
        {"fit": "x"},
        {"grey": "maybe"},
        {"background": "#12"},
        {"max_pixels": 0},
        {"max_bad": 2},
        {"workers": -1},
    ],
)
def test_arguments_outside_their_range_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))}="):
        open_images(GREY, **options)  # type: ignore[arg-type]
