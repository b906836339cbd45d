"""Published figures against ours: what one seed, several and none can tell, and what other protocols cannot."""

from dataclasses import replace

import pytest

from coterie.evidence.against import against, said, sentence
from coterie.evidence.cells import Cell, Protocol, Score, Source
from coterie.evidence.compare import cells_of, groups
from coterie.evidence.measured import measured_cells

THEIRS = Protocol("all", "8 x 8", "not stated", 0, "none", "geometric", "pixels")
OURS = replace(THEIRS, statistic="median", runs=3)
SOURCE = Source("P", "c", "Table 1", "w", "a")


def published(acc: float, method: str = "K-means", **changes: object) -> Cell:
    return replace(Cell("usps", method, {"acc": Score(acc)}, THEIRS, SOURCE), **changes)


def ours(score: Score, method: str = "kmeans", *, random: bool = True, protocol: Protocol = OURS) -> Cell:
    return Cell("usps", method, {"acc": score}, protocol, SOURCE, command="coterie reproduce x", random=random)


def told(cell: Cell, own: Cell) -> list[str]:
    return [sentence(comparison, "a") for comparison in against(cell, [own])]


@pytest.mark.parametrize(
    ("acc", "words"),
    [
        (0.5, "within .450–.600 of 3 seeds (a)"),
        (0.45, "within .450–.600 of 3 seeds (a)"),
        (0.4496, "within .450–.600 of 3 seeds (a)"),
        (0.449, "below .450–.600 of 3 seeds, 50% by chance (a)"),
        (0.602, "above .450–.600 of 3 seeds, 50% by chance (a)"),
    ],
)
def test_over_several_seeds_a_figure_lies_within_or_outside_up_to_its_rounding(acc: float, words: str) -> None:
    assert told(published(acc), ours(Score(0.55, 0.45, 0.6))) == [words]


def test_one_seed_of_a_random_method_tells_nothing() -> None:
    assert told(published(0.5), ours(Score(0.55))) == ["one seed: cannot be told, .550 (a)"]
    assert told(published(0.55), ours(Score(0.55))) == ["one seed: cannot be told, .550 (a)"]


def test_where_nothing_is_random_a_figure_is_the_same_or_differs() -> None:
    fixed = ours(Score(0.8424), "ac-pic", random=False)
    assert told(published(0.842, "AC-PIC"), fixed) == ["the same, .842 (a)"]
    assert told(published(0.843, "AC-PIC"), fixed) == ["differs, .842 (a)"]
    assert told(published(0.84, "AC-PIC", digits=2), fixed) == ["the same, .842 (a)"]


def test_what_differs_in_the_protocols_stands_beside_the_word_and_what_is_not_stated_does_not() -> None:
    own = ours(Score(0.55, 0.45, 0.6))
    other = replace(THEIRS, size="16 x 16", split="train, then test", statistic="best", unlabelled="used")
    assert told(published(0.5, protocol=other), own) == [
        "within .450–.600 of 3 seeds (a; other split; other size; other unlabelled images; the best of their runs)"
    ]
    unknown = replace(THEIRS, size="not stated", split="not stated")
    assert told(published(0.5, protocol=unknown), own) == ["within .450–.600 of 3 seeds (a)"]
    assert told(published(0.5, flags=("chosen by labels",)), own) == [
        "within .450–.600 of 3 seeds (a; chosen by labels)"
    ]


def test_nmi_is_compared_where_there_is_no_acc_and_its_mean_matters_then() -> None:
    cell = published(0.5, scores={"nmi": Score(0.7)}, protocol=replace(THEIRS, nmi="arithmetic"))
    own = replace(ours(Score(0.5)), scores={"acc": Score(0.5, 0.4, 0.6), "nmi": Score(0.6, 0.5, 0.65)})
    assert told(cell, own) == ["NMI above .500–.650 of 3 seeds, 50% by chance (a; other mean of NMI)"]


@pytest.mark.parametrize(
    ("cell", "own"),
    [
        (published(0.5, "K-means"), ours(Score(0.5), "gdl")),
        (published(0.5, data_set="mnist"), ours(Score(0.5))),
        (published(0.5), ours(Score(0.5), protocol=replace(OURS, input="embedding of jule-usps"))),
        (published(0.5), ours(Score(0.5), protocol=replace(OURS, input="hog"))),
        (published(0.5, "AC-GDL"), ours(Score(0.5), "gdl")),  # coterie's own default linkage is another method
        (published(0.5, "NMF-LP"), ours(Score(0.5), "nmf-lp, as published")),  # the tables have it as uploaded
        (published(0.5, "NMF"), ours(Score(0.5), "nmf")),  # the papers' NMF is NMF-LP
        (published(0.5, "JULE-RC"), ours(Score(0.5), "jule, sf")),
        (published(0.5, "DAC"), ours(Score(0.5), "dac, rc")),
        (published(0.5, flags=("ablation",)), ours(Score(0.5))),
        (published(0.5, "DAC, epoch 5"), ours(Score(0.5), "dac")),
        (published(0.5, scores={"classification": Score(0.5)}), ours(Score(0.5))),
        (ours(Score(0.4)), ours(Score(0.5))),
    ],
)  # fmt: skip
def test_what_is_not_the_same_thing_is_not_compared(cell: Cell, own: Cell) -> None:
    assert against(cell, [own]) == []


@pytest.mark.parametrize(
    ("method", "own"), [("JULE-RC", "jule, rc"), ("JULE-SF", "jule, sf"), ("JULE", "jule, rc"), ("DAC", "dac, head")]
)
def test_a_figure_is_compared_with_the_answer_that_its_paper_has(method: str, own: str) -> None:
    assert told(published(0.5, method), ours(Score(0.55, 0.45, 0.6), own)) == ["within .450–.600 of 3 seeds (a)"]


def test_hand_crafted_features_are_compared_with_the_descriptor_that_the_paper_names() -> None:
    theirs = replace(THEIRS, input="hand-crafted features")
    named, unnamed = (
        published(0.5, "AC-PIC", protocol=theirs, notes=("HOG",)),
        published(0.5, "AC-PIC", protocol=theirs),
    )
    hog, sift = (
        ours(Score(0.5), "ac-pic", random=False, protocol=replace(OURS, input=given)) for given in ("hog", "sift")
    )
    assert told(named, hog) == ["the same, .500 (a)"]
    assert told(named, sift) == told(unnamed, hog) == []


def test_an_answer_of_ours_that_the_paper_has_not_is_named() -> None:
    own = replace(ours(Score(0.55, 0.45, 0.6), "jule"), answer="robust")
    assert told(published(0.5, "JULE-RC"), own) == ["within .450–.600 of 3 seeds (a; our robust)"]
    assert told(published(0.5, "JULE-RC"), replace(own, answer="rc")) == ["within .450–.600 of 3 seeds (a)"]


def test_a_line_names_every_figure_of_ours_by_its_letter() -> None:
    found = groups(cells_of("usps-11k", measured_cells(), "AC-PIC"))
    cell = next(each for group in found for each in group.cells if each.scores.get("acc", Score()).value == 0.855)
    at = {round(each.scores["acc"].value or 0, 3): g.letter for g in found for each in g.cells if each.command}
    assert said(cell, found) == f"differs, .591 ({at[0.591]}); differs, .854 ({at[0.854]})"
    assert said(next(each for group in found for each in group.cells if each.command), found) == ""
