"""benchmarks/jule_studies.py on 300 scanned digits: a row for each setting, none of them twice."""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from coterie.classical import CLASSICAL
from coterie.evidence.datasets import Dataset
from coterie.evidence.datasets import load as load_set
from scripts import load_script

TINY = ("--set", "epochs=1", "--set", "rounds=0", "--set", "precision=32")
Rows = list[dict[str, Any]]
Study = Callable[..., Rows]


@pytest.fixture(scope="module")
def studies() -> ModuleType:
    return load_script("jule_studies")


@pytest.fixture(autouse=True)
def few_digits(studies: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_set("digits", Path())
    some = np.flatnonzero(whole.classes < 3)[:300]
    few = Dataset("digits", whole.images[some], whole.classes[some], 3, whole.note)
    monkeypatch.setattr(studies, "load", lambda *_: few)
    monkeypatch.setattr(sys.modules[studies.learned.__module__], "load", lambda *_: few)


@pytest.fixture
def study(studies: ModuleType, tmp_path: Path) -> Study:
    def run(name: str, *words: str) -> Rows:
        with warnings.catch_warnings(record=True):  # three hundred images deserve every warning there is
            studies.main([name, "--out", str(tmp_path / f"{name}.json"), *words])
        rows: Rows = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        return rows

    return run


def test_the_alpha_study_has_a_row_for_each_rule_and_the_same_start_for_all(study: Study) -> None:
    rows = study("alpha", "--sets", "digits", "--linkages", "paper")
    assert [(row["rule"], row["alpha"]) for row in rows] == [
        ("exact", None), ("size_ratio", None), *[("constant_ratio", a) for a in (-0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.5)],
    ]  # fmt: skip
    assert len({row["n_initial"] for row in rows}) == 1
    assert all(row["n_clusters"] == 3 and row["cpu_seconds"] > 0 for row in rows)
    assert rows[0].keys() >= {"command", "commit", "date", "machine", "acc", "nmi", "ari", "seconds"}
    assert study("alpha", "--sets", "digits", "--linkages", "paper") == rows


def test_a_sweep_trains_once_for_each_value_and_takes_up_where_it_stopped(study: Study, tmp_path: Path) -> None:
    work = ("--sets", "digits", *TINY, "--work", str(tmp_path / "work"))
    first = study("eta", *work, "--values", "0.9")
    rows = study("eta", *work, "--values", "0.9", "0.5")
    assert rows[0] == first[0]
    assert [row["value"] for row in rows] == [0.9, 0.5]
    assert rows[0]["answers"].keys() == {"sf", "rc", "robust"}
    assert rows[0]["epochs"] < rows[1]["epochs"]  # more periods
    assert rows[0]["settings"] == {"epochs": 1, "rounds": 0, "precision": "32"}
    assert list((tmp_path / "work").iterdir()) == []


def test_the_sweep_of_neighbours_gives_the_recurrence_as_many_as_asked(study: Study, tmp_path: Path) -> None:
    (row,) = study("neighbors", "--sets", "digits", *TINY, "--values", "7", "--work", str(tmp_path / "work"))
    assert (row["parameter"], row["value"], row["seed"]) == ("n_neighbors", 7, 0)


def test_what_a_study_varies_cannot_be_set_as_well(study: Study) -> None:
    with pytest.raises(SystemExit, match="give --values"):
        study("eta", "--sets", "digits", "--set", "eta=0.5")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """What ``coterie reproduce`` leaves, with the classes themselves as an embedding."""
    folder = tmp_path / "run"
    folder.mkdir()
    classes = load_set("digits", Path()).classes
    classes = classes[classes < 3][:300]
    embedding = np.eye(3, dtype=np.float32)[classes] + np.random.default_rng(0).normal(0, 0.01, (300, 3))
    np.savez(folder / "seed-4.npz", labels=classes, embedding=embedding.astype(np.float32))
    record = {
        "format": "coterie seed", "format_version": 1, "data": {"set": "digits", "shape": [300, 1, 8, 8]},
        "recipe": {"name": "made-up", "digest": "abc", "data": {"set": "digits", "size": None}},
    }  # fmt: skip
    (folder / "seed-4.json").write_text(json.dumps(record))
    return folder


def test_purity_is_of_pixels_and_of_what_a_run_learned(study: Study, run_folder: Path) -> None:
    pixels, learned = study("purity", "--runs", str(run_folder))
    assert (pixels["features"], learned["features"]) == ("pixels", "embedding")
    assert (learned["recipe"], learned["seed"]) == ("made-up", 4)
    assert pixels["ks"] == learned["ks"] == list(range(1, 51))
    assert learned["purity"] == [1.0] * 50
    assert 0.9 < pixels["purity"][0] <= 1
    assert len(study("purity", "--runs", str(run_folder), "--sets", "digits")) == 2


def test_a_recipe_that_has_changed_is_measured_again_in_place_of_the_old_one(study: Study, run_folder: Path) -> None:
    before = study("purity", "--runs", str(run_folder))
    record = json.loads((run_folder / "seed-4.json").read_text())
    record["recipe"]["digest"] = "another"
    (run_folder / "seed-4.json").write_text(json.dumps(record))
    after = study("purity", "--runs", str(run_folder))
    assert after[0] == before[0]
    assert [row.get("digest") for row in before + after] == [None, "abc", None, "another"]


def test_every_clusterer_runs_on_both_and_is_right_where_the_classes_are_apart(study: Study, run_folder: Path) -> None:
    rows = study("clusterers", "--runs", str(run_folder))
    names = {row["clusterer"] for row in rows}
    assert names >= {"gdl", "kmeans", "ac-gdl", "spectral", "ward"}
    assert names >= set(CLASSICAL) - {"sc", "ac-ward", "nmf"}  # the rivals of the paper's Table 3
    assert len(rows) == 2 * len(names)
    apart = {row["clusterer"]: row["acc"] for row in rows if row["features"] == "embedding"}
    right = ("kmeans", "spectral", "ward", "ac-link")
    assert {name: apart[name] for name in right} == dict.fromkeys(right, 1.0)


def test_clusterers_that_hold_all_pairs_are_left_out_where_there_are_too_many(
    study: Study, studies: ModuleType, run_folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(studies, "IN_SQUARE_UP_TO", 299)
    rows = study("clusterers", "--runs", str(run_folder), "--clusterers", "ac-link", "kmeans")
    assert {row["clusterer"] for row in rows} == {"kmeans"}
    assert "ac-link on digits: left out, its memory grows with n^2" in capsys.readouterr().out


def test_a_folder_without_seeds_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no seed"):
        study("purity", "--runs", str(tmp_path / "nothing"))
