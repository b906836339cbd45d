"""docs/published.md is what its script makes of the published tables and of our summaries."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from coterie.evidence.compare import all_contradictions
from coterie.evidence.literature import published_cells
from coterie.evidence.measured import measured_cells

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    """benchmarks/render_published.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("render_published", ROOT / "benchmarks/render_published.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs/published.md").read_text(encoding="utf-8")


def test_the_page_and_the_measured_cells_are_those_of_the_json(renderer: ModuleType, page: str) -> None:
    """Fails after a measurement until ``python benchmarks/render_published.py`` has run."""
    assert renderer.page() == page
    assert renderer.page() == page, "the second time as the first"
    assert renderer.measured() == renderer.MEASURED.read_text(encoding="utf-8")


def test_every_cell_and_every_measurement_is_a_row(page: str) -> None:
    rows = [line for line in page.partition("## Set by set")[2].splitlines() if line.startswith("| ")]
    headers = [line for line in rows if line.startswith("|  | method")]
    assert len(rows) - 2 * len(headers) == len(published_cells()) + len(measured_cells())
    for cell in measured_cells():
        own = f"| `{cell.command}`, {cell.source.where} |"
        assert any(own in line and f"| **{cell.method}** |" in line for line in rows), cell


def test_every_contradiction_stands_in_its_table(page: str) -> None:
    section = page.partition("## Figures that cannot be")[2].partition("## Set by set")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == len(all_contradictions()) > 5
    assert "ARI 0.951 is too low: with ACC 0.984" in section
    assert "ARI 0.733 is too low: with ACC 0.906" in section
    assert "runs of ours, none does" in section


def test_every_row_of_a_table_has_as_many_cells_as_its_header(page: str) -> None:
    lines = page.splitlines()
    for before, line in pairwise(lines):
        if before.startswith("| ") and line.startswith("| "):
            assert line.count(" |") == before.count(" |"), line
