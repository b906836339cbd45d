"""One image file to one uint8 array, or one short reason why not."""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from coterie.errors import UnreadableImageError
from coterie.images.formats import open_first
from coterie.images.oddities import BROKEN_EXIF, COLOUR_AS_GREY, EXTREME_RATIO, EXTREME_SHAPE, FIRST_FRAME
from coterie.images.options import MAX_PIXELS, StoreOptions, check_background, check_fit, check_size
from coterie.images.pixels import GREY_MODES, UPRIGHT, fitted, needed_size, to_eight_bits

ORIENTATION = 0x0112

# Images beyond this many pixels are decoded one at a time whatever the number of threads: memory stays at one of them.
LARGE = 16_000_000
DRAFTED = frozenset({"JPEG", "MPO"})
_one_large_image = threading.Lock()


def decode(
    source: bytes | str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    grey: bool = False,
    background: str = "white",
    max_pixels: int = MAX_PIXELS,
) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """The image as uint8 (c, h, w), c = 1 when ``grey`` and else 3, upright, with the names of what was odd about it.

    ``source`` is a path or the bytes of a file. ``size`` is one side or (height, width); None keeps the image's own.
    ``fit`` is crop, pad or stretch; ``background`` lies under transparent pixels and around padded images.

    Raises:
        UnreadableImageError: with a short reason: empty, not an image, truncated, damaged, vanished, no permission,
            more pixels than ``max_pixels`` (known before anything is decoded), or a missing extra.
        ConfigError: when an option is outside its range.
    """
    check_fit(fit)
    check_background(background)
    wanted = None if size is None else check_size(size)
    with quiet_pillow(), opened(source) as stream:
        return _decode(stream, _name(source), wanted, (fit, grey, background, max_pixels))


def decode_quietly(source: bytes | str, options: StoreOptions) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """``decode`` for a caller that holds ``quiet_pillow`` around many threads (filters belong to the process)."""
    look = (options.fit, options.grey, options.background, options.max_pixels)
    with opened(source) as stream:
        return _decode(stream, _name(source), options.size, look)


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow warns about metadata, palettes and sizes; what matters of it is counted as an oddity instead."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


@contextlib.contextmanager
def opened(source: bytes | str | Path) -> Iterator[IO[bytes]]:
    """A stream on a file or on bytes; the ways a file can refuse become short reasons."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 (closed below; only opening has reasons of its own)
    except FileNotFoundError as error:
        raise UnreadableImageError(str(source), "vanished") from error
    except PermissionError as error:
        raise UnreadableImageError(str(source), "no permission") from error
    except (OSError, ValueError) as error:
        reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise UnreadableImageError(str(source), reason) from error
    with stream:
        yield stream


def upright_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """(width, height) after the rotation that EXIF asks for."""
    # A PNG's EXIF may follow its pixels; asking for it would decode them.
    orientation = 1 if image.format == "PNG" and "exif" not in image.info else _orientation(image)[0]
    return (image.height, image.width) if orientation >= 5 else image.size


def check_pixels(image: ImageFile.ImageFile, name: str, max_pixels: int) -> None:
    """Refuses by the header alone, before any memory is taken for pixels."""
    pixels = image.width * image.height
    if pixels < 1:
        raise UnreadableImageError(name, "damaged (no pixels)")
    if pixels > max_pixels:
        given, limit = _megapixels(pixels), _megapixels(max_pixels)
        raise UnreadableImageError(name, f"{given} megapixels, limit {limit}; raise with --max-pixels")


def _decode(
    stream: IO[bytes], name: str, wanted: tuple[int, int] | None, look: tuple[str, bool, str, int]
) -> tuple[NDArray[np.uint8], frozenset[str]]:
    fit, grey, background, max_pixels = look
    image = open_first(stream, name)
    check_pixels(image, name, max_pixels)
    oddities = _header_oddities(image, grey)
    try:
        with _one_large_image if _is_large(image, wanted) else contextlib.nullcontext():
            orientation, broken = _load(image, wanted, fit, grey)
            eight, scaled = to_eight_bits(image, background)
            if wanted is not None:
                eight = fitted(eight, _target(wanted, orientation), fit, background)
        if orientation in UPRIGHT:
            eight = eight.transpose(UPRIGHT[orientation])
        return _array(eight.convert("L" if grey else "RGB")), oddities | broken | scaled
    except Exception as error:  # readers, and the libraries under them, raise nearly anything on damaged pixels
        raise UnreadableImageError(name, _reason(error)) from error


def _load(
    image: ImageFile.ImageFile, wanted: tuple[int, int] | None, fit: str, grey: bool
) -> tuple[int, frozenset[str]]:
    """Decodes the pixels, a JPEG only as finely as needed; the EXIF orientation, and whether EXIF was broken."""
    if image.format not in DRAFTED:
        image.load()  # before EXIF, which a PNG may hold after its pixels
        return _orientation(image)
    orientation, broken = _orientation(image)
    if wanted is not None:
        # Twice the wanted size: the decoder's own averaging does the rough part, the resampling filter the rest.
        need = needed_size(image.size, _target(wanted, orientation), fit)
        image.draft("L" if grey else None, (need[0] * 2, need[1] * 2))
    image.load()
    return orientation, broken


def _is_large(image: ImageFile.ImageFile, wanted: tuple[int, int] | None) -> bool:
    pixels = image.width * image.height
    return pixels > (LARGE if image.format not in DRAFTED or wanted is None else 4 * LARGE)


def _target(wanted: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(width, height) to reach before the image is turned upright; turning the small image is cheaper."""
    height, width = wanted
    return (height, width) if orientation >= 5 else (width, height)


def _header_oddities(image: ImageFile.ImageFile, grey: bool) -> frozenset[str]:
    found = set()
    if max(image.size) > EXTREME_RATIO * min(image.size):
        found.add(EXTREME_SHAPE)
    if grey and image.mode not in GREY_MODES:
        found.add(COLOUR_AS_GREY)
    # A phone's MPO holds a depth map or a second exposure beside the photo; that is not an animation.
    with contextlib.suppress(Exception):
        if image.format != "MPO" and getattr(image, "is_animated", False):
            found.add(FIRST_FRAME)
    return frozenset(found)


def _orientation(image: ImageFile.ImageFile) -> tuple[int, frozenset[str]]:
    """EXIF orientation 1..8, and whether the EXIF data could not be understood."""
    try:
        exif = image.getexif()
        orientation = exif.get(ORIENTATION, 1)
        broken = len(image.info.get("exif") or b"") > 0 and len(exif) == 0
    except Exception:  # metadata is a format of its own, and nothing in it is worth an image
        return 1, frozenset({BROKEN_EXIF})
    if broken:
        return 1, frozenset({BROKEN_EXIF})
    return (orientation if orientation in UPRIGHT else 1), frozenset()


def _array(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image)
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _reason(error: BaseException) -> str:
    text = str(error).lower()
    if isinstance(error, FileNotFoundError):
        return "vanished"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    if isinstance(error, EOFError) or any(word in text for word in ("truncat", "end of file", "not enough image data")):
        return "truncated"
    return "no finite pixel" if "no finite pixel" in text else "damaged"


def _megapixels(pixels: int) -> str:
    mega = pixels / 1e6
    return f"{mega:.0f}" if mega >= 10 else f"{mega:.3g}"


def _name(source: bytes | str | Path) -> str:
    return "image" if isinstance(source, bytes) else str(source)
