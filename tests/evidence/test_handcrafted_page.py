"""docs/results/handcrafted.md is what its script makes of its JSON."""

from types import ModuleType

import pytest

from scripts import load_script


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_handcrafted")


def test_the_page_of_the_hand_crafted_features_is_that_of_its_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_handcrafted.py`` has run."""
    assert renderer.page(renderer.read_rows()) == renderer.PAGE.read_text(encoding="utf-8")


def test_the_best_accuracy_of_a_line_is_bold_and_what_was_not_measured_is_a_dash(renderer: ModuleType) -> None:
    row = {
        "set": "usps", "method": "gdl", "features": "hog", "n": 9298, "k": 10, "acc": 0.9, "nmi": 0.85,
        "features_seconds": 2.0, "grouping_seconds": 1.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row, row | {"features": "lbp", "acc": 0.5}])
    assert "| usps | 9,298 | 10 | linkage, default | – | **.900 / .850** | .500 / .850 | – |" in text
    assert "| usps | – | 2.0 (1.0) | 2.0 (1.0) | – |" in text


def test_table_4_of_jule_stands_beside_what_was_measured(renderer: ModuleType) -> None:
    row = {
        "set": "mnist-test", "method": "n-cuts", "features": "hog", "n": 10000, "k": 10, "acc": 0.5, "nmi": 0.45,
        "features_seconds": 2.0, "grouping_seconds": 1.0, "command": "c", "machine": "m", "date": "d", "commit": "a",
    }  # fmt: skip
    text = renderer.page([row])
    assert "| N-Cuts | .423 | .450 | .500 |" in text
    assert "| SC-LS |" not in text
    assert "Table 4" not in renderer.page([row | {"method": "gdl"}])


def test_every_row_is_of_features_and_a_method_that_the_script_has(renderer: ModuleType) -> None:
    for row in renderer.read_rows():
        assert row["features"] in renderer.FEATURES
        assert row["method"] in {**renderer.METHODS, **renderer.TABLE_4}
        assert {"command", "commit", "date", "machine", "seed", "d"} <= set(row)
