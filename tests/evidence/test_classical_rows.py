"""benchmarks/classical_rows.py on 300 scanned digits, which stand for the 70,000 images of MNIST."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from coterie.evidence.datasets import Dataset
from coterie.evidence.datasets import load as load_set
from scripts import load_script

Measure = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("classical_rows")


@pytest.fixture
def measure(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measure:
    whole = load_set("digits", Path())
    some = np.flatnonzero(whole.classes < 3)[:300]
    few = Dataset("mnist", whole.images[some], whole.classes[some], 3, whole.note)
    monkeypatch.setattr(script, "load", lambda *_: few)

    def run(*words: str) -> list[dict[str, Any]]:
        script.main(["--sets", "mnist", "--out", str(tmp_path / "rows.json"), *words])
        rows: list[dict[str, Any]] = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))["rows"]
        return rows

    return run


def test_every_method_that_takes_so_many_images_has_a_row_on_what_it_takes(measure: Measure) -> None:
    rows = measure("--features", "unit")
    assert [row["method"] for row in rows] == [
        "K-means", "K-means, as uploaded", "SC-LS", "SC-LS, 1,000 landmarks", "N-Cuts", "AC-Link, squares", "AC-Zell",
        "AC-PIC", "AC-GDL", "NMF-LP", "NMF-LP, as published", "SC", "AC, Ward", "NMF", "NMF, k-means",
    ]  # fmt: skip
    assert all(row["acc"] > 0.5 for row in rows if row["method"].startswith(("K-means", "SC", "AC-GDL", "AC, Ward")))


def test_seeds_make_rows_of_random_methods_alone_and_what_is_there_is_not_made_again(measure: Measure) -> None:
    words = ("--features", "raw", "centred", "--methods", "NMF", "K-means", "AC-GDL", "--seeds")
    first = measure(*words, "0")
    rows = measure(*words, "0", "3")
    assert rows[: len(first)] == first
    told = [(row["method"], row["features"], row["seed"]) for row in rows]
    assert sorted(told) == [
        ("AC-GDL", "centred", 0), ("AC-GDL", "raw", 0), ("K-means", "centred", 0), ("K-means", "centred", 3),
        ("K-means", "raw", 0), ("K-means", "raw", 3), ("NMF", "raw", 0), ("NMF", "raw", 3),
    ]  # fmt: skip
