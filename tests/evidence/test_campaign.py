"""Campaigns as they are written down: what they name, what they leave out, and what is wrong with them."""

from pathlib import Path

import pytest

from coterie.errors import ConfigError
from coterie.evidence.campaign import Campaign, find_campaign, parse_campaign, shipped_campaigns
from coterie.evidence.recipe import shipped_recipes

ABOUT = '[campaign]\nname = "mine"\ndescription = "Mine."\n'
GRID = '[[grid]]\nmethods = ["kmeans", "gdl"]\nsets = ["digits", "photos"]\n'
RECIPE = """
[recipe]
name = "own"
description = "Own."
protocol = "All."
[data]
set = "digits"
[method]
name = "kmeans"
"""


def parse(text: str, beside: Path = Path()) -> Campaign:
    return parse_campaign(text, "mine.toml", beside)


def test_a_grid_is_each_method_on_each_set_with_its_parameters() -> None:
    found = parse(f"{ABOUT}{GRID}seeds = [4, 2]\nsize = 8\n[grid.parameters.kmeans]\nn_init = 3\n")
    facts = [(r.name, r.method, r.data_set, r.parameters, r.seeds, r.size) for r in found.recipes]
    assert facts == [
        ("kmeans-digits", "kmeans", "digits", {"n_init": 3}, (4, 2), (8, 8)),
        ("kmeans-photos", "kmeans", "photos", {"n_init": 3}, (4, 2), (8, 8)),
        ("gdl-digits", "gdl", "digits", {}, (0,), (8, 8)),  # nothing random in it: once
        ("gdl-photos", "gdl", "photos", {}, (0,), (8, 8)),
    ]


def test_recipes_are_named_by_patterns_and_by_paths_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(RECIPE)
    found = parse(f'{ABOUT}recipes = ["kmeans-*", "kmeans-digits", "own.toml"]\nseeds = 2\n', tmp_path)
    assert [(recipe.name, recipe.seeds) for recipe in found.recipes] == [("kmeans-digits", (0, 1)), ("own", (0, 1))]


def test_what_is_left_out_does_not_run_and_keeps_its_reason() -> None:
    found = parse(f'{ABOUT}recipes = ["gdl-*"]\n[campaign.left_out]\n"gdl-global-*" = "not today"\n"x*" = "none"\n')
    assert not [recipe for recipe in found.recipes if recipe.name.startswith("gdl-global")]
    assert set(found.left_out.values()) == {"not today"}
    assert found.left_out.keys() == {name for name in shipped_recipes() if name.startswith("gdl-global-")}


def test_memory_is_that_of_the_first_pattern_that_names_a_recipe() -> None:
    found = parse(f'{ABOUT}{GRID}[campaign.memory]\n"gdl-d*" = 2\n"gdl-*" = 0.5\n')
    assert [found.memory_of(recipe) for recipe in found.recipes] == [None, None, 2, 0.5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = [", "campaign mine.toml: it is not TOML"),
        ('[campaign]\nname = "a"\n', "the key campaign.description is missing"),
        (ABOUT, "nothing runs: give campaign.recipes or a [[grid]]"),
        (f"{ABOUT}speed = 1\n", "the key campaign.speed is unknown"),
        (f'{ABOUT}recipes = ["nobody-*"]\n', "no recipe that comes with coterie has such a name"),
        (f"{ABOUT}recipes = [3]\n", "campaign.recipes has 3; expected names"),
        (f'{ABOUT}recipes = ["gone.toml"]\n', "gone.toml is neither a recipe"),
        (f'{ABOUT}recipes = ["kmeans-digits"]\nseeds = 0\n', "campaign.seeds is 0; expected how many seeds"),
        (f'{ABOUT}recipes = ["kmeans-digits"]\nseeds = [1, 1]\n', "campaign.seeds is [1, 1]; expected different"),
        (f'{ABOUT}recipes = ["kmeans-digits"]\n{GRID}', "kmeans-digits would run twice, into one folder"),
        (
            f"{ABOUT}{GRID}[grid.parameters.jule]\neta = 1\n",
            "grid[0].parameters has jule, which is none of its methods",
        ),
        (
            f"{ABOUT}{GRID}[grid.parameters.gdl]\neta = 1\n",
            "recipe gdl-digits: the key method.parameters.eta is unknown",
        ),
        (f'{ABOUT}[[grid]]\nmethods = ["oracle"]\nsets = ["digits"]\n', "method.name is 'oracle'"),
        (f'{ABOUT}{GRID}[campaign.memory]\n"gdl-*" = "2 GB"\n', "campaign.memory.gdl-* is '2 GB'; expected"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert words in str(error.value)


def test_a_file_that_is_no_campaign_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"tonight is neither a campaign that comes with coterie \(.*overnight.*\)"):
        find_campaign("tonight")


def test_the_campaigns_that_come_with_coterie_are_whole() -> None:
    for name in shipped_campaigns():
        assert find_campaign(name).name == name


def test_overnight_has_every_recipe_and_says_which_need_a_gpu() -> None:
    found = find_campaign("overnight")
    running = {recipe.name for recipe in found.recipes}
    assert running | found.left_out.keys() == set(shipped_recipes())
    assert not running & found.left_out.keys()
    for_gpu = {name for name, text in shipped_recipes().items() if "on a GPU" in text or "For a GPU" in text}
    assert for_gpu <= found.left_out.keys()
