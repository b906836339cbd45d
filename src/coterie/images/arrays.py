"""Images that are already arrays: brought to uint8 (n, c, h, w), without a copy where they nearly are."""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coterie.errors import SourceError
from coterie.images.oddities import OWN_RANGE, SIXTEEN_BIT
from coterie.images.options import StoreOptions
from coterie.images.pixels import fitted

BLOCK = 1024


def load_array(path: Path) -> NDArray[np.generic]:
    """The images in a .npy, or in a .npz under the key ``images`` or as its only 3-D or 4-D array; never a pickle."""
    try:
        if path.suffix.lower() == ".npy":
            array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        with np.load(path, allow_pickle=False) as archive:
            return _images_of(path, {name: archive[name] for name in archive.files})
    except SourceError:
        raise
    except Exception as error:  # a damaged zip or header raises nearly anything
        objects = any(word in str(error).lower() for word in ("pickle", "python objects"))
        what = "holds Python objects, which are never loaded" if objects else f"is damaged ({error})"
        raise SourceError(f"{path} {what}: save the images with numpy.save as uint8 (n, h, w, c)") from error


def _images_of(path: Path, arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    if "images" in arrays:
        return arrays["images"]
    candidates = [name for name, array in arrays.items() if array.ndim in {3, 4}]
    if len(candidates) != 1:
        raise SourceError(
            f"{path} holds {sorted(arrays)}: expected a key named images, or exactly one 3-D or 4-D array"
        )
    return arrays[candidates[0]]


def array_images(array: NDArray[np.generic]) -> tuple[NDArray[np.uint8], Counter[str]]:
    """uint8 (n, c, h, w) with c = 1 or 3, and what was odd.

    Takes (n, h, w), (n, h, w, c) and (n, c, h, w), c = 1 or 3, of uint8 (kept; views where possible), bool, other
    integers and floats: 16-bit and [0, 1] are scaled by that range, others by their own smallest and largest value.

    Raises:
        SourceError: another number of dimensions or channels, no image, or values that are not finite.
    """
    stacked = _channels_first(array)
    if 0 in stacked.shape:
        raise SourceError(f"an array of shape {array.shape} holds no image")
    if stacked.dtype == np.uint8:
        return stacked.view(np.uint8), Counter()
    if stacked.dtype.kind not in "buif":
        raise SourceError(f"an array of {stacked.dtype} is not images: expected uint8, bool, integers or floats")
    low, high, oddity = _range(stacked)
    odd = Counter({oddity: len(stacked)}) if oddity else Counter()
    return _scaled(stacked, low, high), odd


def fit_array(images: NDArray[np.uint8], options: StoreOptions) -> NDArray[np.uint8]:
    """The images (n, c, h, w) in the shape of the options; the same array when they have it already."""
    if images.shape[1:] == options.shape:
        return images
    out = np.empty((len(images), *options.shape), np.uint8)
    height, width = options.size
    for row, image in zip(out, images, strict=True):
        plane = Image.fromarray(np.ascontiguousarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)))
        plane = fitted(plane, (width, height), options.fit, options.background)
        pixels = np.asarray(plane.convert("L" if options.grey else "RGB"))
        row[...] = pixels if options.grey else pixels.transpose(2, 0, 1)
    return out


def _channels_first(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and array.shape[1] in {1, 3}:
        return array
    if array.ndim == 4 and array.shape[3] in {1, 3}:
        return array.transpose(0, 3, 1, 2)
    hint = (
        "; rows of features go beside their images: coterie cluster IMAGES --features FILE" if array.ndim == 2 else ""
    )
    raise SourceError(
        f"an array of shape {array.shape} is not images: expected (n, h, w), (n, h, w, c) or (n, c, h, w) with "
        f"c = 1 or 3{hint}"
    )


def _range(images: NDArray[np.generic]) -> tuple[float, float, str]:
    if images.dtype == np.bool_:
        return 0.0, 1.0, ""
    if images.dtype == np.uint16:
        return 0.0, 65535.0, SIXTEEN_BIT
    if images.dtype.kind == "f":
        _refuse_not_finite(images)
    low = min(float(images[i : i + BLOCK].min()) for i in range(0, len(images), BLOCK))
    high = max(float(images[i : i + BLOCK].max()) for i in range(0, len(images), BLOCK))
    if images.dtype.kind in "ui" and low >= 0 and high <= 255:
        return 0.0, 255.0, ""
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return 0.0, 1.0, ""
    return low, high, OWN_RANGE


def _refuse_not_finite(images: NDArray[np.generic]) -> None:
    bad: list[int] = []
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        bad += (np.flatnonzero(~np.isfinite(block).all(axis=(1, 2, 3))) + start).tolist()
    if bad:
        rows = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        raise SourceError(f"{len(bad):,} images of the array hold NaN or infinity (rows {rows}): remove or repair them")


def _scaled(images: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    out = np.zeros(images.shape, np.uint8)
    if high > low:
        for start in range(0, len(images), BLOCK):
            # Halved so that the range of extreme floats stays finite.
            block = images[start : start + BLOCK].astype(np.float64) / 2
            block = (block - low / 2) * (255 / (high / 2 - low / 2))
            out[start : start + BLOCK] = np.clip(np.rint(block), 0, 255)
    return out
