"""Recipes: those that come with coterie, and every fault a file can have."""

import tomllib
from pathlib import Path

import pytest

from coterie.errors import ConfigError
from coterie.evidence.datasets import SETS
from coterie.evidence.made_sets import MADE
from coterie.evidence.recipe import Recipe, find_recipe, parse_recipe, shipped_recipes

WHOLE = """
[recipe]
name = "mine"
description = "k-means on digits."
protocol = "All images."
seeds = [3, 1]
[recipe.published]
acc = 0.5
nmi = 1
source = "a paper"
[data]
set = "digits"
size = [8, 6]
[method]
name = "kmeans"
[method.parameters]
n_init = 3
"""


def parsed(old: str = "", new: str = "") -> Recipe:
    assert old in WHOLE
    return parse_recipe(WHOLE.replace(old, new, 1) if old else WHOLE, "mine.toml")


def test_a_whole_recipe_is_read() -> None:
    assert parsed() == Recipe(
        name="mine", description="k-means on digits.", protocol="All images.", data_set="digits", method="kmeans",
        size=(8, 6), parameters={"n_init": 3}, seeds=(3, 1),
        published={"acc": 0.5, "nmi": 1, "source": "a paper"},
    )  # fmt: skip


def test_what_is_left_out_has_its_default() -> None:
    recipe = parse_recipe(
        '[recipe]\nname="a"\ndescription="b"\nprotocol="c"\n[data]\nset="digits"\n[method]\nname="gdl"', "a.toml"
    )
    assert (recipe.seeds, recipe.size, recipe.parameters, recipe.published) == ((0, 1, 2, 3, 4), None, {}, {})


def test_one_side_is_a_square() -> None:
    assert parsed("[8, 6]", "32").size == (32, 32)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[data]", "[[data", "it is not TOML"),
        ("[data]", "[dat]", "the key dat is unknown; expected recipe, data, method there"),
        ("[method]\n", "[method]\nseed = 1\n", "the key method.seed is unknown"),
        ("size", "sise", "the key data.sise is unknown; expected set, size there"),
        ("acc", "purity", "the key recipe.published.purity is unknown"),
        ("n_init", "n_inits", "the key method.parameters.n_inits is unknown; kmeans has the parameters features"),
        ("n_init = 3", "random_state = 3", "the key method.parameters.random_state is not for recipes"),
        ("n_init = 3", "n_init = inf", "method.parameters hold a date, NaN or infinity"),
        ("n_init = 3", "n_init = 2026-01-01", "method.parameters hold a date, NaN or infinity"),
        ("n_init = 3", "n_init = 0", "n_init is 0; expected a whole number of at least 1"),
        ('protocol = "All images."', "", "the key recipe.protocol is missing"),
        ('name = "kmeans"', 'name = "kmaens"', "method.name is 'kmaens'; expected one of gdl, kmeans"),
        ('"k-means on digits."', "3", "recipe.description is 3; expected a text"),
        ("0.5", '"half"', "recipe.published.acc is 'half'; expected a number"),
        ("0.5", "true", "recipe.published.acc is True; expected"),
        ('name = "mine"', 'name = "../mine"', "recipe.name is '../mine'; expected letters, digits"),
        ('set = "digits"', 'set = "/digits"', "data.set is '/digits'; expected letters, digits"),
        ("[3, 1]", "[]", r"recipe.seeds is \[\]; expected different whole numbers"),
        ("[3, 1]", "[1, 1]", r"recipe.seeds is \[1, 1\]"),
        ("[3, 1]", "[1, -1]", r"recipe.seeds is \[1, -1\]"),
        ("[3, 1]", "[1.5]", r"recipe.seeds is \[1.5\]"),
        ("[8, 6]", "0", "data.size is 0; expected one side"),
        ("[8, 6]", "[8, 6, 3]", r"data.size is \[8, 6, 3\]"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence_that_names_the_file_and_the_key(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^recipe mine.toml: {words}"):
        parsed(old, new)


def test_the_digest_changes_with_what_runs_and_with_nothing_else() -> None:
    digest = parsed().digest
    for old, new in (("k-means on", "KMeans of"), ("All images.", "All."), ("[3, 1]", "[9]"), ("0.5", "0.6")):
        assert parsed(old, new).digest == digest
    different = [("n_init = 3", "n_init = 4"), ("n_init = 3", ""), ("[8, 6]", "8"), ('"digits"', '"usps"')]
    others = {parsed(old, new).digest for old, new in different}
    assert len(others - {digest}) == 4


def test_another_number_of_epochs_needs_a_method_that_has_some() -> None:
    with pytest.raises(ConfigError, match="--epochs: the method kmeans of mine has no epochs; leave it out"):
        parsed().with_epochs(3)


def test_a_recipe_is_found_by_its_name_or_by_its_path(tmp_path: Path) -> None:
    assert find_recipe("gdl-digits").method == "gdl"
    path = tmp_path / "mine.toml"
    path.write_text(WHOLE)
    assert find_recipe(str(path)) == parsed()
    with pytest.raises(ConfigError, match=r"^nothing is neither a recipe that comes with coterie \(.*gdl-digits"):
        find_recipe("nothing")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bytes\.toml is neither"):
        find_recipe(str(tmp_path / "bytes.toml"))


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_that_comes_with_coterie_is_sound_and_has_the_name_of_its_file(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.name == name
    assert recipe.data_set in {**SETS, **MADE}
    assert recipe.description.endswith(".")
    assert "source" in recipe.published or not recipe.published


def test_the_recipe_that_the_module_shows_is_one() -> None:
    from coterie.evidence import recipe

    shown = (recipe.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    found = parse_recipe(shown, "the docstring")
    assert tomllib.loads(shown)["method"]["parameters"] == found.parameters == {"n_neighbors": 20}
