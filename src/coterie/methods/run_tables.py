"""What is told of the runs that were compared: tables of their figures, and the ends of sentences."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie.methods.run_choice import CRITERIA, Figures, mean_ranks, moment_ranks


def run_table(
    figures: Figures, kept: np.ndarray, seeds: Sequence[int], iterations: Sequence[int]
) -> list[dict[str, Any]]:
    """A row for each run: its number from 1, its seed, after which of ``iterations`` it answers, what it ``kept`` (r,)
    of its graph where that is a number, figures, mean rank.
    """
    rows = zip(seeds, iterations, kept, _rows(figures, mean_ranks(figures)), strict=True)
    return [
        {"run": i + 1, "seed": int(seed), "iteration": at, **({} if np.isnan(own) else {"kept": float(own)}), **row}
        for i, (seed, at, own, row) in enumerate(rows)
    ]


def moment_table(figures: Sequence[Figures], iterations: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each moment of each run: ``iterations`` until then, figures, mean rank among its run's moments."""
    of_moments = zip(iterations, figures, moment_ranks(figures), strict=True)
    return [
        {"run": i + 1, "iteration": at, **row}
        for at, then, ranks in of_moments
        for i, row in enumerate(_rows(then, ranks))
    ]


def told_of_moment(run: int, iteration: int, iterations: int) -> str:
    """The end of a sentence when ``run`` answers as it was after ``iteration`` of ``iterations``, if not the last."""
    if iteration == iterations:
        return ""
    return f"; run {run} answers as it was after iteration {iteration:,} of {iterations:,}, the best of its moments"


def told_of_others(answers: Sequence[str]) -> str:
    """The end of a sentence about the answers of runs that group by something else."""
    if not answers:
        return ""
    return f"; {', '.join(answers)} {'groups' if len(answers) == 1 else 'group'} by something else"


def _rows(figures: Figures, ranks: np.ndarray) -> list[dict[str, Any]]:
    return [
        {**{name: float(getattr(figures, name)[i]) for name in CRITERIA},
         "drifting": bool(figures.drifting[i]), "collapsed": bool(figures.collapsed[i]), "mean_rank": float(rank)}
        for i, rank in enumerate(ranks)
    ]  # fmt: skip
