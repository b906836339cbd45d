"""Where a network looked in some images, what it said of them, and its labels on a circle."""

from typing import Any

import numpy as np

from coterie.files.run_folder import RunFolder
from coterie.images.thumbnails import extent
from coterie.report.packing import packed

SHARES = 10_000  # steps, four decimals
RIM = 30_000  # steps from the middle of the circle to its rim: an int16 holds a little more


def attention_data(run: RunFolder) -> dict[str, Any] | None:
    """What the script draws, or None for a run without.

    ``images`` int32 (a,); ``maps`` uint8 (a, h, w) and ``map_shape`` [h, w], 0 where the network has no attention;
    ``shares`` uint16 (a, k) in steps of 1/10,000 and ``k``; ``place`` [left, top, width, height] of an image on its
    thumbnail, in shares of it; ``circle`` int16 (m, 2), the rim 30,000 from the middle, and ``circle_images`` int32
    (m,).
    """
    found = run.attention
    if found is None:
        return None
    return {
        "images": packed(found["images"], "<i4"),
        "maps": packed(np.rint(_within(found["maps"]) * 255), "u1"),
        "map_shape": list(found["maps"].shape[1:]),
        "shares": packed(np.rint(_within(found["shares"]) * SHARES), "<u2"),
        "k": found["shares"].shape[1],
        "place": _place(run),
        "circle": packed(np.rint(_within(found["circle"], -1) * RIM), "<i2"),
        "circle_images": packed(found["circle_images"], "<i4"),
    }


def _within(values: np.ndarray, low: float = 0) -> np.ndarray:
    clipped: np.ndarray = np.clip(np.nan_to_num(values.astype(np.float64)), low, 1)
    return clipped


def _place(run: RunFolder) -> list[float]:
    shape = run.info.get("images", {}).get("shape")
    if run.thumbnails is None or not isinstance(shape, list) or len(shape) != 3:
        return [0.0, 0.0, 1.0, 1.0]
    tile = run.thumbnails.tile
    height, width = (side / tile for side in extent(int(shape[1]), int(shape[2]), tile))
    return [(1 - width) / 2, (1 - height) / 2, width, height]
