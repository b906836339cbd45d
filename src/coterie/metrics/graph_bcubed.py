"""BCubed precision and recall of the graph that joins what is alike, at many thresholds at once (dccm.md E5)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import groups

TILE = 1024  # rows and columns of the similarities in memory at a time


class BCubedCurve(NamedTuple):
    """precision and recall (t,) of the graph at each of ``thresholds`` (t,), which rise."""

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


def graph_bcubed(rows: np.ndarray, classes: ArrayLike, thresholds: ArrayLike, tile: int = TILE) -> BCubedCurve:
    """BCubed of the graph in which images whose cosine is a threshold or more are joined, an image with itself too.

    With N_i the images joined to i, precision is the mean over i of the share of N_i that has the class of i, and
    recall the mean of the share of i's class that is in N_i. The n^2 similarities are made ``tile`` by ``tile``, and
    kept as counts for each image and threshold.

    Args:
        rows: (n, d), not all 0; probabilities, in the paper.
        classes: (n,) integers or text.
        thresholds: (t,) at most 1, in any order.

    Raises:
        ConfigError: shapes that do not fit, a row of zeros, a threshold above 1.
    """
    _, known = groups(classes, "classes")
    wanted = np.sort(np.asarray(thresholds, dtype=np.float64).ravel())
    if not len(wanted) or not wanted[-1] <= 1:
        raise ConfigError(f"thresholds are {thresholds!r}; expected at least one number, and none above 1")
    unit = _unit(np.asarray(rows), len(known))
    own_class = np.bincount(known)[known]
    precision, recall = np.zeros(len(wanted)), np.zeros(len(wanted))
    for begin in range(0, len(unit), tile):
        some = slice(begin, begin + tile)
        joined, same = _joined(unit, known, some, wanted)
        precision += (same / joined).sum(0)
        recall += (same / own_class[some, None]).sum(0)
    return BCubedCurve(wanted, precision / len(unit), recall / len(unit))


def _joined(unit: np.ndarray, known: np.ndarray, some: slice, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, t) how many images each of ``some`` is joined to, and how many of those have its class."""
    m, width = len(unit[some]), len(thresholds) + 1
    counts = np.zeros((2, m * width), np.int64)
    for begin in range(0, len(unit), some.stop - some.start):
        others = slice(begin, begin + some.stop - some.start)
        cosines = (unit[some] @ unit[others].T).astype(np.float64)
        if others == some:
            np.fill_diagonal(cosines, 1.0)
        reached = np.searchsorted(thresholds, np.minimum(cosines, 1.0), side="right")  # thresholds not above it
        cells = np.arange(m)[:, None] * width + reached
        alike = known[some, None] == known[None, others]
        counts[0] += np.bincount(cells.ravel(), minlength=m * width)
        counts[1] += np.bincount(cells[alike], minlength=m * width)
    at_least = counts.reshape(2, m, width)[:, :, ::-1].cumsum(2)[:, :, ::-1]
    return at_least[0, :, 1:], at_least[1, :, 1:]


def _unit(rows: np.ndarray, n: int) -> np.ndarray:
    if rows.ndim != 2 or len(rows) != n:
        raise ConfigError(f"rows have the shape {rows.shape}; expected one row for each of the {n} classes given")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (length > 0).all():
        raise ConfigError("rows hold zeros only, or NaN, for some image; a cosine needs a direction")
    unit: np.ndarray = rows / length
    return unit
