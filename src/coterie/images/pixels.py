"""One opened image to 8-bit grey or RGB of a given shape, without losing what other depths hold."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from coterie.images.oddities import OWN_RANGE, SIXTEEN_BIT

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})

# Bicubic with antialiasing: what the encoders were trained and evaluated with; Lanczos rings around scanned strokes.
# reducing_gap averages large images down first: 2 to 4 times faster, and pixels change by about 1 of 255.
RESAMPLE = Image.Resampling.BICUBIC
REDUCING_GAP = 3.0

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_eight_bits(image: Image.Image, background: str) -> tuple[Image.Image, frozenset[str]]:
    """The image as L or RGB, transparency laid over ``background``, deeper pixels scaled instead of clipped."""
    if image.mode.startswith("I;16"):
        return _scaled(np.asarray(image), 0, 65535), frozenset({SIXTEEN_BIT})
    if image.mode == "I" and image.format in {"PNG", "PPM"}:  # these readers put 16 bits into 32
        return _scaled(np.asarray(image), 0, 65535), frozenset({SIXTEEN_BIT})
    if image.mode in {"I", "F"}:
        return _scaled_by_own_range(np.asarray(image)), frozenset({OWN_RANGE})
    if image.has_transparency_data:
        return _over(image, background), frozenset()
    return image.convert("L" if image.mode in GREY_MODES else "RGB"), frozenset()


def _scaled(values: NDArray[np.generic], low: float, high: float) -> Image.Image:
    # float32 in place: one copy of four bytes per pixel, enough for 16 bits.
    unit = values.astype(np.float32)
    unit -= low
    unit *= 255.0 / (high - low)
    np.clip(np.rint(unit, out=unit), 0, 255, out=unit)
    return Image.fromarray(unit.astype(np.uint8))


def _scaled_by_own_range(values: NDArray[np.generic]) -> Image.Image:
    real = values.astype(np.float64)
    finite = np.isfinite(real)
    if not finite.any():
        raise ValueError("no finite pixel")
    low, high = float(real[finite].min()), float(real[finite].max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    if high == low:  # one colour; which grey it becomes carries nothing
        return Image.new("L", (values.shape[1], values.shape[0]), 0)
    # Halving first keeps the range of extreme floats finite.
    real = np.where(finite, real, low) / 2
    return Image.fromarray(np.rint((real - low / 2) / (high / 2 - low / 2) * 255).astype(np.uint8))


def _over(image: Image.Image, background: str) -> Image.Image:
    mode = "L" if image.mode in GREY_MODES else "RGB"
    layer = image.convert("LA" if image.mode in {"LA", "La"} else "RGBA")
    flat = Image.new(mode, image.size, ImageColor.getcolor(background, mode))
    flat.paste(layer.convert(mode), mask=layer.getchannel("A"))
    return flat


def needed_size(given: tuple[int, int], wanted: tuple[int, int], fit: str) -> tuple[int, int]:
    """(width, height) to which an image of ``given`` size is scaled for ``wanted`` before it is cropped or padded."""
    if fit == "stretch":
        return wanted
    ratios = wanted[0] / given[0], wanted[1] / given[1]
    scale = max(ratios) if fit == "crop" else min(ratios)
    return max(1, math.ceil(given[0] * scale - 1e-9)), max(1, math.ceil(given[1] * scale - 1e-9))


def fitted(image: Image.Image, wanted: tuple[int, int], fit: str, background: str) -> Image.Image:
    """The image (L or RGB) at exactly ``wanted`` (width, height)."""
    if image.size == wanted:
        return image
    if fit == "pad":
        inner = _resized(image, needed_size(image.size, wanted, fit))
        inner = inner.crop((0, 0, min(inner.width, wanted[0]), min(inner.height, wanted[1])))
        canvas = Image.new(image.mode, wanted, ImageColor.getcolor(background, image.mode))
        canvas.paste(inner, ((wanted[0] - inner.width) // 2, (wanted[1] - inner.height) // 2))
        return canvas
    return _resized(image, wanted, _centre_box(image.size, wanted) if fit == "crop" else None)


def _resized(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    return image.resize(size, RESAMPLE, box=box, reducing_gap=REDUCING_GAP)


def _centre_box(given: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    scale = max(wanted[0] / given[0], wanted[1] / given[1])
    width, height = min(given[0], wanted[0] / scale), min(given[1], wanted[1] / scale)
    left, top = (given[0] - width) / 2, (given[1] - height) / 2
    return left, top, left + width, top + height
