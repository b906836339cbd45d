"""How well criteria that need no classes order runs whose classes are known; rows are those of ``criteria.figures``."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from coterie.evidence.criteria import DIGITS

FEWEST = 3  # rows that a rank correlation is asked for

Row = dict[str, Any]


class Association(NamedTuple):
    """Spearman's and Kendall's rank correlation of n rows; None where there are too few or nothing varies."""

    n: int
    spearman: float | None
    kendall: float | None


class Loss(NamedTuple):
    """What choosing one of n rows by a criterion costs in ACC against the best (``lost``), what choosing one blindly
    costs on average (``blind``), and the runs chosen: several that tie cost their mean.
    """

    n: int
    lost: float
    blind: float
    chosen: tuple[str, ...]


def association(rows: Sequence[Row], criterion: str, score: str = "ari") -> Association:
    """How far ``criterion`` orders ``rows`` as ``score`` does; rows without the criterion are left out."""
    from scipy.stats import kendalltau, spearmanr

    pairs = [(row[criterion], row[score]) for row in rows if row[criterion] is not None]
    told, known = (np.round([pair[i] for pair in pairs], DIGITS) for i in (0, 1))
    if len(pairs) < FEWEST or len(set(told)) < 2 or len(set(known)) < 2:
        return Association(len(pairs), None, None)
    found = float(spearmanr(told, known).statistic), float(kendalltau(told, known).statistic)
    return Association(len(pairs), *found)


def loss_of_choice(rows: Sequence[Row], criterion: str) -> Loss | None:
    """What choosing the row with the largest ``criterion`` costs; None where a row has none, or there is one row."""
    if len(rows) < 2 or any(row[criterion] is None for row in rows):
        return None
    acc = np.array([row["acc"] for row in rows])
    best = best_by(rows, criterion)
    lost, blind = (float(acc.max() - mean) for mean in (acc[best].mean(), acc.mean()))
    return Loss(len(rows), lost, blind, tuple(rows[i]["run"] for i in best))


def best_by(rows: Sequence[Row], criterion: str) -> list[int]:
    """The numbers of the rows with the largest ``criterion``, which all must have."""
    told = np.round([row[criterion] for row in rows], DIGITS)
    numbers: list[int] = np.flatnonzero(told == told.max()).tolist()
    return numbers


def selected(rows: Sequence[Row]) -> list[Row]:
    """The rows of the answer that each run selected itself: one for each run."""
    return [row for row in rows if row["chosen"]]
