"""One figure of a method on a set, with everything a reader needs to compare it: a cell of a published table, or ours.

Figures of different protocols are different things: another split, image size, statistic or definition of NMI moves a
score by more than most methods differ. So a cell carries its ``Protocol``, and nothing here ranks across two of them.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import NamedTuple

# Column of a table -> key of a score, and the range it must lie in.
SCORES = {
    "ACC": ("acc", 0.0),
    "NMI": ("nmi", 0.0),
    "ARI": ("ari", -1.0),
    "CLASSIFICATION": ("classification", 0.0),
    "VERIFICATION": ("verification", 0.0),
}
SPLITS = ("all", "train, then test", "not stated")
STATISTICS = ("median", "mean", "best", "one run", "not stated")
UNLABELLED = ("none", "used", "not stated")
NMI_MEANS = ("geometric", "arithmetic", "per batch", "not stated")
CLASSES = ("equal", "nearly equal", "unequal")
FLAGS = {
    "quoted": "printed by somebody who did not run it",
    "re-run": "run by others than the authors of the method",
    "memory": "remembered, not read again: look it up before you quote it",
    "unclear": "could not be read or told with certainty",
    "legacy metric": "scored in batches, or by purity: not the scores of this page",
    "chosen by labels": "the run, checkpoint or epoch was selected by the classes",
    "training log": "a state on the way, not a result",
    "ablation": "a method without some of its parts",
    "copy": "stands in another table too",
}
_SPLIT_WORDS = {
    "all": "learned and scored on all images",
    "train, then test": "learned on training, scored on test images",
    "not stated": "split not stated",
}
_UNLABELLED_WORDS = {"none": "", "used": "further unlabelled images used", "not stated": "unlabelled images not stated"}
_NMI_WORDS = {
    "geometric": "NMI by the geometric mean",
    "arithmetic": "NMI by the arithmetic mean",
    "per batch": "scores averaged over batches",
    "not stated": "mean of NMI not stated",
}


class Score(NamedTuple):
    """A share: ``value`` as the statistic of the protocol has it, and the lowest and highest over the runs.

    Each may be missing. A ``high`` alone is a figure of which only "below ..." was printed.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Protocol:
    """How a figure came about.

    Attributes:
        split: which images were learned from and scored, of ``SPLITS``.
        size: height x width (x channels) of the images, or "not stated".
        statistic: what the figure is over the runs, of ``STATISTICS``.
        runs: how many; 0 when not stated.
        unlabelled: whether images beyond the set were learned from, of ``UNLABELLED``.
        nmi: which mean of the two entropies is below NMI, of ``NMI_MEANS``.
        input: what was grouped: pixels, or the features named.
    """

    split: str
    size: str
    statistic: str
    runs: int
    unlabelled: str
    nmi: str
    input: str

    def sentence(self) -> str:
        """The protocol in one line of words."""
        what = "input not stated" if self.input == "not stated" else self.input
        what += ", image size not stated" if self.size == "not stated" else f" of {self.size}"
        words = [_SPLIT_WORDS[self.split], what, self.over_runs()]
        words += [_UNLABELLED_WORDS[self.unlabelled], _NMI_WORDS[self.nmi]]
        return "; ".join(filter(None, words))

    def is_partly_unknown(self) -> bool:
        """Whether something of it is not stated, so that one that reads the same may be another."""
        return "not stated" in astuple(self)

    def over_runs(self) -> str:
        """``median of 10 runs`` and the like."""
        if self.statistic == "one run" or self.runs == 1:
            return "one run"
        if self.statistic == "not stated":
            return "runs not stated"
        return f"{self.statistic} of {self.runs} runs" if self.runs else f"{self.statistic} of some runs"


class Source(NamedTuple):
    """Where a figure stands: a short name, the full reference, the table, the place in the text, and what it shows."""

    paper: str
    cite: str
    table: str
    where: str
    about: str


class ImageSet(NamedTuple):
    """A set of the tables: n images (0: not known), k classes, and how equal in size these are, of ``CLASSES``.

    ``see`` are names of sets with other images of the same kind; ``counts`` images of each class where printed.
    """

    name: str
    title: str
    n: int
    k: int
    classes: str
    see: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A method on a set.

    Attributes:
        data_set: name of an ``ImageSet``, or of a set of ``coterie.evidence.datasets``.
        method: as its paper calls it.
        scores: key (acc, nmi, ari, ...) -> ``Score``; at least one.
        protocol, source: as there.
        flags: of ``FLAGS``, what to beware of.
        notes: further sentences.
        digits: decimals that the shares were printed with.
        command: what makes the figure again; None for a published one.
        random: whether another seed would give another figure; True where that is not known.
        answer: of ours, which of several answers of the method it is; "" where there is one.
    """

    data_set: str
    method: str
    scores: Mapping[str, Score]
    protocol: Protocol
    source: Source
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digits: int = 3
    command: str | None = None
    random: bool = True
    answer: str = ""
