"""The thumbnails in the order in which the page shows them.

The sheets of a run hold the images in the order of the source, so one screen of a group would need nearly all of them.
Here the tiles are laid out group by group, most typical first: a card or a page of an opened group then needs one or
two sheets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import RunFolderError
from coterie.files.run_folder import Thumbnails

SHEET_SIDE = 1024  # pixels: 4 MB once decoded, so that a browser can keep a few dozen sheets
PASS_BYTES = 200_000_000  # pixels held at once; more tiles than that take another pass over the sheets


@dataclass(frozen=True)
class Arrangement:
    """``tiles`` (m,) are the run's tile numbers in the page's order, ``images`` (m,) the image of each."""

    thumbnails: Thumbnails
    tiles: np.ndarray
    images: np.ndarray

    @property
    def columns(self) -> int:
        """Tiles in a row of a sheet of the page, and rows of a full one."""
        return max(1, SHEET_SIDE // self.thumbnails.tile)

    @property
    def per_sheet(self) -> int:
        """Tiles on one sheet of the page."""
        return self.columns**2


def arrange(thumbnails: Thumbnails | None, labels: np.ndarray, rank: np.ndarray) -> Arrangement | None:
    """The order by group, then by ``rank`` (n,), the most typical image first; None when the run has no thumbnails."""
    if thumbnails is None or len(thumbnails.images) == 0:
        return None
    images = thumbnails.images
    if images.min() < 0 or images.max() >= len(labels):
        raise RunFolderError(f"the thumbnails name images outside 0..{len(labels) - 1}; run the same command again.")
    order = np.lexsort((rank[images], labels[images]))
    return Arrangement(thumbnails, order, images[order])


def jpeg_sheets(arrangement: Arrangement) -> Iterator[bytes]:
    """The sheets as JPEG files, in the page's order."""
    per_sheet, edge = arrangement.per_sheet, arrangement.thumbnails.tile
    held = max(1, PASS_BYTES // (edge * edge * 3 * per_sheet)) * per_sheet
    for first in range(0, len(arrangement.tiles), held):
        pixels, options = _gather(arrangement.thumbnails, arrangement.tiles[first : first + held])
        for start in range(0, len(pixels), per_sheet):
            yield _encode(_lay_out(pixels[start : start + per_sheet], arrangement.columns), options)


def _gather(thumbnails: Thumbnails, tiles: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """(len(tiles), edge, edge, 1 or 3) uint8 pixels of these tiles, and how their sheets were compressed."""
    per_sheet, edge = thumbnails.rows * thumbnails.columns, thumbnails.tile
    sheet_of, place_of = np.divmod(tiles, per_sheet)
    pixels = np.zeros((len(tiles), edge, edge, 3), dtype=np.uint8)
    options: dict[str, Any] = {}
    for sheet in np.unique(sheet_of):
        picture, options = _decode(thumbnails, thumbnails.sheets[sheet])
        here = np.flatnonzero(sheet_of == sheet)
        rows, columns = np.divmod(place_of[here], thumbnails.columns)
        pixels[here] = picture.reshape(picture.shape[0] // edge, edge, -1, edge, 3)[rows, :, columns]
    return pixels, options


def _decode(thumbnails: Thumbnails, path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    from PIL import Image, JpegImagePlugin

    try:
        with Image.open(path, formats=["JPEG"]) as image:
            # The same tables again: blocks that only changed place come out as they went in.
            sampling = JpegImagePlugin.get_sampling(image)
            tables = {"qtables": image.quantization} if isinstance(image, JpegImagePlugin.JpegImageFile) else {}
            options = {"grey": image.mode == "L", "subsampling": max(sampling, 0), **tables}
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise RunFolderError(f"{path} is missing or damaged ({error}); run the same command again.") from error
    height, width = thumbnails.rows * thumbnails.tile, thumbnails.columns * thumbnails.tile
    if pixels.shape[1] != width or pixels.shape[0] > height or pixels.shape[0] % thumbnails.tile:
        raise RunFolderError(f"{path} is not {width} pixels wide as its index says; run the same command again.")
    padded = np.zeros((height, width, 3), dtype=np.uint8)
    padded[: pixels.shape[0]] = pixels
    return padded, options


def _lay_out(tiles: np.ndarray, columns: int) -> np.ndarray:
    """(height, width, 3) sheet of (m, edge, edge, 3) tiles, row by row; the last sheet has no empty rows."""
    edge = tiles.shape[1]
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * columns, edge, edge, 3), dtype=np.uint8)
    sheet[: len(tiles)] = tiles
    return sheet.reshape(rows, columns, edge, edge, 3).swapaxes(1, 2).reshape(rows * edge, columns * edge, 3)


def _encode(pixels: np.ndarray, options: dict[str, Any]) -> bytes:
    from PIL import Image

    kept = {name: value for name, value in options.items() if name != "grey"}
    image = Image.fromarray(pixels[:, :, 0]) if options.get("grey") else Image.fromarray(pixels)
    if options.get("grey"):
        del kept["subsampling"]
    buffer = BytesIO()
    image.save(buffer, "JPEG", optimize=True, **kept)
    return buffer.getvalue()
