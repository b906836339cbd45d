"""Campaigns: TOML files that name methods, sets and seeds, so that many numbers are measured by one command.

    [campaign]
    name = "overnight"
    description = "One line."
    recipes = ["gdl-*", "mine.toml"]        # patterns of recipes that come with coterie, or paths beside this file
    seeds = 3                               # optional: the first 3 of each recipe; or [0, 4]

    [campaign.left_out]                     # optional: recipes that a pattern names and that do not run, and why
    "*-cifar-10" = "hours on a GPU"

    [campaign.memory]                       # optional: GB that recipes need, by pattern
    "jule-mnist" = 2

    [[grid]]                                # optional, any number: each method on each set
    methods = ["kmeans", "gdl"]
    sets = ["digits", "usps"]
    size = [28, 28]                         # optional, as in a recipe
    seeds = [0, 1, 2]                       # optional
    [grid.parameters.kmeans]                # optional: what differs from the method's defaults
    n_init = 5

A cell of a grid becomes the recipe METHOD-SET.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError
from coterie.evidence.protocol import is_random
from coterie.evidence.recipe import Recipe, check_seeds, find_recipe, recipe_of, section, shipped_recipes
from coterie.evidence.reproduce import first_seeds

GRID_PROTOCOL = "All images at once; the labels give the number of clusters and score the answers, nothing else."


@dataclass(frozen=True)
class Campaign:
    """A checked campaign.

    Attributes:
        name: of the folder of its results.
        description: one line.
        recipes: what runs, each with the seeds that run; no two of one name.
        left_out: recipes that a pattern named and that do not run -> why.
        memory: pattern of recipes -> GB that a run needs.
    """

    name: str
    description: str
    recipes: tuple[Recipe, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def memory_of(self, recipe: Recipe) -> float | None:
        """GB that a run of ``recipe`` needs by the first pattern that names it; None where none does."""
        return next((gb for pattern, gb in self.memory.items() if fnmatchcase(recipe.name, pattern)), None)


def shipped_campaigns() -> dict[str, str]:
    """The text of every campaign that comes with coterie, by name."""
    found = [item for item in (files("coterie") / "campaigns").iterdir() if item.name.endswith(".toml")]
    return dict(sorted((item.name.removesuffix(".toml"), item.read_text(encoding="utf-8")) for item in found))


def find_campaign(given: str) -> Campaign:
    """The campaign that comes with coterie by that name, or the one in the file of that path.

    Raises ConfigError when there is neither, or it has a fault.
    """
    shipped = shipped_campaigns()
    if given in shipped:
        return parse_campaign(shipped[given], given, Path())
    try:
        text = Path(given).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{given} is neither a campaign that comes with coterie ({', '.join(shipped)}) nor a TOML file that can be "
            "read"
        ) from error
    return parse_campaign(text, given, Path(given).parent)


def parse_campaign(text: str, where: str, beside: Path) -> Campaign:
    """The campaign in ``text``; paths of recipes in it are from the folder ``beside``.

    Raises ConfigError that names ``where``, the key and what is wrong with it.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"campaign {where}: it is not TOML: {error}") from error
    try:
        return _from_table(table, beside)
    except ConfigError as error:
        raise ConfigError(f"campaign {where}: {error}") from error


def _from_table(table: dict[str, Any], beside: Path) -> Campaign:
    parts = section(table, "", {"campaign": dict}, {"grid": list})
    about = section(
        parts["campaign"], "campaign.", {"name": str, "description": str},
        {"recipes": list, "seeds": (int, list), "left_out": dict, "memory": dict},
    )  # fmt: skip
    left_out = section(
        about.get("left_out", {}), "campaign.left_out.", {}, dict.fromkeys(about.get("left_out", {}), str)
    )
    memory = section(
        about.get("memory", {}), "campaign.memory.", {}, dict.fromkeys(about.get("memory", {}), (int, float))
    )
    named = list(_named(about.get("recipes", []), beside))
    kept = [recipe for recipe in named if not _matches(recipe, left_out)]
    cells = [cell for i, grid in enumerate(parts.get("grid", [])) for cell in _grid(grid, f"grid[{i}].")]
    recipes = [_with_seeds(recipe, about.get("seeds"), "campaign.seeds") for recipe in kept] + cells
    names = [recipe.name for recipe in recipes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{', '.join(sorted(twice))} would run twice, into one folder; name it once")
    if not recipes:
        raise ConfigError("nothing runs: give campaign.recipes or a [[grid]]")
    absent = {recipe.name: reason for recipe in named if (reason := _matches(recipe, left_out)) is not None}
    return Campaign(about["name"], about["description"], tuple(recipes), absent, memory)


def _matches(recipe: Recipe, left_out: Mapping[str, str]) -> str | None:
    return next((why for pattern, why in left_out.items() if fnmatchcase(recipe.name, pattern)), None)


def _named(given: list[Any], beside: Path) -> Iterator[Recipe]:
    shipped = shipped_recipes()
    seen = set()
    for pattern in given:
        if not isinstance(pattern, str):
            raise ConfigError(f"campaign.recipes has {pattern!r}; expected names, patterns of names, or paths")
        if pattern.endswith(".toml"):
            yield find_recipe(str(beside / pattern))
            continue
        found = [name for name in shipped if fnmatchcase(name, pattern)]
        if not found:
            raise ConfigError(
                f"campaign.recipes has {pattern!r}, and no recipe that comes with coterie has such a name"
            )
        yield from (find_recipe(name) for name in found if name not in seen)
        seen.update(found)


def _grid(given: Any, prefix: str) -> Iterator[Recipe]:
    if not isinstance(given, dict):
        raise ConfigError(f"{prefix} is {given!r}; expected a table")
    grid = section(
        given, prefix, {"methods": list, "sets": list}, {"size": (int, list), "seeds": (int, list), "parameters": dict}
    )
    parameters = grid.get("parameters", {})
    if unknown := [name for name in parameters if name not in grid["methods"]]:
        raise ConfigError(f"{prefix}parameters has {unknown[0]}, which is none of its methods")
    for method in grid["methods"]:
        for name in grid["sets"]:
            cell = {
                "recipe": {
                    "name": f"{method}-{name}", "description": f"{method} on {name}.", "protocol": GRID_PROTOCOL,
                },
                "data": {"set": name} | ({"size": grid["size"]} if "size" in grid else {}),
                "method": {"name": method, "parameters": parameters.get(method, {})},
            }  # fmt: skip
            yield _with_seeds(recipe_of(cell, f"{method}-{name}"), grid.get("seeds"), f"{prefix}seeds")


def _with_seeds(recipe: Recipe, seeds: int | list[Any] | None, key: str) -> Recipe:
    """The recipe with the seeds that run: how many of its own, or which ones; a method without a seed runs once."""
    if not is_random(recipe):
        return replace(recipe, seeds=(0,))
    if isinstance(seeds, int):
        if seeds < 1:
            raise ConfigError(f"{key} is {seeds}; expected how many seeds, at least 1, or a list of them")
        return replace(recipe, seeds=first_seeds(recipe, seeds))
    return recipe if seeds is None else replace(recipe, seeds=check_seeds(seeds, key))
