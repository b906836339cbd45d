"""docs/results/criteria.md: made of docs/results/criteria.json alone, and what it says of made-up rows."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coterie.evidence.criteria import CRITERIA
from scripts import load_script


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_criteria")


def row(recipe: str, seed: int, acc: float, **changes: Any) -> dict[str, Any]:
    return {
        "recipe": recipe, "digest": "x", "method": recipe.partition("-")[0], "set": "usps", "n": 10, "k": 2,
        "seed": seed, "answer": "head", "chosen": True, **dict.fromkeys(CRITERIA, acc), "acc": acc, "nmi": acc,
        "ari": acc - 0.1,
        "command": "python x", "commit": "abc", "date": "2026-01-01", "machine": "a laptop",
    } | changes  # fmt: skip


def test_the_page_and_its_plot_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_criteria.py`` has run."""
    for path, text in renderer.pages().items():
        assert path.read_text(encoding="utf-8") == text


def test_a_choice_that_loses_more_than_a_blind_one_is_bold_and_one_that_cannot_be_told_is_a_dash(
    renderer: ModuleType,
) -> None:
    rows = [row("udc-usps", seed, acc, gap=-acc, loss=None) for seed, acc in enumerate((0.7, 0.8, 0.9))]
    line = next(line for line in renderer.page(rows).splitlines() if line.startswith("| `udc-usps` † | 3 |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["`udc-usps` †", "3", ".900", ".1000", "0", "0", "0", "0", "0", "**.2000**", "0", "–", "0"]


def test_the_page_says_how_few_seeds_there_are_and_what_each_method_lost(renderer: ModuleType) -> None:
    rows = [row("tcc-usps", seed, 0.7 + seed / 10) for seed in range(3)] + [
        row("jule-usps", seed, 0.9) for seed in (0, 1)
    ]
    text = " ".join(renderer.page(rows).split())
    assert (
        "2 recipes of jule and tcc were run on 1 sets, 5 trainings in all; 1 of the recipes have 3 seeds or more"
        in text
    )
    assert "None has 10." in text
    assert "- **tcc**, 1 recipe with 3 seeds: `seeds` loses 0 on average and 0 at most, blind choice .1000" in text
    assert "**jule**" not in text


def test_what_came_after_the_criterion_was_picked_is_marked_and_has_a_mean_of_its_own(renderer: ModuleType) -> None:
    later = [row("udc-usps", seed, acc, seeds=-acc) for seed, acc in enumerate((0.7, 0.8, 0.9))]
    text = renderer.page([row("jule-coil-20", seed, 0.4 + seed / 10) for seed in range(6)] + later)
    assert "| `jule-coil-20` (+1) | 6 |" in text
    assert "| `udc-usps` † | 3 | .900 |" in text
    line = next(line for line in text.splitlines() if line.startswith("| *mean of †"))
    assert line.count(".2000") == 1
    assert "figures of 1 of these recipes in view" in " ".join(text.split())
    assert "*mean of †" not in renderer.page([row("jule-coil-20", seed, 0.8) for seed in range(3)])


def test_nothing_measured_is_said_as_such(renderer: ModuleType) -> None:
    assert renderer.page([]).endswith("Not measured yet.\n")
    only_two = [row("jule-usps", seed, 0.9) for seed in (0, 1)]
    assert "No recipe has 3 seeds yet, so nothing can be concluded." in renderer.page(only_two)


def test_the_plot_has_a_dot_for_each_recipe_and_criterion(renderer: ModuleType) -> None:
    rows = [row("tcc-usps", seed, acc, loss=None) for seed, acc in enumerate((0.7, 0.8, 0.9))]
    svg = renderer.plot(renderer.enough(renderer.by_recipe(rows)))
    assert svg.count('r="3.2"') == len(CRITERIA)  # blind choice is one more, the loss one less
    assert svg == renderer.plot(renderer.enough(renderer.by_recipe(rows)))


def test_every_script_that_renders_is_run_by_the_one_that_renders_all() -> None:
    rendering = load_script("render_all")
    names = rendering.scripts()
    assert {"render_criteria", "render_spreads", "render_recipes", "render_results"} <= set(names)
    assert "render_all" not in names
    for name in names:
        text = (Path(rendering.HERE) / f"{name}.py").read_text(encoding="utf-8")
        assert "def main() -> None:" in text


def test_the_page_of_spreads_is_that_of_the_summaries() -> None:
    """Fails after a new summary until ``python benchmarks/render_spreads.py`` has run."""
    for path, text in load_script("render_spreads").pages().items():
        assert path.read_text(encoding="utf-8") == text
