"""How a deep method learned: the figures of its epochs as curves, its embedding at some moments as clouds of points."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from coterie.files.run_folder import RunFolder
from coterie.files.snapshots import Snapshot
from coterie.report.packing import packed

POINTS = 600  # of a curve: about one per pixel it is wide
CURVES = 24
CLOUDS = 24
# A figure whose largest value is that many times its smallest is drawn on a logarithmic scale.
WIDE, WIDE_STEPS = 100, 10
# Figures that are drawn together come first, and in this order: (title, names, whether it moves in steps).
KNOWN = (
    ("Loss", ("loss",), False),
    ("Clusters left", ("n_clusters",), True),
    ("Clusters in use", ("nonempty", "effective"), False),
    ("Share of labels that changed", ("changed",), False),
    ("Images in a cluster", ("largest", "median", "smallest"), False),
    ("Agreement with the epoch before (NMI)", ("agreement",), False),
)
SIZES = "sizes"  # a list, of which the largest, the median and the smallest are drawn
SHARES = {"changed", "agreement"}  # between 0 and 1, where they are best seen
# They say where an epoch stands or how fast it went.
NO_CURVE = {"phase", "network", "epoch", "step", "seconds", "images_per_second", "linkage_seconds"}

Record = dict[str, Any]


def training_data(run: RunFolder) -> dict[str, Any] | None:
    """What the script draws: ``curves`` and ``clouds``, each possibly empty; ``epochs``, and ``breaks``, the epochs
    with which a new phase began, all counted from 1 through the phases. None for a run that was not trained.
    """
    records, snapshots = run.training or [], run.snapshots or []
    if not records and not snapshots:
        return None
    return {
        "epochs": len(records),
        "breaks": [n for n, (a, b) in enumerate(pairwise(records), 2) if _phase(a) != _phase(b)],
        "curves": curves(records),
        "clouds": [_cloud(snapshot) for snapshot in evenly(snapshots, CLOUDS)],
    }


def _phase(record: Record) -> tuple[Any, Any]:
    return record.get("network"), record.get("phase")


def curves(records: list[Record]) -> list[dict[str, Any]]:
    """A dict for each chart: ``title``; ``epochs``, counted from 1; ``lines`` with ``name`` and ``values``, None where
    an epoch has none; ``steps``, whether a value holds until the next; ``log``, whether its scale is logarithmic.
    """
    records = [_of_sizes(record) | record for record in records]
    drawn = evenly(range(len(records)), POINTS)
    epochs = [index + 1 for index in drawn]
    found = []
    for title, names, steps in _charts(records):
        of_each = [[_value(records[index], name) for index in drawn] for name in names]
        values = [value for own in of_each for value in own if value is not None]
        if not values or (steps and len(set(values)) < 2):
            continue
        lines = [{"name": _title(name), "values": own} for name, own in zip(names, of_each, strict=True)]
        log = not SHARES & set(names) and _is_wide(values, steps)
        found.append({"title": title, "epochs": epochs, "lines": lines, "steps": steps, "log": log})
    return found[:CURVES]


def evenly(items: Iterable[Any], most: int) -> list[Any]:
    """At most ``most`` of ``items``, evenly spread, the first and the last among them."""
    rows = list(items)
    if len(rows) <= most:
        return rows
    return [rows[index] for index in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _charts(records: list[Record]) -> list[tuple[str, list[str], bool]]:
    """(title, figures, steps) of each chart: the known ones, then one for each other figure as they were logged."""
    named = {name: None for record in records for name in record if _value(record, name) is not None}
    known = {name for _, names, _ in KNOWN for name in names}
    charts = [(title, [name for name in names if name in named], steps) for title, names, steps in KNOWN]
    return charts + [(_title(name), [name], False) for name in named if name not in known | NO_CURVE]


def _of_sizes(record: Record) -> Record:
    sizes = record.get(SIZES)
    if not isinstance(sizes, list) or not sizes or not all(type(size) is int for size in sizes):
        return {}
    return {"largest": max(sizes), "median": float(np.median(sizes)), "smallest": min(sizes)}


def _value(record: Record, name: str) -> float | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(f"{value:.5g}")


def _is_wide(values: list[float], steps: bool) -> bool:
    return min(values) > 0 and max(values) >= (WIDE_STEPS if steps else WIDE) * min(values)


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return {"lr": "Learning rate"}.get(name, words[:1].upper() + words[1:])


def _cloud(snapshot: Snapshot) -> dict[str, Any]:
    """Positions int16 (m, 3) about their middle, the farthest point being 32,767 away however the cloud is turned."""
    points = np.nan_to_num(snapshot.positions.astype(np.float64), posinf=0, neginf=0)
    points -= points.mean(axis=0) if len(points) else 0
    farthest = float(np.linalg.norm(points, axis=1).max(initial=0)) or 1.0
    return {
        "title": snapshot.title,
        "n_clusters": snapshot.n_clusters,
        "positions": packed(np.rint(points / farthest * 32_767), "<i2"),
        "labels": packed(snapshot.labels, "<i4"),
    }
