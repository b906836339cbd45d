"""docs/reproduce.md: its table is that of the measured summaries, and these are of the recipes as they are now."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from coterie.evidence.datasets import SETS
from coterie.evidence.recipe import find_recipe, shipped_recipes
from scripts import load_script

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reproduce.md"
MEASURED = sorted((ROOT / "docs/results/recipes").glob("*.json"))


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_recipes")


def test_the_table_of_recipes_is_that_of_the_json(renderer: ModuleType) -> None:
    """Fails after a new recipe or a measurement until ``python benchmarks/render_recipes.py`` has run."""
    page = PAGE.read_text(encoding="utf-8")
    assert renderer.with_table(page, renderer.table(renderer.summaries())) == page


def test_a_recipe_that_was_not_measured_says_so(renderer: ModuleType) -> None:
    table = renderer.table([])
    assert table.count("not measured") == len(shipped_recipes())
    assert "| `gdl-mnist-test` | `mnist-test` | .933 / .864 | not measured |" in table


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in MEASURED])
def test_a_measured_summary_is_of_the_recipe_as_it_is_and_holds_no_path(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    summary = json.loads(text)
    name = summary["recipe"]["name"]
    assert path.stem.startswith(name)
    assert summary["recipe"]["digest"] == find_recipe(name).digest, "measure it again: the recipe has changed since"
    assert "/home" not in text
    assert "/root" not in text


def test_the_table_of_sets_has_every_set_with_its_facts() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, known in SETS.items():
        colour = " colour" if known.shape[0] == 3 else ""
        size = f"{known.shape[1]} x {known.shape[2]}{colour}"
        assert f"| `{name}` | {known.n:,} | {known.n_clusters} | {size} |" in text
        if known.archive:
            assert f"`{known.archive}`" in text
