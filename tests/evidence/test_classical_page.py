"""docs/results/classical.md is what its script makes of its JSON and of the published tables."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    """benchmarks/render_classical.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("render_classical", ROOT / "benchmarks/render_classical.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_classical_rivals_is_that_of_its_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_classical.py`` has run."""
    assert renderer.page(renderer.read_rows()) == renderer.PAGE.read_text(encoding="utf-8")


def test_figures_near_those_of_the_paper_are_bold_and_others_are_not(renderer: ModuleType) -> None:
    row = {
        "set": "cmu-pie", "method": "AC-Link", "features": "unit", "acc": 0.2013, "nmi": 0.545, "random": False,
        "seconds": 3.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row, row | {"features": "centred", "acc": 0.3}])
    assert "| AC-Link | .201 / .545 | **.201 / .545** | .300 / .545 | – | 3 |" in text
    assert "1 of 1 figures of methods without anything random" in text.replace("\n", " ")


def test_a_whole_series_is_compared_with_the_same_figure_as_its_leading_term_and_counted_once(
    renderer: ModuleType,
) -> None:
    row = {
        "set": "cmu-pie", "method": "AC-PIC", "features": "unit", "acc": 0.799, "nmi": 0.907, "random": False,
        "seconds": 3.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row, row | {"method": "AC-PIC, exact", "acc": 0.5}])
    assert "| AC-PIC, exact | .797 / .902 | .500 / .907 |" in text
    assert "1 of 1 figures of methods without anything random" in text.replace("\n", " ")


def test_of_several_seeds_the_median_stands_with_the_range_and_counts_once(renderer: ModuleType) -> None:
    row = {
        "set": "cmu-pie", "method": "SC-ST", "features": "unit", "nmi": 0.58, "random": True,
        "seconds": 3.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row | {"acc": acc, "seed": seed} for seed, acc in enumerate([0.35, 0.29, 0.28])])
    assert "| SC-ST † | .293 / .581 | **.290 / .580 (.280–.350)** | – | – | 3 |" in text
    assert "and 1 of 1 of the random ones" in text.replace("\n", " ")


def test_k_means_as_uploaded_is_compared_with_that_of_the_table_and_as_published_with_nothing(
    renderer: ModuleType,
) -> None:
    row = {
        "set": "cmu-pie", "features": "unit", "acc": 0.25, "nmi": 0.55, "random": True,
        "seconds": 3.0, "command": "c", "machine": "m", "date": "d", "commit": "a", "seed": 0,
    }  # fmt: skip
    text = renderer.page([row | {"method": "K-means, as uploaded"}, row | {"method": "NMF-LP, as published"}])
    assert "| K-means, as uploaded † | .246 / .549 | **.250 / .550** | – | – | 3 |" in text
    assert "| NMF-LP, as published † | – | .250 / .550 | – | – | 3 |" in text


def test_a_set_that_the_paper_does_not_have_is_said_to_be_one(renderer: ModuleType) -> None:
    row = {
        "set": "orl", "method": "AC-PIC", "features": "unit", "acc": 0.7, "nmi": 0.88, "random": False,
        "seconds": 3.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row])
    assert "Not a set of the paper." in text
    assert "| AC-PIC | – | .700 / .880 | – | – | 3 |" in text
    assert "0 of 0 figures" in text


def test_every_row_is_of_a_method_and_features_that_the_script_has(renderer: ModuleType) -> None:
    for row in renderer.read_rows():
        assert row["features"] in renderer.FEATURES
        assert {"command", "commit", "date", "machine", "seed"} <= set(row)
        assert 0 < row["acc"] <= 1
