"""The counts behind every score: how many images each class shares with each cluster, never more than n numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError


@dataclass(frozen=True)
class Contingency:
    """Non-zero cells of the table classes x clusters.

    Cell t: ``counts[t]`` images have class ``class_values[rows[t]]`` and cluster ``cluster_values[columns[t]]``.
    ``class_sizes`` and ``cluster_sizes`` are the sums along the two sides, ``n`` the number of images.
    """

    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    class_values: np.ndarray
    cluster_values: np.ndarray
    class_sizes: np.ndarray
    cluster_sizes: np.ndarray
    n: int


def count(classes: ArrayLike, labels: ArrayLike) -> Contingency:
    """The table of two groupings of the same n images, each (n,) of integers or text.

    Raises ConfigError when they differ in length, are empty, are not 1-D, or hold NaN.
    """
    class_values, i = groups(classes, "classes")
    cluster_values, j = groups(labels, "labels")
    if len(i) != len(j):
        raise ConfigError(f"classes and labels must have one entry for each image, got {len(i)} and {len(j)}.")
    cells, counts = np.unique(i * len(cluster_values) + j, return_counts=True)
    rows, columns = np.divmod(cells, len(cluster_values))
    return Contingency(rows, columns, counts, class_values, cluster_values, np.bincount(i), np.bincount(j), len(i))


def groups(values: ArrayLike, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values in order, and (n,) int64 which of them each image has."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ConfigError(f"{name} must be 1-D with at least one image, got shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ConfigError(f"{name} must be finite, got NaN or infinity; leave out the images whose class is unknown.")
    if array.dtype.kind not in "biufUS":
        raise ConfigError(f"{name} must be integers or text, got dtype {array.dtype}.")
    distinct, inverse = np.unique(array, return_inverse=True)
    return distinct, inverse.astype(np.int64, copy=False)


def entropy(sizes: np.ndarray) -> float:
    """Entropy in nats of the shares that ``sizes`` (k,), all positive, have of their sum."""
    shares = sizes / sizes.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum()))
