"""Rows 1 to 9, 11 to 16 and 20 of the fault list: what a decoder meets, and what a person sees."""

import io
import struct
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.errors import ImageOdditiesWarning, NoImagesError, SkippedImagesWarning, UnreadableImageError
from coterie.images.decode import decode
from coterie.images.oddities import BROKEN_EXIF, EXTREME_SHAPE, FIRST_FRAME, ONE_COLOUR, OWN_RANGE, SIXTEEN_BIT
from coterie.images.store import open_images


def picture(width: int = 48, height: int = 32, mode: str = "RGB") -> Image.Image:
    """Smooth and different in every corner, so that JPEG keeps it and a rotation shows."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 128 + 0 * x]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def reason_of(data: bytes, **options: object) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode(data, **options)  # type: ignore[arg-type]
    return caught.value.reason


def png_header_only(width: int, height: int) -> bytes:
    """A PNG of under 200 bytes that claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_truncated_jpeg_is_skipped_with_its_reason(kept: float) -> None:
    data = encoded(picture(200, 200), "JPEG")
    assert reason_of(data[: int(len(data) * kept)], size=64) == "truncated"


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM"])
def test_other_truncated_files_are_skipped_too(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, form)
    assert reason_of(data[: len(data) // 2]) in {"truncated", "damaged", "not an image"}


def test_an_empty_file_is_called_empty() -> None:
    assert reason_of(b"") == "empty"


@pytest.mark.parametrize("data", [b"just a letter", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"\0" * 100, b"GIF89a"])
def test_text_and_bare_headers_are_not_images(data: bytes) -> None:
    assert reason_of(data) in {"not an image", "truncated"}


def test_a_png_that_is_named_jpg_is_read_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(picture(), "PNG"))
    pixels, odd = decode(path)
    assert np.array_equal(pixels.transpose(1, 2, 0), np.asarray(picture()))
    assert not odd


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
def test_garbage_after_the_image_is_ignored(form: str) -> None:
    data = encoded(picture(), form)
    assert np.array_equal(decode(data)[0], decode(data + b"\0garbage" * 100)[0])


def test_a_cmyk_jpeg_is_read_in_its_colours() -> None:
    data = encoded(picture(64, 64).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data  # the marker with which such files hold inverted ink
    pixels, _ = decode(data)
    assert np.abs(pixels.transpose(1, 2, 0).astype(int) - np.asarray(picture(64, 64))).mean() < 8


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(form: str) -> None:
    deep = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels, odd = decode(encoded(Image.fromarray(deep), form), grey=True)
    assert np.abs(pixels[0] - deep / 257).max() <= 0.51
    assert odd == {SIXTEEN_BIT}


def test_sixteen_bit_pgm_is_scaled_by_its_own_maximum() -> None:
    values = np.array([[0, 500], [750, 1000]], ">u2")
    pixels, _ = decode(b"P5 2 2 1000\n" + values.tobytes(), grey=True)
    assert np.abs(pixels[0] - values / 1000 * 255).max() <= 1


def test_a_float_image_from_0_to_1_is_not_black() -> None:
    values = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    pixels, odd = decode(encoded(Image.fromarray(values), "TIFF"), grey=True)
    assert pixels.mean() == pytest.approx(127.5, abs=1)
    assert odd == {OWN_RANGE}


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_other_deep_images_are_scaled_by_their_own_range(dtype: type) -> None:
    values = np.linspace(-3e6, 5e6, 32 * 32).reshape(32, 32).astype(dtype)
    pixels, odd = decode(encoded(Image.fromarray(values), "TIFF"), grey=True)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert odd == {OWN_RANGE}


def test_float_pixels_that_are_not_finite_do_not_spoil_the_rest() -> None:
    values = np.array([[0.0, 10.0], [np.nan, np.inf]], np.float32)
    pixels, _ = decode(encoded(Image.fromarray(values), "TIFF"), grey=True)
    assert pixels[0, 0].tolist() == [0, 255]
    assert reason_of(encoded(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF")) == "no finite pixel"


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "PA"])
def test_every_common_mode_is_read_as_rgb(mode: str) -> None:
    data = encoded(picture(mode=mode), "PNG" if mode != "PA" else "TIFF") if mode != "PA" else None
    if data is None:
        data = encoded(picture().quantize(16), "PNG", transparency=bytes([255, 0] * 8))
    assert decode(data)[0].shape == (3, 32, 48)


def test_transparent_pixels_take_the_background_and_not_their_hidden_colour() -> None:
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    hidden.putpixel((0, 0), (0, 255, 0, 255))
    pixels, _ = decode(encoded(hidden, "PNG"))
    assert pixels[:, 0, 0].tolist() == [0, 255, 0]
    assert pixels[:, 5, 5].tolist() == [255, 255, 255]
    assert decode(encoded(hidden, "PNG"), background="#102030")[0][:, 5, 5].tolist() == [16, 32, 48]


def test_a_fully_transparent_image_counts_as_one_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        array = rng.integers(0, 256, (8, 8, 4), dtype=np.uint8)
        array[..., 3] = 0 if i == 0 else 255
        Image.fromarray(array).save(tmp_path / f"{i}.png")
    with pytest.warns(ImageOdditiesWarning, match="1 image is one colour"):
        store = open_images(tmp_path, cache=tmp_path / "cache")
    assert store.oddities == {ONE_COLOUR: 1}


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_read_and_counted(form: str) -> None:
    second = Image.new("RGB", (48, 32), "black")
    data = encoded(picture(), form, save_all=True, append_images=[second])
    pixels, odd = decode(data)
    assert odd == {FIRST_FRAME}
    assert pixels.mean() > 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_comes_out_upright(orientation: int, form: str) -> None:
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    lying = picture(96, 64) if undo is None else picture(96, 64).transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(lying, form, exif=exif, **({"quality": 95} if form in {"JPEG", "WEBP"} else {}))
    pixels, odd = decode(data, size=(16, 24))
    expected, _ = decode(encoded(picture(96, 64), "PNG"), size=(16, 24))
    assert np.abs(pixels.astype(int) - expected).mean() < 4
    assert not odd


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage that is no TIFF", b"Exif\0\0II*\0\xff\xff\xff\x7f"])
def test_broken_exif_costs_the_rotation_and_not_the_image(exif: bytes) -> None:
    pixels, odd = decode(encoded(picture(), "JPEG", exif=exif))
    assert pixels.shape == (3, 32, 48)
    assert odd == {BROKEN_EXIF}


def test_a_heic_file_without_its_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    data = struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + b"\0" * 64
    assert reason_of(data) == "needs the heif extra"


def test_a_heic_file_is_read_when_the_extra_is_there() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    try:
        data = encoded(picture(64, 64), "HEIF", quality=90)
    except (KeyError, RuntimeError, OSError) as error:
        pytest.skip(f"this build of pillow-heif cannot write: {error}")
    assert np.abs(decode(data)[0].transpose(1, 2, 0).astype(int) - np.asarray(picture(64, 64))).mean() < 10


def test_an_avif_file_is_read() -> None:
    pytest.importorskip("PIL.AvifImagePlugin")
    assert decode(encoded(picture(64, 64), "AVIF"), size=32)[0].shape == (3, 32, 32)


def test_a_bomb_is_refused_by_its_header_with_the_numbers() -> None:
    assert reason_of(png_header_only(20_000, 20_000)) == "400 megapixels, limit 179; raise with --max-pixels"


def test_the_limit_is_the_callers_alone() -> None:
    """Pillow's global limit neither refuses what ours allows nor is changed by it."""
    before = Image.MAX_IMAGE_PIXELS
    assert reason_of(png_header_only(20_000, 20_000), max_pixels=500_000_000) in {"truncated", "damaged"}
    assert reason_of(encoded(picture(), "PNG"), max_pixels=1_000) == (
        "0.00154 megapixels, limit 0.001; raise with --max-pixels"
    )
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[int, int]] = []
    original = Image.Image.resize

    def spy(self: Image.Image, *args: object, **options: object) -> Image.Image:
        loaded.append(self.size)
        return original(self, *args, **options)  # type: ignore[arg-type]

    data = encoded(picture(2000, 1500), "JPEG")
    monkeypatch.setattr(Image.Image, "resize", spy)
    assert decode(data, size=32)[0].shape == (3, 32, 32)
    assert loaded[0] == (250, 188)


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.images.decode.LARGE", 1_000)
    now, most = [0], [0]
    original = Image.Image.convert

    def slow(self: Image.Image, *args: object, **options: object) -> Image.Image:
        now[0] += 1
        most[0] = max(most[0], now[0])
        threading.Event().wait(0.005)
        now[0] -= 1
        return original(self, *args, **options)  # type: ignore[arg-type]

    data = encoded(picture(64, 64, "P"), "PNG")
    from coterie.images.pixels import to_eight_bits

    monkeypatch.setattr(
        "coterie.images.decode.to_eight_bits",
        lambda image, background: (slow(image, "RGB"), to_eight_bits(image, background)[1]),
    )
    threads = [threading.Thread(target=decode, args=(data,), kwargs={"size": 8}) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_extreme_shapes_are_resized_and_counted(width: int, height: int, fit: str) -> None:
    pixels, odd = decode(encoded(picture(width, height), "PNG"), size=(20, 30), fit=fit)
    assert pixels.shape == (3, 20, 30)
    assert odd == ({EXTREME_SHAPE} if max(width, height) == 5000 else set())


def test_one_bad_file_never_ends_a_run(tmp_path: Path) -> None:
    for i in range(6):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
            tmp_path / f"{i}.jpg"
        )
    (tmp_path / "3.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:-200])
    (tmp_path / "4.jpg").write_bytes(b"")
    (tmp_path / "bomb.png").write_bytes(png_header_only(20_000, 20_000))
    with pytest.warns(SkippedImagesWarning, match=r"skipped 3 of 7 images \(1 empty, 1 too large, 1 truncated\)"):
        store = open_images(tmp_path, cache=tmp_path / "cache", size=20)
    assert store.names == ["0.jpg", "1.jpg", "2.jpg", "5.jpg"]
    assert {item.name: item.reason for item in store.skipped}["3.jpg"] == "truncated"
    assert all(
        np.array_equal(pixels, decode(tmp_path / name)[0])
        for pixels, name in zip(store.images, store.names, strict=True)
    )


def test_images_of_one_colour_are_counted(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    picture().save(tmp_path / "5.png")
    with pytest.warns(ImageOdditiesWarning, match="4 images are one colour"):
        store = open_images(tmp_path, cache=tmp_path / "cache")
    assert store.oddities == {ONE_COLOUR: 4}


def test_nothing_readable_is_told_with_the_first_reasons(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_text("no image")
    with pytest.raises(NoImagesError, match=r"read 0 of 5 images under .* at least 2 .*0\.jpg: not an image; 1\.jpg"):
        open_images(tmp_path, cache=tmp_path / "cache")
