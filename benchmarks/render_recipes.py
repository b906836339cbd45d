"""The table of recipes in docs/reproduce.md, out of the recipes and of docs/results/recipes/*.json.

    coterie reproduce NAME --data ../shared/data --summary docs/results/recipes/NAME.json
    python benchmarks/render_recipes.py

Every number stands in a JSON that ``coterie reproduce`` wrote; a recipe without one is "not measured". A second file
for the same recipe (NAME-gpu.json) is a line of its own. A commit that ends in + had uncommitted changes.
"""

import json
from pathlib import Path
from typing import Any

from coterie.evidence.recipe import Recipe, find_recipe, shipped_recipes

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/results/recipes"
PAGE = ROOT / "docs/reproduce.md"
BEGIN, END = "<!-- recipes: benchmarks/render_recipes.py -->", "<!-- end of recipes -->"
HEADER = ["recipe", "set", "published ACC / NMI", "ACC", "NMI", "ARI", "seeds", "seconds", "machine", "date, commit"]
NOT_MEASURED = ["not measured", *[""] * 6]

Summary = dict[str, Any]


def summaries(folder: Path = RESULTS) -> list[Summary]:
    """Every summary in ``folder``, by the name of its file."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def table(found: list[Summary]) -> str:
    """One line for each recipe and summary."""
    lines = [HEADER, ["---"] * len(HEADER)]
    for name in shipped_recipes():
        recipe = find_recipe(name)
        own = [summary for summary in found if summary["recipe"]["name"] == name]
        title = [f"`{name}`", f"`{recipe.data_set}`", _published(recipe)]
        lines += [[*title, *_measured(summary)] for summary in own] or [[*title, *NOT_MEASURED]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_table(page: str, made: str) -> str:
    """``page`` with the table between its two markers."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"docs/reproduce.md has lost its markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _published(recipe: Recipe) -> str:
    scores = [_score(recipe.published.get(name)) for name in ("acc", "nmi")]
    return " / ".join(scores) if recipe.published else "–"


def _measured(summary: Summary) -> list[str]:
    scores = [_spread(summary["selected"][name]) for name in ("acc", "nmi", "ari")]
    uses_gpu = bool(summary["peak_gpu_memory_gb"])
    machines = "; ".join(dict.fromkeys(_machine(machine, uses_gpu) for machine in summary["machines"]))
    commits = ", ".join(_commit(commit) for commit in summary["commits"])
    seconds = summary["seconds"]["median"]
    took = f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"
    return [*scores, str(len(summary["runs"])), took, machines, f"{summary['dates'][-1]}, {commits}"]


def _spread(spread: dict[str, float]) -> str:
    ends = f" ({_score(spread['min'])}–{_score(spread['max'])})" if spread["sd"] is not None else ""
    return f"{_score(spread['median'])}{ends}"


def _machine(machine: dict[str, Any], uses_gpu: bool) -> str:
    return str(machine["gpu"]) if uses_gpu else f"{machine['cores']} cores"


def _commit(commit: str | None) -> str:
    return "no commit" if commit is None else commit[:7] + ("+" if commit.endswith("+") else "")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(page, table(summaries())), encoding="utf-8")


if __name__ == "__main__":
    main()
