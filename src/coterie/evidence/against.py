"""A published figure against ours of the same method: whether the difference means anything.

Over n seeds of ours a figure lies within the lowest and highest of them, or outside, where one more seed of ours would
lie too with a chance of 2 / (n + 1), which is said. One seed of a random method tells nothing; where nothing is random
the figure is the same, up to the digits printed, or differs. What is known of the two protocols and differs is named
beside it, and where our answer is one that the paper has not: then the figures are of different things.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from coterie.evidence.cells import Cell, Score
from coterie.evidence.compare import TRIPLE, Group, family, share
from coterie.evidence.measured import PAPERS

NOT_RESULTS = {"training log", "ablation"}  # states on the way and parts of a method: none of ours is one
NOT_OURS = {"chosen by labels": "chosen by labels", "legacy metric": "legacy metric"}
HEAD = "head"
THEIR_ANSWER = {"JULE-SF": "sf", "JULE-RC": "rc", "JULE": "rc"}  # of the others it is the head
DESCRIPTORS = {"HOG": "hog", "LBP": "lbp", "spatial pyramid": "sift"}  # as JULE's notes name them -> ours
LINKAGE, AS_PUBLISHED = "gdl", "as published"  # coterie's own default is another linkage than the papers'
ROUNDED = 5e-5  # rows of ours have four decimals


class Comparison(NamedTuple):
    """A cell of ours, the score compared, what came out in words, and what differs in the protocols."""

    ours: Cell
    score: str
    verdict: str
    differing: tuple[str, ...]


def against(cell: Cell, ours: Iterable[Cell]) -> list[Comparison]:
    """What the cells of ``ours`` of the same set, method and kind of input say about a published one; [] of our own."""
    if cell.command or NOT_RESULTS.intersection(cell.flags) or "," in cell.method:
        return []
    found = [_compared(cell, own) for own in ours if _is_counterpart(cell, own)]
    return [comparison for comparison in found if comparison]


def said(cell: Cell, found: Sequence[Group]) -> str:
    """``against`` in a line: the verdict on each cell of ours among the groups, with its letter; "" where none is."""
    where = {id(own): group.letter for group in found for own in group.cells}
    ours = [own for group in found for own in group.cells if own.command]
    lines = [sentence(comparison, where[id(comparison.ours)]) for comparison in against(cell, ours)]
    return "; ".join(dict.fromkeys(lines))


def sentence(comparison: Comparison, place: str) -> str:
    """``within .965–.986 (b; other size)``: ``place`` is where our figure stands."""
    score = "" if comparison.score == TRIPLE[0] else f"{comparison.score.upper()} "
    return f"{score}{comparison.verdict} ({'; '.join((place, *comparison.differing))})"


def _is_counterpart(cell: Cell, own: Cell) -> bool:
    base, _, how = own.method.partition(", ")
    return (
        own.data_set == cell.data_set
        and base == family(cell.method)
        and _is_same_way(cell, base, how)
        and _kind(own) == _kind(cell)
    )


def _is_same_way(cell: Cell, base: str, how: str) -> bool:
    if base == LINKAGE:
        return how == AS_PUBLISHED
    if how in PAPERS:
        return how == THEIR_ANSWER.get(cell.method, HEAD)
    return how in ("", "exact") or how.startswith("eta=")


def _kind(cell: Cell) -> str:
    """Of what a method is given: pixels, an embedding or each of the descriptors make different figures altogether. A
    paper that has several names the one of a set in a note.
    """
    given = cell.protocol.input
    if given.startswith("embedding"):
        return "embedding"
    if given == "hand-crafted features":
        return next((DESCRIPTORS[note] for note in cell.notes if note in DESCRIPTORS), given)
    return given if given in DESCRIPTORS.values() else "pixels"


def _compared(cell: Cell, own: Cell) -> Comparison | None:
    name = next((name for name in TRIPLE if _value(cell, name) is not None and _value(own, name) is not None), None)
    if name is None:
        return None
    return Comparison(own, name, _verdict(cell, own, name), tuple(_differing(cell, own, name)))


def _value(cell: Cell, name: str) -> float | None:
    return cell.scores.get(name, Score()).value


def _verdict(cell: Cell, own: Cell, name: str) -> str:
    theirs, (value, low, high) = _value(cell, name), own.scores[name]
    assert theirs is not None
    assert value is not None
    near = 0.5 * 10**-cell.digits + ROUNDED
    if low is not None and high is not None:
        word = "below" if theirs < low - near else "above" if theirs > high + near else "within"
        seeds, chance = own.protocol.runs, 2 / (own.protocol.runs + 1)
        by_chance = "" if word == "within" else f", {chance:.0%} by chance"
        return f"{word} {share(low)}–{share(high)} of {seeds} seeds{by_chance}"
    if own.random:
        return f"one seed: cannot be told, {share(value)}"
    return f"{'the same' if abs(theirs - value) <= near else 'differs'}, {share(value)}"


def _differing(cell: Cell, own: Cell, name: str) -> Iterable[str]:
    theirs, mine = cell.protocol, own.protocol
    parts: Mapping[str, tuple[str, str]] = {
        "split": (theirs.split, mine.split),
        "size": (theirs.size, mine.size),
        "unlabelled images": (theirs.unlabelled, mine.unlabelled),
        **({"mean of NMI": (theirs.nmi, mine.nmi)} if name == "nmi" else {}),
    }
    yield from (f"other {part}" for part, two in parts.items() if "not stated" not in two and two[0] != two[1])
    if own.answer and own.answer not in PAPERS:
        yield f"our {own.answer}"
    if theirs.statistic == "best":
        yield "the best of their runs"
    yield from (words for flag, words in NOT_OURS.items() if flag in cell.flags)
