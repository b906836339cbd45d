"""Small pictures of the images of a run, packed into sheets that a page can carry along."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from coterie.files.atomic import atomic_write, write_text
from coterie.images.store import ImageStore

# (at most this many images, pixels per tile)
TILES = ((2_000, 96), (10_000, 64), (50_000, 48))
MOST_TILES = 50_000
# Below this a tile would be a dot on a screen.
SMALLEST_VISIBLE = 32
SHEET_SIDE = 2048
# JPEG stores blocks of 16 pixels: tiles of whole blocks keep to themselves, and can change places without a loss.
BLOCK = 16
QUALITIES = (85, 70, 50, 30)


def write_thumbnails(
    store: ImageStore, folder: Path, *, budget_bytes: int = 40_000_000, must_have: Sequence[int] = ()
) -> None:
    """Writes ``index.json`` and ``sheet-0000.jpg``, ... into ``folder``: square tiles, row by row, in store order.

    Images are never enlarged, except those below 32 pixels, by a whole number; a tile may have a margin around them.
    Beyond 50,000 images an evenly spaced sample is drawn together with the images ``must_have`` (positions in the
    store); ``images`` in the index then lists them, and is null when every image has a tile. JPEG quality falls, and
    then tile size down to 16, until everything fits into ``budget_bytes``.

    Raises:
        OutputError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = chosen_images(len(store), must_have)
    tile, quality = _affordable(store, chosen, budget_bytes)
    columns = max(1, SHEET_SIDE // tile)
    per_sheet = columns * columns
    for number, start in enumerate(range(0, len(chosen), per_sheet)):
        sheet = _sheet(store, chosen[start : start + per_sheet], tile, columns)
        with atomic_write(folder / f"sheet-{number:04d}.jpg") as path:
            sheet.save(path, "JPEG", quality=quality, optimize=True)
    index = {
        "tile": tile,
        "columns": columns,
        "rows": columns,
        "n": len(chosen),
        "images": None if len(chosen) == len(store) else chosen.tolist(),
    }
    write_text(folder / "index.json", json.dumps(index, separators=(",", ":")))


def chosen_images(n: int, must_have: Sequence[int] = ()) -> np.ndarray:
    """Positions (ascending, int64) of the images that get a tile: all up to 50,000, else an even sample of them."""
    if n <= MOST_TILES:
        return np.arange(n)
    must = np.unique(np.asarray(must_have, np.int64))
    must = must[(must >= 0) & (must < n)]
    even = np.linspace(0, n - 1, max(0, MOST_TILES - len(must))).round().astype(np.int64)
    return np.union1d(even, must)


def tile_side(n: int, height: int, width: int) -> int:
    """Pixels per side of a tile for n images of (height, width): whole blocks of 16."""
    most = next((tile for limit, tile in TILES if n <= limit), TILES[-1][1])
    native = max(height, width)
    if native < SMALLEST_VISIBLE:
        native *= min(math.ceil(SMALLEST_VISIBLE / native), max(1, most // native))
    return min(most, -(-native // BLOCK) * BLOCK)


def _affordable(store: ImageStore, chosen: np.ndarray, budget: int) -> tuple[int, int]:
    """(tile, quality) whose sheets fit into the budget, judged on up to 256 tiles."""
    tile = tile_side(len(chosen), *store.shape[1:])
    sample = chosen[:: max(1, len(chosen) // 256)][:256]
    while True:
        columns = max(1, math.isqrt(max(1, len(sample) - 1)) + 1)
        sheet = _sheet(store, sample, tile, columns)
        for quality in QUALITIES:
            if _jpeg_bytes(sheet, quality) * len(chosen) <= budget * max(1, len(sample)):
                return tile, quality
        if tile <= BLOCK:
            return tile, QUALITIES[-1]
        tile = max(BLOCK, tile * 3 // 4 // BLOCK * BLOCK)


def _jpeg_bytes(sheet: Image.Image, quality: int) -> int:
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=quality)
    return buffer.tell()


def _sheet(store: ImageStore, rows: np.ndarray, tile: int, columns: int) -> Image.Image:
    mode = "L" if store.shape[0] == 1 else "RGB"
    n_rows = min(columns, math.ceil(len(rows) / columns)) or 1
    sheet = Image.new(mode, (columns * tile, n_rows * tile), store.options.background)
    for position, row in enumerate(rows.tolist()):
        pixels = np.asarray(store.images[row])
        image = Image.fromarray(np.ascontiguousarray(pixels[0] if mode == "L" else pixels.transpose(1, 2, 0)))
        image = _tile(image, tile)
        left = position % columns * tile + (tile - image.width) // 2
        top = position // columns * tile + (tile - image.height) // 2
        sheet.paste(image, (left, top))
    return sheet


def extent(height: int, width: int, tile: int) -> tuple[int, int]:
    """(height, width) that an image of these pixels takes in the middle of its tile."""
    side = max(height, width)
    if side <= tile:
        factor = tile // side if side < SMALLEST_VISIBLE else 1
        return height * factor, width * factor
    return max(1, height * tile // side), max(1, width * tile // side)


def _tile(image: Image.Image, tile: int) -> Image.Image:
    height, width = extent(image.height, image.width, tile)
    if max(image.size) <= tile:
        return image if width == image.width else image.resize((width, height), Image.Resampling.NEAREST)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
