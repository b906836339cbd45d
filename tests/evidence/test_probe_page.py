"""benchmarks/probe_rows.py on a made-up folder of runs, and the page of what it measured."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coterie.evidence.datasets import load
from scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("probe_rows")


def seeds(folder: Path, data: Path) -> list[Any]:
    """Two runs on scanned digits: one whose features are the classes, one whose features are noise."""
    digits = load("digits", data)
    perfect = np.eye(10, dtype=np.float32)[digits.classes]
    noise = np.random.default_rng(0).normal(size=(len(perfect), 10)).astype(np.float32)
    return [
        SimpleNamespace(data=digits, recipe=f"own-{folder.name}", digest="d", seed=seed, embedding=embedding)
        for seed, embedding in enumerate((perfect, noise))
    ]


def test_features_that_are_the_classes_are_read_and_noise_is_not(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script, "learned", seeds)
    out = tmp_path / "probe.json"
    script.main([str(tmp_path / "runs"), "--epochs", "8", "--out", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert [(row["features"], row["seed"]) for row in rows] == [("pixels", 0), ("own-runs", 0), ("own-runs", 1)]
    pixels, perfect, noise = (row["accuracy"] for row in rows)
    assert perfect == 1.0
    assert noise < 0.2 < pixels
    script.main([str(tmp_path / "runs"), "--epochs", "8", "--out", str(out)])
    assert json.loads(out.read_text())["rows"] == rows, "rows that are there are kept"


def test_the_page_is_that_of_the_json_and_shows_medians() -> None:
    """Fails after a measurement until ``python benchmarks/render_probe.py`` has run."""
    renderer = load_script("render_probe")
    for path, text in renderer.pages().items():
        assert path.read_text(encoding="utf-8") == text, path.name
    origin = {"commit": "abc", "date": "2026-01-01", "machine": "a laptop"}
    rows = [
        origin | {"set": "usps", "features": "dac-usps", "digest": "d", "seed": seed, "n_train": 7291, "n_test": 2007,
                  "n_features": 10, "accuracy": right, "train_accuracy": 1.0, "epochs": 150}
        for seed, right in enumerate((0.9, 0.95, 0.91))
    ]  # fmt: skip
    (text,) = renderer.pages(rows).values()
    assert "| `dac-usps` | 10 | .910 (.900–.950) | 1.000 | 3 |" in text
