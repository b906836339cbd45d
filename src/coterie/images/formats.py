"""Which files are opened as images, and by which of Pillow's readers.

The list is short on purpose: each reader is code that runs on bytes a stranger may have written.
"""

from collections.abc import Callable
from typing import IO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from coterie.errors import UnreadableImageError

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib",
    ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".heic", ".heif", ".hif",
)  # fmt: skip
PLUGINS = (
    JpegImagePlugin, PngImagePlugin, GifImagePlugin, WebPImagePlugin, BmpImagePlugin, TiffImagePlugin, PpmImagePlugin,
)  # fmt: skip
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
PREFIX_BYTES = 16


def has_image_extension(name: str) -> bool:
    """True when ``name`` ends like an image; upper and lower case are the same."""
    return name.lower().endswith(EXTENSIONS)


def open_first(stream: IO[bytes], name: str) -> ImageFile.ImageFile:
    """The header of the image in ``stream``, read by its content and not by its extension; no pixel is decoded.

    Pillow's own ``Image.open`` compares the size with a limit that is global to the process and warns or raises
    there. Its readers are called directly here, so that our limit is the only one and belongs to the call.

    Raises:
        UnreadableImageError: "empty", "not an image", "truncated", or "needs the heif extra".
    """
    prefix = stream.read(PREFIX_BYTES)
    if not prefix:
        raise UnreadableImageError(name, "empty")
    for wanted in (*FORMATS, *_boxed_format(prefix, name)):
        factory, accept = Image.OPEN[wanted]
        if accept is not None and accept(prefix) is not True:
            continue
        stream.seek(0)
        return _construct(factory, stream, name)
    raise UnreadableImageError(name, "not an image")


def _construct(
    factory: Callable[[IO[bytes], str | bytes], ImageFile.ImageFile], stream: IO[bytes], name: str
) -> ImageFile.ImageFile:
    # A reader that recognised the first bytes may still raise nearly anything on the rest of them.
    try:
        return factory(stream, "")
    except Exception as error:
        reason = "truncated" if "truncat" in str(error).lower() else "not an image"
        raise UnreadableImageError(name, reason) from error


def _boxed_format(prefix: bytes, name: str) -> tuple[str, ...]:
    """AVIF and HEIF share one container; whether it can be read depends on what is installed."""
    if prefix[4:8] != b"ftyp":
        return ()
    brand = prefix[8:12]
    if brand in AVIF_BRANDS and _has_avif():
        return ("AVIF",)
    if brand in AVIF_BRANDS | HEIF_BRANDS:
        if _has_heif():
            return ("HEIF",)
        raise UnreadableImageError(name, "needs the heif extra")
    return ()


def _has_avif() -> bool:
    try:
        from PIL import AvifImagePlugin
    except ImportError:  # Pillow < 11.3
        return False
    return bool(AvifImagePlugin.SUPPORTED) and "AVIF" in Image.OPEN


def _has_heif() -> bool:
    if "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            return False
        register_heif_opener()
    return True
