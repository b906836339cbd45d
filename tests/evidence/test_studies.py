"""Rows of the studies as records: the seeds of a setting together, with what a protocol needs."""

import json
from pathlib import Path
from typing import Any

import pytest

from coterie.evidence.cells import Score
from coterie.evidence.measured import cell_of
from coterie.evidence.studies import STUDIES, Short, random_method, read_studies

RESULTS = Path(__file__).parents[2] / "docs/results"


@pytest.fixture(scope="module")
def records() -> list[Short]:
    return read_studies(RESULTS)


def rows_of(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RESULTS / name).read_text())["rows"]
    return found


def test_every_row_of_every_study_is_in_a_record(records: list[Short]) -> None:
    assert {record["table"] for record in records} == set(STUDIES)
    for name in STUDIES:
        n_rows = sum(len(row["selected"]["runs"]) if name == "udc/runs.json" else 1 for row in rows_of(name))
        assert sum(record["n_runs"] for record in records if record["table"] == name) == n_rows


def test_records_carry_the_command_commit_and_date_of_their_rows(records: list[Short]) -> None:
    for record in records:
        origins = {(row["command"], row["commit"], row["date"]) for row in rows_of(record["table"])}
        assert (record["command"], record["commit"], record["date"]) in origins


def test_the_seeds_of_a_setting_are_one_cell_with_median_and_ends(records: list[Short]) -> None:
    rows = [row for row in rows_of("jule/clusterers.json") if row["set"] == "coil-20"]
    accs = sorted(row["acc"] for row in rows if (row["clusterer"], row["features"]) == ("kmeans", "embedding"))
    cell = next(
        cell_of(record) for record in records
        if (record["table"], record["set"], record["method"]) == ("jule/clusterers.json", "coil-20", "kmeans")
        and record["input"] == "embedding of jule-coil-20"
    )  # fmt: skip
    assert cell.scores["acc"] == Score(accs[2], accs[0], accs[4])
    assert cell.protocol.over_runs() == "median of 5 runs"
    assert cell.protocol.input == "embedding of jule-coil-20"


def test_rows_of_one_set_and_method_with_other_features_stay_apart(records: list[Short]) -> None:
    found = [r for r in records if (r["table"], r["set"], r["method"]) == ("handcrafted.json", "usps", "kmeans")]
    assert {record["input"] for record in found} == {"pixels", "hog", "lbp", "sift"}
    assert all(record["n_runs"] == 1 for record in found)


def test_what_a_network_reads_from_features_is_a_classification_after_a_split(records: list[Short]) -> None:
    cell = next(cell_of(r) for r in records if (r["table"], r["method"]) == ("probe.json", "dac, probe"))
    assert cell.scores.keys() == {"classification"}
    assert (cell.protocol.split, cell.protocol.unlabelled) == ("train, then test", "used")


def test_linkage_is_not_random_but_the_embeddings_it_may_be_given_are() -> None:
    assert not random_method("gdl, as published", "pixels")
    assert not random_method("ac-zell, exact", "pixels")
    assert random_method("gdl", "embedding of jule-usps-11k")
    assert random_method("kmeans", "pixels")


def test_what_is_random_is_what_the_rows_say(records: list[Short]) -> None:
    said = {(r["set"], r["method"], r["input"]): r["random"] for r in records if r["table"] == "classical.json"}
    rows = rows_of("classical.json")
    settings = {(row["set"], row["method"], row["features"], str(row["settings"])): row["random"] for row in rows}
    assert sum(said.values()) == sum(settings.values())
