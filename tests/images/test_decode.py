import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coterie.errors import ConfigError, UnreadableImageError
from coterie.images.decode import decode
from coterie.images.pixels import needed_size

SIDES = st.integers(1, 70)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(w=SIDES, h=SIDES, to_h=SIDES, to_w=SIDES, fit=st.sampled_from(["crop", "pad", "stretch"]), grey=st.booleans())
def test_every_size_and_fit_gives_exactly_the_wanted_shape(
    w: int, h: int, to_h: int, to_w: int, fit: str, grey: bool
) -> None:
    data = png(np.full((h, w, 3), 77, np.uint8))
    pixels, _ = decode(data, size=(to_h, to_w), fit=fit, grey=grey)
    assert pixels.shape == (1 if grey else 3, to_h, to_w)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    if fit != "pad":
        assert (pixels == 77).all()
    else:
        assert set(np.unique(pixels)) <= {77, 255}


@given(w=st.integers(1, 9000), h=st.integers(1, 9000), to=st.tuples(st.integers(1, 500), st.integers(1, 500)))
def test_what_is_needed_covers_a_crop_and_fits_a_pad(w: int, h: int, to: tuple[int, int]) -> None:
    crop, pad = needed_size((w, h), to, "crop"), needed_size((w, h), to, "pad")
    assert crop[0] >= to[0]
    assert crop[1] >= to[1]
    assert pad[0] <= to[0]
    assert pad[1] <= to[1]


def test_crop_keeps_the_centre_and_pad_keeps_everything() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = (0, 200, 0)
    wide[:, :10] = (200, 0, 0)
    crop, _ = decode(png(wide), size=10, fit="crop")
    assert (crop[1] == 200).all()
    pad, _ = decode(png(wide), size=30, fit="pad", background="blue")
    assert pad[:, 0, 0].tolist() == [0, 0, 255]
    assert np.array_equal(pad[:, 10:20].transpose(1, 2, 0), wide)
    stretch, _ = decode(png(wide), size=30, fit="stretch")
    assert stretch[:, 29, 15].tolist() == [0, 200, 0]


def test_the_native_size_is_untouched() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (13, 7, 3), dtype=np.uint8)
    assert np.array_equal(decode(png(noise))[0].transpose(1, 2, 0), noise)
    assert np.array_equal(decode(png(noise), size=(13, 7))[0].transpose(1, 2, 0), noise)


def test_reducing_is_antialiased() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    pixels, _ = decode(png(board), size=8, grey=True)
    assert np.abs(pixels.astype(int) - 127).max() <= 3


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_error(data: bytes) -> None:
    for prefix in (
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"II*\0",
        b"BM",
        b"RIFF\0\0\0\0WEBP",
        b"P6 4 4 255\n",
    ):
        with contextlib.suppress(UnreadableImageError):
            assert decode(prefix + data, size=8, max_pixels=1_000_000)[0].shape == (3, 8, 8)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12),
)
def test_no_damage_raises_anything_but_our_error(form: str, damage: list[tuple[float, int]]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint32).reshape(32, 32, 3).astype(np.uint8)).save(buffer, form)
    data = bytearray(buffer.getvalue())
    for place, value in damage:
        data[int(place * len(data))] = value
    with contextlib.suppress(UnreadableImageError):
        assert decode(bytes(data), size=8, max_pixels=1_000_000)[0].shape == (3, 8, 8)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": "big"},
        {"size": (1, 2, 3)},
        {"size": True},
        {"size": 9000},
        {"fit": "zoom"},
        {"background": "whitish"},
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))}="):
        decode(png(np.zeros((4, 4), np.uint8)), **options)  # type: ignore[arg-type]
