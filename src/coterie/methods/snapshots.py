"""What an embedding looks like at a moment of a training: three principal components and the clusters of the moment."""

from typing import Any, NamedTuple

import numpy as np

from coterie.graphs.reduce import principal_axes, project

MOST = 2_000  # images in a snapshot
MOST_KEPT = 12  # snapshots of a training that takes many


class Snapshot(NamedTuple):
    """positions (m, 3) float32, labels (m,) int64 of m evenly spaced images, when ``n_clusters`` were left."""

    title: str
    positions: np.ndarray
    labels: np.ndarray
    n_clusters: int


def shown(n: int) -> slice:
    """The rows of ``n`` images that a snapshot shows."""
    return slice(None, None, -(-n // MOST))


def snapshot(title: str, embedding: np.ndarray, labels: np.ndarray) -> Snapshot:
    """A snapshot of ``embedding`` (n, d) in which the clusters are ``labels`` (n,); the components are fitted on
    it alone (jule.md D4).
    """
    rows = shown(len(embedding))
    found = min(3, *embedding.shape)  # two images have two components
    positions = np.zeros((len(labels[rows]), 3), np.float32)
    positions[:, :found] = project(embedding[rows], *principal_axes(embedding, found))
    return Snapshot(title, positions, labels[rows], int(labels.max()) + 1)


def plain(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as a checkpoint holds it; ``Snapshot(**plain(s))`` is ``s``."""
    return snapshot._asdict()


def thinned(snapshots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``snapshots``, or about half of them, the first and the last included, when there are more than 12."""
    if len(snapshots) <= MOST_KEPT:
        return snapshots
    return [*snapshots[:-1:2], snapshots[-1]]
