"""benchmarks/gatcluster_studies.py on 120 scanned digits, and the page of what it measured."""

import json
import sys
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

TINY = ("--set", "epochs=1", "--set", "width=2", "--set", "precision=32", "--set", "n_targets=60", "--set", "repeats=1")
Rows = list[dict[str, Any]]
Study = Callable[..., Rows]
ORIGIN = {"command": "python x", "commit": "abc", "date": "2026-01-01", "machine": "a laptop"}


@pytest.fixture(scope="module")
def studies() -> ModuleType:
    return load_script("gatcluster_studies")


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_gatcluster")


@pytest.fixture(autouse=True)
def few_digits(studies: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_set("digits", Path())
    some = np.flatnonzero(whole.classes < 3)[:120]

    def few(name: str, folder: Path, size: tuple[int, int] | None = None) -> Dataset:
        side = 1 if size is None else size[0] // 8
        images = np.kron(whole.images[some], np.ones((1, 1, side, side), np.uint8))
        return Dataset("digits", images, whole.classes[some], 3, whole.note)

    monkeypatch.setattr(studies, "load", few)


@pytest.fixture
def study(studies: ModuleType, tmp_path: Path) -> Study:
    def run(name: str, *words: str) -> Rows:
        with warnings.catch_warnings(record=True):  # so few images deserve every warning there is
            studies.main([name, "--out", str(tmp_path / f"{name}.json"), *words])
        rows: Rows = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        return rows

    return run


def test_the_ablation_has_a_row_for_each_task_and_takes_up_where_it_stopped(study: Study, tmp_path: Path) -> None:
    words = ("--sets", "digits", "--seeds", "0", *TINY, "--work", str(tmp_path / "work"))
    first = study("ablation", *words, "--settings", "A0")
    rows = study("ablation", *words, "--settings", "A0", "A4", "A5")
    assert rows[0] == first[0]
    assert [row["setting"] for row in rows] == ["A0", "A4"], "grey images have no colours to see"
    assert rows[0]["answers"].keys() == {"head", "linkage"}
    assert rows[1]["parameters"]["attention"] == 0
    assert list((tmp_path / "work").iterdir()) == []


def test_a_sweep_changes_the_images_or_the_map_and_nothing_else(study: Study, tmp_path: Path) -> None:
    words = ("--sets", "digits", *TINY, "--work", str(tmp_path / "work"))
    sides = study("size", *words, "--values", "8", "16")
    assert [(row["value"], row["side"]) for row in sides] == [(8, 8), (16, 16)]
    maps = study("map", *words, "--side", "16", "--values", "6", "4")
    assert [(row["value"], row["side"], row["parameters"]["map_size"]) for row in maps] == [(6, 16, 6), (4, 16, 4)]
    with pytest.raises(SystemExit, match="give --values"):
        study("map", *words, "--set", "map_size=4")


def test_the_memory_of_both_steps_is_measured(studies: ModuleType) -> None:
    about = {"side": 16, "width": 2, "precision": "32", "device": "cpu"}
    for step, batch in (("targets", 100), ("update", 64)):
        found = studies._peak({"step": step, "batch": batch, **about})
        assert found["peak_mb"] >= 0
        assert found["n"] == 1000
    words = ["memory", "--sizes", "16", "32", "--m1", "5", "9"]
    settings = list(studies._memory_settings(studies.arguments(words)))
    assert [(s["step"], s["side"], s["batch"]) for s in settings] == [
        ("targets", 16, 5), ("targets", 16, 9), ("update", 16, 64),
        ("targets", 32, 5), ("targets", 32, 9), ("update", 32, 64),
    ]  # fmt: skip


def test_perfect_labels_miss_as_much_entropy_as_is_expected(studies: ModuleType) -> None:
    found = studies._missed(64, 10)
    assert found["missed"] == pytest.approx(found["expected"], rel=0.1)
    assert 0 < found["absent"] < 0.01


# --- the page


def test_the_page_and_its_plots_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_gatcluster.py`` has run."""
    made = renderer.pages()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, path.name
    assert set(renderer.IMAGES.glob("gatcluster-*.svg")) == {path for path in made if path.suffix == ".svg"}


def test_no_measured_row_names_a_folder_of_the_machine_it_ran_on(renderer: ModuleType) -> None:
    for path in renderer.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not [part for part in ("/home", "/root", "/work") if part in text], path.name


def trained(setting: str, acc: float, seed: int = 0, **more: Any) -> dict[str, Any]:
    scores = {"n_clusters": 10, "acc": acc, "nmi": acc / 2, "ari": acc}
    answers = {"head": scores, "linkage": scores | {"acc": acc + 0.1}}
    return ORIGIN | more | {
        "set": "usps", "setting": setting, "seed": seed, "parameters": {"precision": "bf16"}, "n": 9298, "k": 10,
        "answers": answers, "chosen": "linkage", "epochs": 9, "seconds": 100.0, "continued": False, "warnings": [],
    }  # fmt: skip


def test_the_figures_of_the_page_are_medians_over_the_seeds(renderer: ModuleType) -> None:
    rows = [trained("A0", acc, seed) for seed, acc in enumerate((0.5, 0.7, 0.6))] + [trained("A3", 0.2)]
    sizes = [trained(f"side={value}", value / 100, value=value) for value in (64, 32)]
    peaks = [
        ORIGIN | {"step": step, "side": 96, "batch": batch, "width": 16, "device": "cpu", "peak_mb": mb}
        for step, batch, mb in (("targets", 25, 100), ("targets", 200, 1400), ("update", 64, 900))
    ]
    missed = [ORIGIN | {"m2": 32, "k": 10, "missed": 0.15, "expected": 0.141, "absent": 0.034}]
    timed = ORIGIN | {"side": 32, "width": 16, "batch_size": 64, "precision": "32", "threads": 2, "what": "2 repeats"}
    speeds = [
        timed | {"study": "kept", "updates_per_second": 20.0, "kept": 0.8},
        timed | {"study": "evaluation", "what": "30 epochs", "share": 0.012},
    ]
    studies = {"ablation": rows, "size": sizes, "map": [], "memory": peaks, "entropy": missed, "speed": speeds}
    made = renderer.pages(studies)
    page = made[renderer.PAGE]
    assert (
        "| USPS | A0: all four learning tasks | .600 / .300 | .700 / .300 | .700 / .300 | .600 – .800 | 3 | 100 |"
        in page
    )
    assert "| USPS | A3: without the entropies | .200 / .100 |" in page
    assert page.index("| USPS | 32 |") < page.index("| USPS | 64 |")
    assert "| 96 x 96 | 100 | 1,400 | 900 |" in page
    assert "| 10 | 32 | 0.150 | 0.141 | 3.4% |" in page
    assert "| 2 repeats | 32 | 16 | 64 | 32 | 2 | 20.00 | kept 80.0% |" in page
    assert "took 1.2% of a training of 30 epochs" in page
    assert page.count("Not measured yet") == 1
    assert "`python benchmarks/gatcluster_studies.py map`" in page
    svgs = {path.name: text for path, text in made.items() if path.suffix == ".svg"}
    assert set(svgs) == {"gatcluster-size.svg", "gatcluster-memory.svg"}
    assert "dc:date" not in "".join(svgs.values())


def test_the_script_finds_its_neighbours() -> None:
    assert "study_rows" in sys.modules
