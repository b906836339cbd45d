"""Runs compared by their figures and their graphs: who answers, who is offered, and what a collapsed head means."""

import numpy as np
import pytest

from coterie.methods.answers import Answer
from coterie.methods.run_choice import CRITERIA, Figures
from coterie.methods.run_comparison import compared
from coterie.methods.run_graphs import Judged

CLASSES, CROSSED = np.arange(90) % 3, np.arange(90) // 3 % 3
LUMP = np.zeros(90, np.int64)
PRIOR = np.full((3, 3), 1 / 3)


def judged(*labels: np.ndarray, kept: tuple[float, ...] = (0.9, 0.9, 0.9)) -> Judged:
    """Runs that group by the linkages ``labels`` and keep as much as ``kept``."""
    answers = [{"linkage": Answer(own, np.ones(90, np.float32))} for own in labels]
    return Judged(np.array(kept), ["linkage"] * len(labels), answers)


def figures(collapsed: tuple[bool, ...]) -> Figures:
    """Of three runs of which the first has the best ranks and the last the worst."""
    ranked = {name: np.array([1.0, 2.0, 3.0]) * (1 if name in CRITERIA[:3] else -1) for name in CRITERIA}
    return Figures(**ranked, drifting=np.zeros(3, bool), collapsed=np.array(collapsed))


def test_the_best_answers_and_one_that_groups_otherwise_is_offered() -> None:
    told = compared(figures((False, False, False)), judged(CLASSES, CLASSES, CROSSED), PRIOR, None)
    assert (told.best, told.others) == (0, [2])
    assert told.nmi[0, 1] == pytest.approx(1)
    assert "run 1 of 3 has the best mean rank" in told.because


def test_a_run_whose_head_collapsed_stands_behind_and_is_offered_for_its_linkage() -> None:
    told = compared(figures((True, False, False)), judged(CROSSED, CLASSES, CLASSES), PRIOR, None)
    assert (told.best, told.others) == (1, [0])
    assert told.figures.collapsed.tolist() == [True, False, False]


def test_a_run_whose_linkage_is_one_lump_neither_answers_for_keeping_it_nor_is_offered() -> None:
    found = judged(LUMP, CLASSES, CROSSED, kept=(1.0, 0.9, 0.9))
    told = compared(figures((False, False, False)), found, PRIOR, None)
    assert (told.best, told.others) == (1, [2])
    assert told.figures.collapsed.tolist() == [True, False, False]


def test_a_run_that_was_asked_for_answers_whatever_it_is() -> None:
    told = compared(figures((False, False, True)), judged(CLASSES, CLASSES, CROSSED), PRIOR, 3)
    assert (told.best, told.others) == (2, [0])
    assert told.because == "choose=3 asked for run 3 of 3"
