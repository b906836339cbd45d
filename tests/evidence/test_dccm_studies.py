"""benchmarks/dccm_studies.py on 120 scanned digits, and the page and plots that are made of its rows."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from coterie.evidence.datasets import Dataset
from coterie.evidence.datasets import load as load_set
from scripts import load_script

TINY = ("--sets", "digits", "--epochs", "1", "--precision", "32", "--probe-epochs", "2", "--set", "chunk=60",
        "--set", "repeats=1", "--set", "maps=2", "--set", "mi_width=4", "--set", "n_features=8")  # fmt: skip
Rows = list[dict[str, Any]]
Study = Callable[..., Rows]


@pytest.fixture(scope="module")
def studies() -> ModuleType:
    return load_script("dccm_studies")


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_dccm")


@pytest.fixture(autouse=True)
def few_digits(studies: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_set("digits", Path())
    some = np.flatnonzero(whole.classes < 3)[:120]
    few = Dataset("digits", whole.images[some], whole.classes[some], 3, whole.note)
    monkeypatch.setattr(studies, "load", lambda *_: few)


@pytest.fixture
def study(studies: ModuleType, tmp_path: Path) -> Study:
    def run(name: str, *words: str) -> Rows:
        with warnings.catch_warnings(record=True):  # so few images deserve every warning there is
            studies.main([name, "--out", str(tmp_path / f"{name}.json"), "--work", str(tmp_path / "work"), *words])
        rows: Rows = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        return rows

    return run


def test_the_ablation_trains_once_for_each_setting_and_takes_up_where_it_stopped(study: Study) -> None:
    first = study("ablation", *TINY, "--settings", "M1")
    rows = study("ablation", *TINY, "--settings", "M1", "M4")
    assert rows[0] == first[0]
    assert [row["setting"] for row in rows] == ["M1", "M4"]
    assert rows[0]["parameters"]["use_variant_terms"] is False
    assert rows[1]["parameters"]["beta"] == 0.1
    assert rows[0]["answers"].keys() == {"head", "linkage"}
    assert rows[0].keys() >= {"command", "commit", "date", "machine", "n", "k", "seconds"}


def test_the_ablation_adds_one_correlation_at_a_time(studies: ModuleType) -> None:
    weights = {
        name: set(studies.DCCM(**changes).objective().weights)
        for name, changes in studies.ABLATION.items()
        if name != "code"
    }
    assert weights["M1"] == {"loss_graph_clean"}
    assert weights["M2"] == weights["M1"] | {"loss_graph"}
    assert weights["M3"] == weights["M2"] | {"loss_label", "loss_label_clean"}
    assert weights["M4"] == weights["M3"] | {"loss_information"}


def test_the_study_of_thresholds_varies_them(study: Study) -> None:
    rows = study("thresholds", *TINY, "--values", "0.5", "0.95")
    assert [row["parameters"]["label_threshold"] for row in rows] == [0.5, 0.95]


def test_every_sampler_is_scored_by_what_can_be_read_from_its_features(study: Study) -> None:
    rows = study("pairs", *TINY, "--settings", "V1", "V4")
    assert [row["parameters"]["sampler"] for row in rows] == ["nearest", "top"]
    assert all(row["parameters"]["graph"] == 0 and row["parameters"]["self_pairs"] is False for row in rows)
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_pairs_are_drawn_from_the_graph_of_the_other_network(studies: ModuleType) -> None:
    import torch

    images = studies.load("digits").images
    z = torch.eye(3)[torch.arange(len(images)) % 3]
    model = studies.TaughtGraph(3, epochs=1, chunk=60, repeats=1, maps=2, mi_width=4, device="cpu")
    model.z = z
    asked: list[Any] = []
    kept = studies.TaughtGraph._targets
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(
            studies.TaughtGraph, "_targets", lambda *given: asked.append((given[2].index, kept(*given))) or asked[-1][1]
        )
        model.fit(images)
    for index, targets in asked:
        assert torch.equal(targets.z, z[index])
        assert targets.labels.tolist() == (index % 3).tolist()


def test_a_training_is_looked_at_on_its_way(study: Study) -> None:
    study("epochs", *TINY, "--at", "0", "1")
    rows = study("epochs", *TINY, "--at", "0", "1", "2")
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    for row in rows:
        assert row["recall"][0] == 1  # everything is joined at 0
        assert len(row["precision"]) == len(row["thresholds"]) == 41
        assert sum(row["top_probability"]) == pytest.approx(1, abs=1e-3)
        assert np.shape(row["tsne"]["positions"]) == (120, 2)


def test_the_probe_trains_on_one_part_and_scores_on_the_other(study: Study) -> None:
    (row,) = study("probe", *TINY)
    assert (row["n_train"], row["n_test"]) == (96, 24)
    assert row["features"]["fc"]["n_features"] == 8
    assert row["features"]["conv"]["n_features"] == 8  # four times the first maps, at one place
    assert all(0 <= found["accuracy"] <= 1 for found in row["features"].values())


def test_the_training_part_of_a_known_set_is_its_first_images(studies: ModuleType) -> None:
    usps = Dataset("usps", np.zeros((9298, 1, 1, 1), np.uint8), np.zeros(9298, np.int64), 10, "")
    assert studies.training_part(usps).nonzero()[0].tolist() == list(range(7291))


# --- the page


def test_the_page_and_its_plots_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_dccm.py`` has run."""
    made = renderer.pages()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, path.name
    assert set(renderer.IMAGES.glob("dccm-*.svg")) == set(made) - {renderer.PAGE}


def test_no_measured_row_names_a_folder_of_the_machine_it_ran_on(renderer: ModuleType) -> None:
    for path in renderer.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not [part for part in ("/home", "/root", "/work") if part in text], path.name


def test_a_study_without_rows_is_a_sentence_with_its_command(renderer: ModuleType) -> None:
    nothing: dict[str, Rows] = {study: [] for study in renderer.STUDIES}
    text = renderer.page(nothing)
    for name in ("ablation", "thresholds", "pairs", "epochs", "probe"):
        assert f"Not measured yet: `python benchmarks/dccm_studies.py {name}" in text
    assert "python benchmarks/dccm_speed.py" in text
    assert renderer.plots(nothing) == {}


def test_rows_become_tables_and_plots(renderer: ModuleType) -> None:
    origin = {"command": "python x", "commit": "abc", "date": "2026-01-01", "machine": "a laptop", "set": "usps",
              "seed": 0, "n": 120, "k": 3}  # fmt: skip
    scores = {"n_clusters": 3, "acc": 0.5, "nmi": 0.25, "ari": 0.1}
    trained = origin | {"answers": {"head": scores, "linkage": scores | {"acc": 0.75}}, "chosen": "head", "seconds": 3}
    staged = origin | {
        "scores": scores, "thresholds": [0, 0.95], "precision": [0.1, 0.8], "recall": [1, 0.25],
        "top_probability": [0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.5],
        "tsne": {"positions": [[0, 1], [2, 3]], "classes": [0, 1]},
    }  # fmt: skip
    studies = {
        "ablation": [trained | {"setting": "M1", "parameters": {}}],
        "thresholds": [trained | {"setting": "0.5", "parameters": {"label_threshold": 0.5}}],
        "pairs": [origin | {"setting": "V1", "accuracy": 0.7}],
        "epochs": [staged | {"epoch": 1}, staged | {"epoch": 0}],
        "probe": [origin | {"features": {"fc": {"n_features": 64, "accuracy": 0.9}}}],
        "speed": [origin | {"what": what, "network": "n", "batch_size": 32, "precision": "32", "discriminator": share,
                            "updates_per_second": speed} for what, share, speed in (("a", None, 2.0), ("b", 0.8, 7.0))],
    }  # fmt: skip
    text = renderer.page(studies)
    assert "| usps | `M1` | graph terms of clean images | .500 / .250 | .750 / .250 | head | 1 | 3 | .405 |" in text
    assert "| usps | V1 | nearest linked, random unlinked | .700 | 1 | .744 |" in text
    assert "| usps | 0 | 0 | .500 / .250 | .800 | .250 | .500 |" in text
    assert "| b | n | 32 | 32 | 7.00 | .800 | 3.5 |" in text
    plots = renderer.plots(studies)
    assert set(plots) == {f"dccm-{kind}-usps.svg" for kind in ("bcubed", "histogram", "tsne")} | {"dccm-thresholds.svg"}
    assert all(svg.startswith("<?xml") for svg in plots.values())
    assert renderer.plots(studies) == plots
