"""Run folders made from nothing, as the command line would write them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from coterie.files.snapshots import Snapshot, write_snapshots
from coterie.files.tables import escape_name, write_csv

TILE = 64
COLUMNS = ROWS = 16


def make_run(folder: Path, images: np.ndarray, labels: np.ndarray, **parts: Any) -> Path:
    """A run folder of ``images`` (n, h, w) or (n, h, w, 3) uint8. ``parts``: names, confidence, positions, skipped,
    info, linkage (arrays), records (of a training), snapshots, attention (arrays), with_thumbnails (indices of the
    images that get one; all by default).
    """
    folder.mkdir(parents=True, exist_ok=True)
    n = len(labels)
    names = parts.get("names") or [f"photo-{i:05d}.png" for i in range(n)]
    confidence = parts.get("confidence", np.linspace(1, 0, n))
    rows = ((escape_name(a), int(b), f"{c:.4f}") for a, b, c in zip(names, labels, confidence, strict=True))
    write_csv(folder / "assignments.csv", ["path", "label", "confidence"], rows)
    skipped = parts.get("skipped", [])
    write_csv(folder / "skipped.csv", ["path", "reason"], [(escape_name(a), b) for a, b in skipped])
    if parts.get("positions") is not None:
        np.save(folder / "map.npy", np.asarray(parts["positions"], dtype=np.float32))
    if "linkage" in parts:
        np.savez(folder / "linkage.npz", **parts["linkage"])
    if "records" in parts:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in parts["records"]))
    if "snapshots" in parts:
        write_snapshots(folder / "snapshots.npz", parts["snapshots"])
    if "attention" in parts:
        np.savez(folder / "attention.npz", **parts["attention"])
    write_thumbnails(folder / "thumbnails", images, parts.get("with_thumbnails"))
    info = run_info(labels, len(skipped)) | parts.get("info", {})
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def run_info(labels: np.ndarray, skipped: int) -> dict[str, Any]:
    sizes = np.bincount(labels).tolist()
    return {
        "format": "coterie run",
        "format_version": 1,
        "status": "complete",
        "coterie": "0.1.0",
        "created": "2025-11-22T14:03:09+00:00",
        "source": "photos/",
        "method": "gdl",
        "config": {"n_clusters": len(sizes), "features": "pixels", "graph": {"n_neighbors": 20, "scale": "local"}},
        "images": {"n": len(labels), "shape": [1, 8, 8], "skipped": skipped, "duplicates": 0},
        "clusters": {"n": len(sizes), "sizes": sizes},
        "timings": {"read images": 0.8, "features": 0.31, "graph": 0.9, "linkage": 1.4, "map": 0.2},
        "warnings": [],
        "versions": {"coterie": "0.1.0", "python": "3.12.1", "numpy": "2.4.6", "torch": "2.13.0"},
    }


def write_thumbnails(folder: Path, images: np.ndarray, chosen: list[int] | None) -> None:
    folder.mkdir(exist_ok=True)
    kept = list(range(len(images))) if chosen is None else chosen
    index = {"tile": TILE, "columns": COLUMNS, "rows": ROWS, "n": len(kept), "images": chosen}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    mode = "L" if images.ndim == 3 else "RGB"
    for number, start in enumerate(range(0, len(kept), COLUMNS * ROWS)):
        sheet = Image.new(mode, (COLUMNS * TILE, ROWS * TILE))
        for place, image in enumerate(kept[start : start + COLUMNS * ROWS]):
            tile = Image.fromarray(images[image]).resize((TILE, TILE))
            sheet.paste(tile, (place % COLUMNS * TILE, place // COLUMNS * TILE))
        sheet.save(folder / f"sheet-{number:04d}.jpg", quality=85)


def linkage_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    """A merge history of groups that each came together from two halves, and then merge with the first one by one:
    1 with 0, 2 with both, and so on.
    """
    k = int(labels.max()) + 1
    place = np.empty(len(labels), dtype=np.int64)
    for label in range(k):
        inside = np.flatnonzero(labels == label)
        place[inside] = np.arange(len(inside))
    initial = 2 * labels.astype(np.int64) + (place % 3 == 2)  # the first half holds two of three
    halves = [(2 * label, 2 * label + 1) for label in range(k)]
    joined = [(2 * k if label == 1 else 3 * k + label - 2, 2 * k + label) for label in range(1, k)]
    merges = np.array([*halves, *joined], dtype=np.int64)
    size = np.concatenate([np.bincount(initial, minlength=2 * k), np.zeros(len(merges), dtype=np.int64)])
    for merger, (one, other) in enumerate(merges):
        size[2 * k + merger] = size[one] + size[other]
    return {"initial": initial, "merges": merges, "affinity": np.linspace(2, 1, len(merges)), "size": size[2 * k :]}


def records(n: int, **figures: list[Any]) -> list[dict[str, Any]]:
    """``n`` epochs of a training whose loss halves each time, with ``figures`` by name, one value for each epoch."""
    place = ({"phase": 1, "epoch": i + 1, "step": 9 * (i + 1), "seconds": 1.25 * (i + 1)} for i in range(n))
    own = ({"loss": 2.0**-i, **{name: values[i] for name, values in figures.items()}} for i in range(n))
    return [{**a, **b} for a, b in zip(place, own, strict=True)]


def cloud(title: str, m: int, n_clusters: int, seed: int = 0) -> Snapshot:
    """A snapshot of ``m`` images around ``n_clusters`` middles."""
    rng = np.random.default_rng(seed)
    labels = np.arange(m) % n_clusters
    positions = rng.normal(size=(n_clusters, 3))[labels] * 4 + rng.normal(size=(m, 3))
    return Snapshot(title, positions.astype(np.float32), labels, n_clusters)


def looked(n: int, k: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Where a network looked in 3 k of ``n`` images, and its labels of all of them on the circle."""
    rng = np.random.default_rng(seed)
    images = np.arange(3 * k)
    shares = 0.7 * np.eye(k)[images % k] + 0.3 * rng.dirichlet(np.ones(k), 3 * k)
    angle = rng.uniform(0, 2 * np.pi, n)
    circle = rng.uniform(0, 1, (n, 1)) * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return {
        "images": images, "maps": rng.uniform(0, 1, (3 * k, 6, 6)).astype(np.float32),
        "shares": shares.astype(np.float32), "circle": circle.astype(np.float32), "circle_images": np.arange(n),
    }  # fmt: skip


ANSWERS = {
    "chosen": "robust",
    "because": "its edges stay inside",
    "answers": [
        {"name": "sf", "n_clusters": 3, "ari": 0.8125, "scores": {"accuracy": 0.75, "nmi_geometric": 0.5, "ari": 0.25}},
        {"name": "robust", "n_clusters": 4, "ari": 1.0, "scores": {"accuracy": 1.0, "nmi_geometric": 1.0, "ari": 1.0}},
    ],
}


def blobs(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Coloured images (n, 8, 8, 3), labels, confidence and positions of k groups."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    shades = rng.integers(40, 215, (k, 1, 1, 3))
    images = np.clip(shades[labels] + rng.integers(-40, 40, (n, 8, 8, 3)), 0, 255).astype(np.uint8)
    middles = rng.normal(size=(k, 2)) * 6
    positions = middles[labels] + rng.normal(size=(n, 2))
    confidence = np.clip(1 - np.linalg.norm(positions - middles[labels], axis=1) / 4, 0, 1)
    return images, labels, confidence, positions
