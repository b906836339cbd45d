"""Moments of an embedding that was learned, each a cloud of points with labels; one .npz that needs no pickle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from coterie.files.atomic import write_npz


class SnapshotLike(Protocol):
    """What a method hands over: any class with the attributes of ``Snapshot``."""

    @property
    def title(self) -> str: ...
    @property
    def positions(self) -> np.ndarray: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def n_clusters(self) -> int: ...


@dataclass(frozen=True)
class Snapshot:
    """The embedding at one moment: ``positions`` (m, 3) float32 of some images, their ``labels`` (m,) int64 at that
    moment, and ``n_clusters``, the number of clusters of all images then.
    """

    title: str
    positions: np.ndarray
    labels: np.ndarray
    n_clusters: int


def write_snapshots(path: Path, snapshots: Sequence[SnapshotLike]) -> None:
    """Writes ``snapshots`` one after the other: ``title``, ``n_clusters`` and ``end`` have an entry for each, its
    points stand in ``positions`` and ``labels`` before ``end``.
    """
    write_npz(
        path,
        title=np.array([snapshot.title for snapshot in snapshots], dtype=np.str_),
        n_clusters=np.array([snapshot.n_clusters for snapshot in snapshots], dtype=np.int64),
        end=np.cumsum([len(snapshot.labels) for snapshot in snapshots], dtype=np.int64),
        positions=np.concatenate([snapshot.positions for snapshot in snapshots]).astype(np.float32),
        labels=np.concatenate([snapshot.labels for snapshot in snapshots]).astype(np.int64),
    )


def read_snapshots(path: Path) -> list[Snapshot]:
    """What ``write_snapshots`` wrote; ValueError when its parts do not fit each other, and NumPy's errors."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = ("title", "n_clusters", "end", "positions", "labels")
        titles, numbers, ends, positions, labels = (archive[name] for name in names)
    total = int(ends[-1]) if ends.shape == titles.shape == numbers.shape and ends.size else -1
    if positions.shape != (total, 3) or labels.shape != (total,) or (np.diff(ends, prepend=0) < 0).any():
        raise ValueError("its arrays do not fit each other")
    parts = zip(titles, np.split(positions, ends[:-1]), np.split(labels, ends[:-1]), numbers, strict=True)
    return [Snapshot(str(title), points, own, int(number)) for title, points, own, number in parts]
