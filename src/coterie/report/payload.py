"""What the script of the page reads: numbers packed as base64 arrays, names and skipped files as JSON strings."""

from typing import Any

import numpy as np

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.report.attention import attention_data
from coterie.report.level_data import level_data
from coterie.report.originals import originals
from coterie.report.packing import packed
from coterie.report.sheets import Arrangement
from coterie.report.training import training_data

CONFIDENCE_STEPS = 10_000  # four decimals, as in assignments.csv
NO_CONFIDENCE = 65_535


def payload(run: RunFolder, arrangement: Arrangement | None, rank: np.ndarray) -> dict[str, Any]:
    """The page's data.

    ``labels`` int32 (n,); ``confidence`` uint16 (n,) in steps of 1/10,000, 65,535 for none; ``rank`` int32 (n,), the
    place of each image when the most typical ones come first; ``map`` uint16 (n, 2) or None; ``tiles``, where each
    image's thumbnail is, or None; ``fragments`` one bit per image, set for those that a linkage joined to their group
    as part of a fragment, or None; ``levels``, the groups at other numbers, or None; ``learned``, the curves and clouds
    of a training, or None; ``attention``, where its network looked, or None; ``names``, ``skipped`` and ``originals``.
    """
    return {
        "labels": packed(run.labels, "<i4"),
        "confidence": packed(confidence_steps(run.confidence), "<u2"),
        "rank": packed(rank, "<i4"),
        "names": run.names,
        "map": None if run.map is None else packed(map_steps(np.asarray(run.map)), "<u2"),
        "tiles": None if arrangement is None else _tiles(arrangement, len(run.names)),
        "fragments": _fragments(run),
        "levels": level_data(run),
        "learned": training_data(run),
        "attention": attention_data(run),
        "skipped": [list(row) for row in run.skipped],
        "originals": originals(run),
    }


def confidence_steps(confidence: np.ndarray) -> np.ndarray:
    """(n,) uint16: confidence in [0, 1] in steps of 1/10,000; 65,535 where it is not a number."""
    steps = np.rint(np.clip(np.nan_to_num(confidence), 0, 1) * CONFIDENCE_STEPS)
    return np.where(np.isfinite(confidence), steps, NO_CONFIDENCE).astype(np.uint16)


def map_steps(positions: np.ndarray) -> np.ndarray:
    """(n, 2) uint16: positions on a grid of 65,535 steps along the longer side, both axes with the same step.

    A screen shows a few thousand pixels, so the rounding is not seen before the zoom is very deep. Positions that are
    not finite come to lie in the middle.
    """
    finite = np.isfinite(positions).all(axis=1)
    if not finite.any():
        return np.full(positions.shape, 32_768, dtype=np.uint16)
    known = positions[finite].astype(np.float64)
    low, high = known.min(axis=0), known.max(axis=0)
    span = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    steps = (np.where(finite[:, None], positions, middle) - low) / span * 65_535
    whole: np.ndarray = np.rint(np.clip(steps, 0, 65_535)).astype(np.uint16)
    return whole


def _tiles(arrangement: Arrangement, n: int) -> dict[str, Any]:
    of_image = np.full(n, -1, dtype=np.int64)
    of_image[arrangement.images] = np.arange(len(arrangement.images))
    return {
        "of": packed(of_image, "<i4"),
        "size": arrangement.thumbnails.tile,
        "columns": arrangement.columns,
        "per_sheet": arrangement.per_sheet,
    }


def _fragments(run: RunFolder) -> str | None:
    marked = (run.linkage or {}).get("is_fragment")
    if marked is None or not marked.any():
        return None
    if marked.shape != run.labels.shape:
        raise RunFolderError(f"{run.path / 'linkage.npz'} does not fit the {len(run.labels)} images; run again.")
    return packed(np.packbits(marked.astype(bool), bitorder="little"), "u1")
