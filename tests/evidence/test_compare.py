"""Cells beside each other: order only within a protocol, contradictions found, words for scores."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from coterie.classical import CLASSICAL
from coterie.errors import ConfigError
from coterie.evidence.cells import Cell, Protocol, Score, Source
from coterie.evidence.compare import (
    LITERATURE,
    all_contradictions,
    cells_of,
    contradictions,
    groups,
    remarks,
    written,
)
from coterie.evidence.literature import published_cells, published_sets
from coterie.evidence.measured import contradictions as own_contradictions
from coterie.evidence.measured import measured_cells, read_summaries, shipped
from coterie.evidence.studies import read_studies
from coterie.methods import METHODS

PROTOCOL = Protocol("all", "8 x 8", "median", 5, "none", "geometric", "pixels")
SOURCE = Source("P", "c", "Table 1", "w", "a")
RESULTS = Path(__file__).parents[2] / "docs/results/recipes"


def cell(method: str, acc: float | None, data_set: str = "usps-11k", protocol: Protocol = PROTOCOL) -> Cell:
    return Cell(data_set, method, {"acc": Score(acc)} if acc else {"nmi": Score(0.5)}, protocol, SOURCE)


def found_on(method: str, data_set: str) -> list[str]:
    return [
        f"{item.level}: {item.reason}"
        for item in all_contradictions()
        if (item.cell.method, item.cell.data_set) == (method, data_set)
    ]


def test_cells_are_in_order_within_a_protocol_and_never_across() -> None:
    other = replace(PROTOCOL, statistic="best")
    cells = [cell("low", 0.4), cell("best", 0.99, protocol=other), cell("high", 0.6), cell("without", None)]
    first, second = groups(cells)
    assert [each.method for each in first.cells] == ["high", "low", "without"]
    assert [each.method for each in second.cells] == ["best"]
    assert (first.letter, second.letter) == ("a", "b")


def test_papers_that_leave_part_of_their_protocol_open_are_not_ranked_among_each_other() -> None:
    unknown = replace(PROTOCOL, split="not stated")
    one, two = cell("one", 0.4, protocol=unknown), cell("two", 0.5, protocol=unknown)
    two = replace(two, source=SOURCE._replace(paper="Q"))
    assert [[each.method for each in group.cells] for group in groups([one, two])] == [["one"], ["two"]]
    assert groups([one, two])[1].title().startswith("Q: split not stated; ")
    known = [replace(each, protocol=PROTOCOL) for each in (one, two)]
    assert [[each.method for each in group.cells] for group in groups(known)] == [["two", "one"]]


def test_more_protocols_than_letters_have_two() -> None:
    cells = [cell("m", 0.4, protocol=replace(PROTOCOL, runs=n)) for n in range(1, 29)]
    assert [group.letter for group in groups(cells)][-3:] == ["z", "aa", "ab"]


def test_figures_over_several_runs_share_no_protocol_with_one_that_does_not_say_over_how_many() -> None:
    for name in ("mnist-test", "usps-11k", "cmu-pie", "mnist", "orl-32"):
        for group in groups(cells_of(name, measured_cells())):
            assert len({each.protocol.runs > 1 for each in group.cells}) == 1


def test_the_maxima_of_udc_on_mnist_are_impossible() -> None:
    (told,) = found_on("UDC", "mnist")
    assert told.startswith("maxima: ARI 0.951 is too low: with ACC 0.984")


def test_the_ari_of_tcc_on_cifar_10_is_impossible() -> None:
    told = found_on("TCC", "cifar-10")
    assert told
    assert set(told) == {": ARI 0.733 is too low: with ACC 0.906 and 10 balanced classes it is at least 0.7672."}


def test_the_rows_of_udc_on_usps_700_are_possible() -> None:
    assert found_on("UDC", "usps-700") == []


def test_an_acc_below_one_share_is_impossible_on_any_set() -> None:
    unequal = replace(cell("m", 0.4, "orl-32-gender"), scores={"acc": Score(0.404, 0.265, 0.69), "ari": Score(-0.5)})
    told = [(item.level, item.reason) for item in contradictions(unequal, published_sets())]
    assert [level for level, _ in told] == ["", "minima"]
    assert all("below 1/2" in reason for _, reason in told)


def test_bounds_of_ari_are_not_asked_of_classes_of_different_size() -> None:
    scores = {"acc": Score(0.9), "nmi": Score(0.1), "ari": Score(0.1)}
    assert contradictions(replace(cell("m", 0.9, "usps"), scores=scores), published_sets()) == []
    assert len(contradictions(replace(cell("m", 0.9, "usps-11k"), scores=scores), published_sets())) == 2


def test_a_set_that_no_table_has_and_a_cell_without_acc_are_not_judged() -> None:
    assert contradictions(cell("m", 0.01, "nobody-knows"), published_sets()) == []
    assert contradictions(cell("m", None), published_sets()) == []


def test_every_contradiction_is_of_a_listed_cell() -> None:
    listed = {id(each) for each in published_cells()}
    assert {id(item.cell) for item in all_contradictions()} <= listed


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (None, ""), (Score(), ""), (Score(0.958), ".958"), (Score(1.0), "1.000"), (Score(-0.02), "-.020"),
        (Score(0.0), ".000"), (Score(0.958, 0.915, 0.984), ".958 (.915–.984)"), (Score(0.9996), "1.000"),
        (Score(None, 0.371, 0.48), ".371–.480"), (Score(None, -0.039), "from -.039"),
        (Score(None, None, 0.3), "< .300"),
    ],
)  # fmt: skip
def test_a_score_is_written_as_papers_do(score: Score | None, text: str) -> None:
    assert written(score) == text


def test_a_score_has_the_decimals_it_was_printed_with() -> None:
    assert written(Score(0.97), digits=2) == ".97"
    assert written(Score(0.9775, 0.97, 1.0), digits=4) == ".9775 (.9700–1.0000)"


def test_remarks_tell_contradictions_first() -> None:
    udc = next(item.cell for item in all_contradictions() if (item.cell.method, item.cell.data_set) == ("UDC", "mnist"))
    said = remarks(udc, contradictions(udc, published_sets()))
    assert said[:2] == ["impossible (maxima)", "legacy metric"]


def test_unknown_sets_and_methods_are_told_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no figure on a set 'cifar'"):
        cells_of("cifar", [])
    with pytest.raises(ConfigError, match=r"no method on tiny-imagenet .* there are CC, PICA, "):
        cells_of("tiny-imagenet", [], "resnet")
    assert {each.method for each in cells_of("mnist", [], "udc")} == {"UDC"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("kmeans", {"kmeans", "K-means"}), ("K-means", {"kmeans", "K-means"}),
        ("AC-GDL", {"gdl", "gdl, as published", "AC-GDL"}), ("gdl", {"gdl", "gdl, as published", "AC-GDL"}),
        ("sc-ls", {"sc-ls", "SC-LS"}),
    ],
)  # fmt: skip
def test_a_method_is_found_by_our_name_and_by_that_of_the_papers(asked: str, found: set[str]) -> None:
    assert {each.method for each in cells_of("mnist-test", measured_cells(), asked)} == found


def test_the_names_of_the_papers_are_those_of_their_tables_and_ours_are_methods() -> None:
    printed = {each.method for each in published_cells()}
    assert {name for names in LITERATURE.values() for name in names} <= printed
    assert set(LITERATURE) <= {*CLASSICAL, *METHODS}


def test_the_measured_cells_that_come_with_the_package_are_those_of_the_summaries_and_the_studies() -> None:
    """Fails after a measurement until ``python benchmarks/render_published.py`` has run."""
    summaries = read_summaries(RESULTS)
    assert shipped() == [*summaries, *read_studies(RESULTS.parent)]
    assert measured_cells()[: len(summaries)] == measured_cells(RESULTS)


def test_no_run_of_ours_is_impossible() -> None:
    sets = published_sets()
    for short in shipped():
        known = sets[short["set"]]
        assert own_contradictions(short, known.n, known.classes) == [], short["table"]


def test_a_run_that_cannot_be_is_found() -> None:
    short = {"n_classes": 10, "runs": [[0.9, 0.9, 0.9], [0.906, 0.79, 0.733]]}
    assert own_contradictions(short | {"runs": []}, 10_000, "equal") == []
    assert len(own_contradictions(short, 10_000, "equal")) == 1
    assert own_contradictions(short, 10_000, "unequal") == []


def test_the_answer_that_a_paper_has_is_a_cell_too_where_another_was_chosen() -> None:
    cells = {each.method: each for each in measured_cells() if each.source.table == "jule-mnist-test"}
    assert set(cells) == {"jule", "jule, sf", "jule, rc"}
    assert [each.answer for each in cells.values()] == ["robust", "sf", "rc"]
    summary = json.loads((RESULTS / "jule-mnist-test.json").read_text(encoding="utf-8"))
    assert cells["jule, rc"].scores["acc"].value == summary["answers"]["rc"]["acc"]["median"]
    assert cells["jule, rc"].protocol.runs == summary["answers"]["rc"]["n"]
    assert {each.method for each in measured_cells() if each.source.table == "kmeans-digits"} == {"kmeans"}


def test_a_measured_cell_says_how_it_came_about() -> None:
    ours = next(each for each in measured_cells() if each.source.table == "jule-usps-11k")
    assert (ours.data_set, ours.method, ours.command) == ("usps-11k", "jule", "coterie reproduce jule-usps-11k")
    assert ours.protocol.size == "16 x 16"
    assert ours.protocol.over_runs() == f"median of {ours.protocol.runs} runs"
    once = next(each for each in measured_cells() if each.source.table == "gdl-usps-11k")
    assert once.protocol.over_runs() == "one run"
    assert once.scores["acc"].low is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "holds no summary"),
        ("{", "cannot be read"),
        ("[]", "is no summary"),
        ('{"format": "coterie seed"}', "is no summary"),
        ('{"format": "coterie reproduction", "format_version": 99}', "another release"),
    ],
)
def test_a_folder_without_good_summaries_is_refused(text: str | None, told: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match=told):
        measured_cells(tmp_path)


def test_summaries_of_ones_own_take_the_place_of_ours(tmp_path: Path) -> None:
    summary = json.loads((RESULTS / "kmeans-digits.json").read_text())
    summary["data"] |= {"set": "my-photos", "shape": [5, 3, 8, 8]}
    (tmp_path / "mine.json").write_text(json.dumps(summary))
    (mine,) = measured_cells(tmp_path)
    assert (mine.data_set, mine.protocol.size) == ("my-photos", "8 x 8 x 3")
