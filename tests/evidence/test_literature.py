"""The published tables load, cell by cell, with source and protocol; a fault in a file is told in one sentence."""

from math import isnan
from typing import Any

import pytest

from coterie.errors import ConfigError
from coterie.evidence.cells import FLAGS, NMI_MEANS, SPLITS, STATISTICS, UNLABELLED, Cell, Score
from coterie.evidence.datasets import SETS
from coterie.evidence.literature import (
    parse_p_values,
    parse_sets,
    parse_tables,
    published_cells,
    published_p_values,
    published_sets,
)

SOME_SETS = parse_sets(
    '[toy]\ntitle = "t"\nn = 20\nk = 2\nclasses = "equal"\n[other]\ntitle = "o"\nn = 0\nk = 3\nclasses = "unequal"\n',
    "s",
)
TABLE = """
paper = "P"
cite = "somebody, somewhere"
[[tables]]
table = "Table 1"
where = "section 2"
about = "what it shows"
sets = ["toy", "other"]
sizes = ["8 x 8", "not stated"]
scores = ["NMI", "ACC min", "ACC"]
split = "all"
statistic = "median"
runs = 10
unlabelled = "none"
nmi = "geometric"
input = "pixels"
[tables.rows]
"A" = [0.5, 0.4, 0.6, nan, nan, 0.7]
"B" = [nan, nan, nan, "<0.3", nan, nan]
[[tables.marks]]
methods = ["A"]
sets = ["other"]
flag = "quoted"
note = "from elsewhere"
statistic = "best"
runs = 0
"""


def cells_named(paper: str, table: str) -> dict[tuple[str, str], Cell]:
    found = [cell for cell in published_cells() if (cell.source.paper, cell.source.table) == (paper, table)]
    assert found
    return {(cell.method, cell.data_set): cell for cell in found}


def test_every_cell_has_a_score_a_source_and_a_protocol() -> None:
    assert len(published_cells()) > 600
    for cell in published_cells():
        assert cell.data_set in published_sets()
        assert cell.scores
        assert all(cell.source)
        assert cell.protocol.split in SPLITS
        assert cell.protocol.statistic in STATISTICS
        assert cell.protocol.unlabelled in UNLABELLED
        assert cell.protocol.nmi in NMI_MEANS
        assert cell.protocol.size
        assert cell.protocol.input
        assert set(cell.flags) <= set(FLAGS) - {"copy"}
        assert cell.command is None


def test_every_score_is_a_share_between_its_ends() -> None:
    for cell in published_cells():
        for name, score in cell.scores.items():
            given = [value for value in (score.low, score.value, score.high) if value is not None]
            assert given == sorted(given)
            assert given
            assert all((-1 if name == "ari" else 0) <= value <= 1 for value in given)


def test_no_table_says_two_things_of_one_cell() -> None:
    places = [(*cell.source, cell.method, cell.data_set, cell.protocol) for cell in published_cells()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("paper", "table", "method", "data_set", "score", "printed"),
    [
        ("JULE", "Table 2", "JULE-RC", "cmu-pie", "acc", Score(1.000)),
        ("JULE", "Table 2", "NMF-LP", "ytf", "acc", Score(0.546)),
        ("JULE", "Table 3", "N-Cuts", "frgc", "acc", Score(0.504)),
        ("JULE", "Table 4", "N-Cuts", "mnist-test", "nmi", Score(0.423)),
        ("DCCM", "Table 2", "DCCM", "tiny-imagenet", "ari", Score(0.038)),
        ("DCCM", "Table 2", "AC", "stl-10", "acc", Score(0.332)),
        ("DCCM", "Table 3", "DCCM M1, pseudo-graph", "cifar-10", "ari", Score(0.232)),
        ("DCCM", "Table 5", "DeepCluster", "cifar-100-20", "ari", Score(None, None, 0.07)),
        ("DCCM", "Table 6", "DCCM V4, top-n positive and random negative", "cifar-10", "classification", Score(0.698)),
        ("UDC", "Table I", "UDC", "mnist", "ari", Score(0.912, 0.855, 0.951)),
        ("UDC", "Table I", "DDC-DA", "mnist", "nmi", Score(0.927)),
        ("UDC", "Table II", "JULE", "fashion-mnist", "nmi", Score(0.639, 0.594, 0.652)),
        ("UDC", "Table III", "DCCM", "artifact-mnist", "acc", Score(0.332, 0.322, 0.349)),
        ("UDC", "Table IV, identity", "JULE", "orl-32", "ari", Score(None, 0.371, 0.480)),
        ("UDC", "Table IV, gender", "DEC", "orl-32-gender", "ari", Score(None, -0.039, None)),
        ("UDC", "Table V", "DCCM", "usps-700", "acc", Score(0.293, 0.153, 0.328)),
        ("UDC", "Table VI", "UDC*", "imagenet-10", "nmi", Score(0.492)),
        ("TCC", "Table 1", "CC", "tiny-imagenet", "acc", Score(0.140)),
        ("TCC", "Table 2", "SwAV", "cifar-10", "nmi", Score(0.711)),
    ],
)
def test_a_cell_is_that_of_its_paper(
    paper: str, table: str, method: str, data_set: str, score: str, printed: Score
) -> None:
    assert cells_named(paper, table)[method, data_set].scores[score] == printed


def test_tables_hold_as_many_cells_as_their_papers() -> None:
    counts = {
        ("JULE", "Table 2"): 12 * 9, ("JULE", "Table 3"): 10 * 9, ("JULE", "Table 4"): 3 * 4,
        ("DCCM", "Table 2"): 13 * 6, ("DCCM", "Table 3"): 4, ("DCCM", "Table 5"): 4 * 2, ("DCCM", "Table 6"): 4,
        ("UDC", "Table I"): 14, ("UDC", "Table II"): 9, ("UDC", "Table III"): 7, ("UDC", "Table IV, identity"): 9,
        ("UDC", "Table IV, gender"): 7, ("UDC", "Table V"): 9, ("UDC", "Table VI"): 16 * 2, ("TCC", "Table 1"): 3,
        ("TCC", "Table 2"): 3,
    }  # fmt: skip
    assert {key: len(cells_named(*key)) for key in counts} == counts


def test_what_was_not_run_by_the_paper_that_prints_it_is_marked() -> None:
    quoted = cells_named("UDC", "Table I")
    assert quoted["DDC", "mnist"].flags == ("quoted",)
    assert quoted["DDC", "mnist"].protocol.split == "not stated"
    assert quoted["JULE", "mnist"].flags == ("re-run",)
    assert quoted["JULE", "mnist"].protocol.over_runs() == "median of 10 runs"
    assert "quoted" in cells_named("DCCM", "Table 2")["K-means", "cifar-10"].flags


def test_the_quotations_of_one_paper_in_another_agree() -> None:
    first, second = cells_named("DCCM", "Table 2"), cells_named("UDC", "Table VI")
    common = [key for key in second if key in first]
    assert len(common) > 20
    for key in common:
        assert first[key].scores == second[key].scores


def test_our_sets_are_described_as_they_are() -> None:
    for name, known in SETS.items():
        told = published_sets()[name]
        assert (told.n, told.k) == (known.n, known.n_clusters)


def test_the_p_values_of_tcc_are_those_of_its_row() -> None:
    (table,) = published_p_values()
    row = table.rows[table.methods.index("TCC")]
    assert row[:-1] == (0.0005, 0.0075, 0.0023, 0.0002, 0.0191, 0.0023, 0.0073, 0.0778)
    assert isnan(row[-1])


def test_rows_become_cells_with_their_marks() -> None:
    a_toy, a_other, b_other = parse_tables(TABLE, "x.toml", SOME_SETS)
    assert (a_toy.method, a_toy.data_set, a_toy.flags) == ("A", "toy", ())
    assert a_toy.scores == {"nmi": Score(0.5), "acc": Score(0.6, 0.4)}
    assert a_toy.protocol.sentence() == (
        "learned and scored on all images; pixels of 8 x 8; median of 10 runs; NMI by the geometric mean"
    )
    assert a_other.scores == {"acc": Score(0.7)}
    assert (a_other.flags, a_other.notes) == (("quoted",), ("from elsewhere",))
    assert a_other.protocol.over_runs() == "best of some runs"
    assert "image size not stated" in a_other.protocol.sentence()
    assert b_other.scores == {"nmi": Score(None, None, 0.3)}


def test_percent_become_shares() -> None:
    cells = parse_tables(TABLE.replace("runs = 10", "runs = 10\npercent = true", 1), "x.toml", SOME_SETS)
    assert cells[0].scores["acc"] == Score(0.006, 0.004)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[[tables]]", "[[tables", "is not TOML"),
        ('cite = "somebody, somewhere"', "", "the key cite is missing"),
        ('where = "section 2"', "", "Table 1: the key where is missing"),
        ('about = "what', 'comment = "what', "the key comment is unknown"),
        ('"toy", "other"]', '"toy", "cifar"]', "sets is 'cifar'; expected one of 'toy', 'other'"),
        ('split = "all"', 'split = "half"', "split is 'half'; expected one of 'all'"),
        ('nmi = "geometric"', 'nmi = "usual"', "nmi is 'usual'"),
        ("runs = 10", 'runs = "ten"', "the key runs has a value of the wrong kind"),
        ("runs = 10", "runs = true", "the key runs has a value of the wrong kind"),
        ('"8 x 8", "not stated"', '"8 x 8"', "1 sizes for 2 sets"),
        ('"NMI", "ACC min"', '"NMI", "F1"', "scores is 'F1'"),
        ('"ACC min"', '"ACC least"', "scores, after ACC is 'least'"),
        ("0.5, 0.4, 0.6, nan", "0.5, 0.4, nan", "the row A has 5 cells; expected 3 for each of 2 sets"),
        ("0.5, 0.4", "50, 0.4", "A on toy: NMI is 50; expected a share from 0 to 1"),
        ("0.5, 0.4", "0.5, 0.9", "minimum, median and maximum of acc are not in order"),
        ('"<0.3"', '"low"', "is 'low'; expected a number, nan, or a text such as"),
        ('"<0.3"', '"<low"', "is '<low'; expected a number, nan, or a text such as"),
        ('"<0.3"', "true", "is True; expected a number"),
        ('flag = "quoted"', 'flag = "odd"', "a mark: flag is 'odd'"),
        ('methods = ["A"]', 'methods = ["C"]', "a mark: methods is 'C'; expected one of 'A', 'B'"),
        ('sets = ["other"]\nflag', 'sets = ["third"]\nflag', "a mark: sets is 'third'"),
        ('statistic = "best"', 'statistic = "luckiest"', "a mark: statistic is 'luckiest'"),
    ],
)
def test_a_fault_in_a_table_is_told_with_its_place(old: str, new: str, told: str) -> None:
    text = TABLE.replace(old, new, 1)
    assert text != TABLE
    with pytest.raises(ConfigError) as caught:
        parse_tables(text, "x.toml", SOME_SETS)
    assert told in str(caught.value)
    assert str(caught.value).startswith("published x.toml")


def test_a_mark_that_marks_nothing_and_a_table_without_rows_are_faults() -> None:
    empty_mark = TABLE[: TABLE.index("flag =")]
    with pytest.raises(ConfigError, match="it marks nothing"):
        parse_tables(empty_mark, "x.toml", SOME_SETS)
    no_rows = TABLE[: TABLE.index('"A"')]
    with pytest.raises(ConfigError, match="it has no rows"):
        parse_tables(no_rows, "x.toml", SOME_SETS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[a]\ntitle = "t"\nn = 4\nk = 2\nclasses = "odd"', "classes is 'odd'"),
        ('[a]\ntitle = "t"\nn = 4\nk = 2\nclasses = "equal"\ncounts = [1, 2]', "do not add up to n = 4"),
        ('[a]\ntitle = "t"\nn = 4\nk = 2\nclasses = "equal"\nsee = ["b"]', "see names b"),
        ('[a]\ntitle = "t"\nk = 2\nclasses = "equal"', "the key n is missing"),
        ("a = 3", "expected a table of keys"),
    ],
)
def test_a_fault_in_the_sets_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_sets(text, "sets.toml")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('"A" = [nan, 0.5]\n"B" = [0.4, nan]', "the same on both sides"),
        ('"A" = [nan, 1.5]\n"B" = [1.5, nan]', "expected probabilities"),
        ('"A" = [nan, nan]\n"B" = [nan, nan]', "expected probabilities"),
        ('"A" = [nan, 0.5]', "a row and a column for each"),
        ('"A" = [nan]\n"B" = [0.5, nan]', "a row and a column for each"),
    ],
)
def test_a_fault_in_p_values_is_told(rows: str, told: str) -> None:
    head = 'paper = "P"\ncite = "c"\n[[p_values]]\ntable = "T"\nwhere = "w"\nabout = "a"\nmethods = ["A", "B"]\n'
    with pytest.raises(ConfigError, match=told):
        parse_p_values(f"{head}[p_values.rows]\n{rows}\n", "x.toml")


def test_copies_are_read_but_not_listed() -> None:
    listed: set[Any] = {cell.source.table for cell in published_cells()}
    assert "cells of the test" not in listed
