"""Recipes: TOML files that say which method runs how on which set, so that a number can be made again.

    [recipe]
    name = "gdl-mnist-test"
    description = "One line: what runs on what."
    protocol = "What is fixed and what the labels are used for."
    seeds = [0, 1, 2, 3, 4]                 # the default

    [recipe.published]                      # optional: what others reported for this
    acc = 0.933
    nmi = 0.864
    source = "who, where"

    [data]
    set = "mnist-test"                      # a name that coterie.evidence.datasets knows
    size = [28, 28]                         # optional: (height, width) that images are stretched to

    [method]
    name = "gdl"                            # as in `coterie methods`

    [method.parameters]                     # what differs from the method's defaults
    n_neighbors = 20

A method is told the number of classes as ``n_clusters`` unless the parameters give another.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from coterie.errors import ConfigError

SEEDS = (0, 1, 2, 3, 4)
SCORES = ("acc", "nmi", "ari")
# What the runner sets itself, seed by seed and machine by machine.
NOT_PARAMETERS = ("random_state", "run_folder", "progress", "device")

_Kinds = type | tuple[type, ...]
_NUMBER = (int, float)


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; names the folder of its results.
        description: one line.
        protocol: what a reader must know to compare the numbers.
        data_set: a name for ``datasets.load``.
        size: (height, width) that images are stretched to, or None.
        method: a name of ``coterie methods``.
        parameters: keyword arguments of the method.
        seeds: the ``random_state`` of each run.
        published: acc, nmi, ari where known, and their source; empty when there is nothing to compare with.
    """

    name: str
    description: str
    protocol: str
    data_set: str
    method: str
    size: tuple[int, int] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    published: dict[str, Any] = field(default_factory=dict)

    def what_runs(self) -> dict[str, Any]:
        """Everything that a seed's answer depends on, as JSON holds it."""
        size = list(self.size) if self.size else None
        method = {"name": self.method, "parameters": self.parameters}
        return {"data": {"set": self.data_set, "size": size}, "method": method}

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change when ``what_runs`` does, and not with a word of the description."""
        return hashlib.sha256(json.dumps(self.what_runs(), sort_keys=True).encode()).hexdigest()[:16]

    def with_epochs(self, epochs: int) -> Self:
        """The recipe with another number of epochs; ConfigError when its method has no ``epochs``."""
        if "epochs" not in method_named(self.method)().get_params():
            raise ConfigError(f"--epochs: the method {self.method} of {self.name} has no epochs; leave it out")
        return replace(self, parameters=self.parameters | {"epochs": epochs})


def method_named(name: str) -> Any:
    """The class of the method called ``name``; ConfigError with the names there are."""
    from coterie.classical import CLASSICAL
    from coterie.methods import METHODS

    if name in CLASSICAL:
        return CLASSICAL[name]
    if name in METHODS:
        return METHODS[name]
    raise ConfigError(f"method.name is {name!r}; expected one of {', '.join([*CLASSICAL, *METHODS])}")


def shipped_recipes() -> dict[str, str]:
    """The text of every recipe that comes with coterie, by name."""
    found = [item for item in (files("coterie") / "recipes").iterdir() if item.name.endswith(".toml")]
    texts = {item.name.removesuffix(".toml"): item.read_text(encoding="utf-8") for item in found}
    return dict(sorted(texts.items()))


def find_recipe(given: str) -> Recipe:
    """The shipped recipe of that name, or the one in the file of that path.

    Raises ConfigError when there is neither, or the recipe has a fault.
    """
    shipped = shipped_recipes()
    if given in shipped:
        return parse_recipe(shipped[given], given)
    try:
        return parse_recipe(Path(given).read_text(encoding="utf-8"), given)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{given} is neither a recipe that comes with coterie ({', '.join(shipped)}) nor a TOML file that can be "
            "read; `coterie reproduce --list` describes them"
        ) from error


def parse_recipe(text: str, where: str) -> Recipe:
    """The recipe in ``text``; ConfigError names ``where``, the key and what is wrong with it.

    Unknown keys, parameters that the method does not have and values that it refuses are faults: a typing error would
    otherwise measure something else.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {where}: it is not TOML: {error}") from error
    return recipe_of(table, where)


def recipe_of(table: dict[str, Any], where: str) -> Recipe:
    """The recipe in ``table``, as a TOML file would hold it; raises as ``parse_recipe``."""
    try:
        recipe = _from_table(table)
        _check_method(recipe)
    except ConfigError as error:
        raise ConfigError(f"recipe {where}: {error}") from error
    return recipe


def _from_table(table: dict[str, Any]) -> Recipe:
    sections = section(table, "", {"recipe": dict, "data": dict, "method": dict}, {})
    about = section(
        sections["recipe"], "recipe.", {"name": str, "description": str, "protocol": str},
        {"published": dict, "seeds": list},
    )  # fmt: skip
    published = section(
        about.get("published", {}), "recipe.published.", {}, dict.fromkeys(SCORES, _NUMBER) | {"source": str}
    )
    data = section(sections["data"], "data.", {"set": str}, {"size": (int, list)})
    method = section(sections["method"], "method.", {"name": str}, {"parameters": dict})
    return Recipe(
        name=_named(about["name"], "recipe.name"),
        description=about["description"],
        protocol=about["protocol"],
        data_set=_named(data["set"], "data.set"),
        method=method["name"],
        size=_size(data.get("size")),
        parameters=method.get("parameters", {}),
        seeds=check_seeds(about.get("seeds", list(SEEDS)), "recipe.seeds"),
        published=published,
    )


def section(
    table: Mapping[str, Any], prefix: str, required: Mapping[str, _Kinds], optional: Mapping[str, _Kinds]
) -> dict[str, Any]:
    """``table`` when it has the required keys, no unknown one, and values of the right kinds."""
    known = {**required, **optional}
    if unknown := [key for key in table if key not in known]:
        raise ConfigError(f"the key {prefix}{unknown[0]} is unknown; expected {', '.join(known)} there")
    if missing := [key for key in required if key not in table]:
        raise ConfigError(f"the key {prefix}{missing[0]} is missing")
    for key, value in table.items():
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ConfigError(f"{prefix}{key} is {value!r}; expected {_kind_words(known[key])}")
    return dict(table)


def _kind_words(kinds: _Kinds) -> str:
    words = {str: "a text", dict: "a table", list: "a list", int: "a whole number"}
    if kinds == _NUMBER:
        return "a number"
    each = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(words[kind] for kind in each)


def _named(value: str, key: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", value, re.ASCII):
        raise ConfigError(f"{key} is {value!r}; expected letters, digits, - _ and .")
    return value


def _size(value: int | list[Any] | None) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
        raise ConfigError(f"data.size is {value!r}; expected one side or [height, width] in pixels")
    return sides[0], sides[1]


def check_seeds(seeds: list[Any], key: str) -> tuple[int, ...]:
    """``seeds`` when they are whole numbers from 0 to 2^32 - 1, at least one and each once."""
    good = all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds)
    if not seeds or not good or len(set(seeds)) < len(seeds):
        raise ConfigError(f"{key} is {seeds!r}; expected different whole numbers from 0 to 2^32 - 1, at least one")
    return tuple(seeds)


def _check_method(recipe: Recipe) -> None:
    model = method_named(recipe.method)()
    own = [name for name in model.get_params() if name not in NOT_PARAMETERS]
    for name in recipe.parameters:
        if name in NOT_PARAMETERS:
            raise ConfigError(f"the key method.parameters.{name} is not for recipes: reproduce sets it for each run")
        if name not in own:
            raise ConfigError(
                f"the key method.parameters.{name} is unknown; {recipe.method} has the parameters {', '.join(own)}"
            )
    try:
        json.dumps(recipe.parameters, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"method.parameters hold a date, NaN or infinity, which a record cannot ({error})") from error
    model.set_params(**recipe.parameters)
    model.check_parameters()
