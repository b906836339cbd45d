"""Reading a finished run: the page, ``view``, ``export``, ``evaluate`` and ``predict`` start from nothing but this."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from coterie.errors import RunFolderError, SourceError
from coterie.files.csv_files import read_csv
from coterie.files.escape import unescape_name
from coterie.files.group_pictures import MOST_GROUPS, GroupPictures, read_group_pictures
from coterie.files.model_file import release
from coterie.files.snapshots import Snapshot, read_snapshots

FORMAT = "coterie run"
FORMAT_VERSION = 1
LINKAGE_ARRAYS = ("initial", "merges", "affinity", "size")
ATTENTION_ARRAYS = ("images", "maps", "shares", "circle", "circle_images")


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures of some or all images, in sheets of ``rows`` x ``columns`` tiles of ``tile`` x ``tile`` pixels.

    ``images`` (n_thumbs,) int64 is the image of each tile: tile t stands on sheet t // (rows * columns), row by row.
    """

    tile: int
    columns: int
    rows: int
    images: np.ndarray
    sheets: list[Path]


@dataclass(frozen=True)
class RunFolder:
    """A complete run in ``path``; ``info`` is the content of run.json. Every other part is read when first asked for.

    The parts raise RunFolderError when their file is missing or damaged.
    """

    path: Path
    info: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Self:
        """The run in ``path``; raises RunFolderError when it is missing, no run, unfinished, or too new."""
        path = Path(path)
        if not path.is_dir():
            raise RunFolderError(f"{path} is not a folder; expected a run folder written by coterie cluster.")
        info = _read_json(path / "run.json", f"{path} is not a run of coterie: it has no run.json.")
        if info.get("format") != FORMAT:
            raise RunFolderError(f"{path} is not a run of coterie: its run.json was written by another program.")
        number = info.get("format_version")
        if not isinstance(number, int) or number > FORMAT_VERSION:
            raise RunFolderError(
                f"{path} was written by coterie {info.get('coterie', '?')} (format {number}); "
                f"this is {release()} (reads formats up to {FORMAT_VERSION}): upgrade coterie."
            )
        if info.get("status") != "complete":
            raise RunFolderError(
                f"{path} is not a finished run (its status is {info.get('status')!r}); run the same command again."
            )
        return cls(path, info)

    @property
    def names(self) -> list[str]:
        """Name of each of the n images, unescaped."""
        return self._assignments[0]

    @property
    def labels(self) -> np.ndarray:
        """(n,) int64 cluster of each image."""
        return self._assignments[1]

    @property
    def confidence(self) -> np.ndarray:
        """(n,) float32 confidence of each label, as written (four decimals)."""
        return self._assignments[2]

    @cached_property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of each file that was left out."""
        path = self.path / "skipped.csv"
        return [(unescape_name(row[0]), row[1]) for row in _read_rows(path, 2)] if path.exists() else []

    @cached_property
    def embedding(self) -> np.ndarray:
        """(n, d) float32, mapped from the disk and not to be written to."""
        return self._read_array("embedding.npy")

    @cached_property
    def map(self) -> np.ndarray | None:
        """(n, 2) float32 positions on a plane, or None when the run drew no map."""
        return self._read_array("map.npy") if (self.path / "map.npy").exists() else None

    @cached_property
    def linkage(self) -> dict[str, np.ndarray] | None:
        """The arrays ``initial``, ``merges``, ``affinity`` and ``size`` of a linkage run, and ``is_fragment`` where it
        has one; else None.
        """
        path = self.path / "linkage.npz"
        if not path.exists():
            return None
        arrays = _read_archive(path)
        if absent := [name for name in LINKAGE_ARRAYS if name not in arrays]:
            raise _damaged(path, KeyError(*absent))
        return {name: arrays[name] for name in (*LINKAGE_ARRAYS, "is_fragment") if name in arrays}

    @cached_property
    def answers(self) -> dict[str, np.ndarray] | None:
        """name -> labels (n,) int64 of every answer that a deep method came to, or None for other methods."""
        path = self.path / "answers.npz"
        if not path.exists():
            return None
        arrays = _read_archive(path)
        if any(labels.shape != self.labels.shape or labels.dtype.kind not in "iu" for labels in arrays.values()):
            raise RunFolderError(
                f"{path} does not hold a label for each of {len(self.names)} images; run the same command again."
            )
        return arrays

    @cached_property
    def training(self) -> list[dict[str, Any]] | None:
        """One record for each epoch of a deep method: phase, epoch and step (each from 1), seconds, loss, and what it
        logged; None for other methods.
        """
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return None
        try:
            records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(path, error) from error
        if not all(isinstance(record, dict) for record in records):
            raise _damaged(path, TypeError("expected a JSON object on every line"))
        return records

    @cached_property
    def snapshots(self) -> list[Snapshot] | None:
        """The embedding at some moments of the training, or None for a run that kept none."""
        path = self.path / "snapshots.npz"
        if not path.exists():
            return None
        try:
            return read_snapshots(path)
        except Exception as error:  # as for every archive
            raise _damaged(path, error) from error

    @cached_property
    def attention(self) -> dict[str, np.ndarray] | None:
        """Where a network looked: ``images`` (a,), ``maps`` (a, h, w) in 0..1, and what it said of them, ``shares``
        (a, k); the labels of ``circle_images`` (m,) on a ``circle`` (m, 2). None for methods that do not look.
        """
        path = self.path / "attention.npz"
        if not path.exists():
            return None
        arrays = _read_archive(path)
        if absent := [name for name in ATTENTION_ARRAYS if name not in arrays]:
            raise _damaged(path, KeyError(*absent))
        images, maps, shares, circle, points = (arrays[name] for name in ATTENTION_ARRAYS)
        fits = maps.ndim == 3 and shares.ndim == 2 and len(images) == len(maps) == len(shares)
        known = _are_rows(images, len(self.names)) and _are_rows(points, len(self.names))
        if not fits or not known or circle.shape != (len(points), 2):
            raise RunFolderError(f"{path} does not fit the {len(self.names)} images; run the same command again.")
        return {name: arrays[name] for name in ATTENTION_ARRAYS}

    @cached_property
    def samples(self) -> np.ndarray | None:
        """(k, m, c, h, w) uint8: images that a method generated of each cluster; None for one that generates none."""
        path = self.path / "samples.npz"
        if not path.exists():
            return None
        images = _read_archive(path).get("samples", np.empty(0))
        k = int(self.labels.max(initial=-1)) + 1
        if images.ndim != 5 or images.dtype != np.uint8 or len(images) < k or images.shape[2] not in (1, 3):
            raise RunFolderError(f"{path} does not hold images of the {k} clusters; run the same command again.")
        return images[:k]

    @cached_property
    def group_pictures(self) -> dict[str, GroupPictures]:
        """Pictures of the groups of some answers, by their names: the chosen one's and those of alternatives; empty for
        a method that keeps none.
        """
        path = self.path / "group-pictures.npz"
        if not path.exists():
            return {}
        try:
            found = read_group_pictures(path)
        except Exception as error:  # as for every archive
            raise _damaged(path, error) from error
        for name, own in found.items():
            labels = (self.answers or {}).get(name, np.empty(0, np.int64))
            if len(own.apart) != min(MOST_GROUPS, int(labels.max(initial=-1)) + 1):
                raise RunFolderError(f"{path} does not fit the groups of {name!r}; run the same command again.")
        return found

    @cached_property
    def thumbnails(self) -> Thumbnails | None:
        """The sheets of thumbnails, or None when the run has none."""
        folder = self.path / "thumbnails"
        if not folder.is_dir():
            return None
        index = _read_json(folder / "index.json", f"{folder} has no index.json; run the same command again.")
        sheets = sorted(folder.glob("sheet-*.jpg"))
        try:
            tile, columns, rows, n = (int(index[key]) for key in ("tile", "columns", "rows", "n"))
            images = np.arange(n) if index["images"] is None else np.array(index["images"], dtype=np.int64)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(folder / "index.json", error) from error
        if min(tile, columns, rows) < 1 or images.shape != (n,) or len(sheets) * rows * columns < n:
            raise RunFolderError(
                f"{folder} is not complete: its index and its sheets disagree; run the same command again."
            )
        return Thumbnails(tile, columns, rows, images, sheets)

    @cached_property
    def _assignments(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        path = self.path / "assignments.csv"
        rows = _read_rows(path, 3)
        try:
            labels = np.array([int(row[1]) for row in rows], dtype=np.int64)
            confidence = np.array([float(row[2]) for row in rows], dtype=np.float32)
            n = int(self.info["images"]["n"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _damaged(path, error) from error
        if len(rows) != n:
            raise RunFolderError(f"{path} has {len(rows)} images, run.json says {n}; run the same command again.")
        return [unescape_name(row[0]) for row in rows], labels, confidence

    def _read_array(self, name: str) -> np.ndarray:
        path = self.path / name
        try:
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, error) from error
        if not isinstance(array, np.ndarray) or array.ndim != 2 or len(array) != len(self.names):
            raise RunFolderError(f"{path} does not hold one row for each of {len(self.names)} images; run again.")
        return array


def _are_rows(rows: np.ndarray, n: int) -> bool:
    return rows.ndim == 1 and rows.dtype.kind in "iu" and bool(((rows >= 0) & (rows < n)).all())


def _read_json(path: Path, missing: str) -> dict[str, Any]:
    if not path.is_file():
        raise RunFolderError(missing)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(value, dict):
        raise _damaged(path, TypeError("expected a JSON object"))
    return value


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here because np.load leaves a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged archive
        raise _damaged(path, error) from error


def _read_rows(path: Path, width: int) -> list[list[str]]:
    try:
        rows = read_csv(path)[1]
    except SourceError as error:
        raise RunFolderError(str(error)) from error
    if any(len(row) != width for row in rows):
        raise _damaged(path, ValueError(f"expected {width} columns in every row"))
    return rows


def _damaged(path: Path, error: Exception) -> RunFolderError:
    return RunFolderError(f"{path} is missing or damaged ({error}); run the same command again.")
