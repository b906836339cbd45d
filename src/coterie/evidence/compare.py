"""Published and measured cells of a set beside each other: grouped by protocol, and checked for contradictions."""

import itertools
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.cells import Cell, ImageSet, Protocol, Score
from coterie.evidence.literature import published_cells, published_sets
from coterie.metrics import Feasibility, check_triple, uniformity_index

# Ours -> as the papers call it; SC and NMF of the later tables cite the papers of SC-ST and NMF-LP (DCCM [58], [7]; UDC
# [83], [82]).
LITERATURE = {
    "kmeans": ("K-means",), "gdl": ("AC-GDL",), "sc-st": ("SC-ST", "SC"), "nmf-lp": ("NMF-LP", "NMF"),
    "jule": ("JULE", "JULE-RC", "JULE-SF"),
}  # fmt: skip
FAMILIES = {name.casefold(): ours for ours, names in LITERATURE.items() for name in names}
TRIPLE = ("acc", "nmi", "ari")
SLACK = 0.005  # for classes of nearly equal size; those of MNIST move the smallest ARI at ACC .984 by .0015
LEVELS = {"value": "", "low": "minima", "high": "maxima"}


class Group(NamedTuple):
    """Cells of one protocol, the highest ACC (else NMI) first; there is no order across groups. ``letter`` marks it.

    ``paper`` is where all of them stand when part of the protocol is not stated, and empty otherwise: two papers that
    say nothing need not have done the same.
    """

    letter: str
    protocol: Protocol
    paper: str
    cells: list[Cell]

    def title(self) -> str:
        """The protocol in words, after the paper where that matters."""
        return f"{self.paper}: {self.protocol.sentence()}" if self.paper else self.protocol.sentence()


class Contradiction(NamedTuple):
    """Scores that cannot belong to one grouping: of which ``level`` ("", "minima" or "maxima"), and why."""

    cell: Cell
    level: str
    reason: str


def cells_of(name: str, measured: Iterable[Cell], method: str | None = None) -> list[Cell]:
    """The cells of the set, ours first; ``method`` is a part of the name of the methods wanted, in any case, or a name
    that ``LITERATURE`` has for them.

    Raises ConfigError when there is no such set, or no such method on it.
    """
    everything = [*measured, *published_cells()]
    found = [cell for cell in everything if cell.data_set == name]
    if not found:
        known = set_of(name)
        about = f" ({known.title}: {counted(known)})" if known and known.counts else ""
        raise ConfigError(
            f"there is no figure on a set {name!r}{about}; `coterie published --list` names the sets that have one"
        )
    chosen = [cell for cell in found if method is None or _is_called(cell.method, method)]
    if not chosen:
        methods = ", ".join(dict.fromkeys(cell.method for cell in found))
        raise ConfigError(f"no method on {name} has {method!r} in its name; there are {methods}")
    return chosen


def family(method: str) -> str:
    """Our name of a method where we have one, else its own in small letters; what stands after a comma is left out."""
    base = method.partition(",")[0].strip().casefold()
    return FAMILIES.get(base, base)


def _is_called(method: str, wanted: str) -> bool:
    return wanted.casefold() in method.casefold() or family(method) == family(wanted)


def set_of(name: str) -> ImageSet | None:
    """What is known of the set; None for one that no published table has."""
    return published_sets().get(name)


def counted(known: ImageSet) -> str:
    """How many images each class has, where a table prints that, and how even they are (UI, udc.md section 6)."""
    classes = [label for label, count in enumerate(known.counts) for _ in range(count)]
    sizes = ", ".join(f"{count:,}" for count in known.counts)
    return f"images of each class {sizes}; uniformity index {share(uniformity_index(classes))}"


def groups(cells: Sequence[Cell]) -> list[Group]:
    """The cells by protocol, in the order in which the protocols come first."""
    alike: dict[tuple[Protocol, str], list[Cell]] = {}
    for cell in cells:
        paper = cell.source.paper if cell.protocol.is_partly_unknown() else ""
        alike.setdefault((cell.protocol, paper), []).append(cell)
    return [
        Group(letter, protocol, paper, sorted(own, key=_best_first))
        for letter, ((protocol, paper), own) in zip(_letters(), alike.items(), strict=False)
    ]


def contradictions(cell: Cell, sets: Mapping[str, ImageSet]) -> list[Contradiction]:
    """Where the ACC, NMI and ARI of the cell contradict each other.

    That the best naming reaches 1/k holds for all sets. The bounds for NMI and ARI are asked where classes are of equal
    size, and with ``SLACK`` where they nearly are. They rise with ACC, so they bind the minima, the medians and the
    maxima of several runs too, even where these come from different ones.
    """
    known = sets.get(cell.data_set)
    if known is None or "acc" not in cell.scores:
        return []
    found = []
    for part, level in LEVELS.items():
        three = {name: getattr(cell.scores.get(name, Score()), part) for name in TRIPLE}
        reasons = _reasons(three, known, cell) if three["acc"] is not None else []
        found += [Contradiction(cell, level, reason) for reason in reasons]
    return found


def _reasons(three: Mapping[str, float], known: ImageSet, cell: Cell) -> list[str]:
    acc, n = three["acc"], known.n if cell.protocol.split == "all" else 0
    each = n // known.k if known.classes == "equal" and n else None
    slack = 0.0 if known.classes == "equal" else SLACK

    def verdict(nmi: float | None = None, ari: float | None = None) -> Feasibility:
        return check_triple(acc, nmi, ari, known.k, each, rounding=0.5 * 10**-cell.digits)

    def ask(name: str, value: float) -> Feasibility:
        return verdict(nmi=value) if name == "nmi" else verdict(ari=value)

    if reasons := verdict().reasons:  # of ACC alone, which no other score can mend
        return reasons
    for name in ("nmi", "ari"):
        value = three[name]
        if value is None or known.classes == "unequal":
            continue
        if not any(ask(name, moved).feasible for moved in (value - slack, min(1.0, value + slack))):
            reasons = [*reasons, *ask(name, value).reasons]
    return reasons


def all_contradictions() -> list[Contradiction]:
    """Every contradiction in the published tables, table after table."""
    sets = published_sets()
    return [found for cell in published_cells() for found in contradictions(cell, sets)]


def written(score: Score | None, dash: str = "–", digits: int = 3) -> str:
    """``.958 (.915–.984)``: the value, and the ends over the runs; empty where there is nothing."""
    if score is None:
        return ""
    if score.value is None:
        return _ends(score, dash, digits)
    ends = f" ({_ends(score, dash, digits)})" if score.low is not None or score.high is not None else ""
    return f"{share(score.value, digits)}{ends}"


def share(value: float, digits: int = 3) -> str:
    """So many decimals, without the leading zero: ``.958``, ``-.020``, ``1.000``."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def remarks(cell: Cell, found: Sequence[Contradiction] = ()) -> list[str]:
    """What to say beside the scores: contradictions, further scores, flags, notes."""
    impossible = [f"impossible{f' ({item.level})' if item.level else ''}" for item in found]
    further = [
        f"{name} {written(score, digits=cell.digits)}" for name, score in cell.scores.items() if name not in TRIPLE
    ]
    return [*dict.fromkeys(impossible), *further, *cell.flags, *cell.notes]


def _ends(score: Score, dash: str, digits: int) -> str:
    low, high = (None if end is None else share(end, digits) for end in (score.low, score.high))
    if low is not None and high is not None:
        return f"{low}{dash}{high}"
    return f"< {high}" if high is not None else f"from {low}" if low is not None else ""


def _best_first(cell: Cell) -> tuple[float, ...]:
    values = (cell.scores.get(name, Score()).value for name in TRIPLE)
    return tuple(1.0 if value is None else -value for value in values)


def _letters() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ..."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_lowercase, repeat=length))
