"""The experiments of GATCluster's paper as recipes: each is its base but for what its name says."""

from dataclasses import replace

import pytest

from coterie.evidence.recipe import find_recipe, shipped_recipes
from coterie.images.trained import build_network
from coterie.methods.gatcluster import GATCluster
from scripts import load_script

PHOTOS = "gatcluster-photos"
BY_PARAMETER = {
    "gatcluster-usps-a1": ("gatcluster-usps", {"similarity": 0.0}),
    "gatcluster-usps-a2": ("gatcluster-usps", {"relation": 0.0}),
    "gatcluster-usps-a3": ("gatcluster-usps", {"entropy": 0.0}),
    "gatcluster-usps-a4": ("gatcluster-usps", {"attention": 0.0}),
    "gatcluster-photos-a5": (PHOTOS, {"colour": True}),
    **{f"{PHOTOS}-map-{side}": (f"{PHOTOS}-size-128", {"map_size": side}) for side in (10, 8, 4, 2)},
}
BY_SIZE = {f"{PHOTOS}-size-{side}": side for side in (96, 128, 160, 192)}


@pytest.mark.parametrize("name", BY_PARAMETER)
def test_an_ablation_differs_from_its_base_in_the_parameter_of_its_name_alone(name: str) -> None:
    base, changes = BY_PARAMETER[name]
    recipe, of_base = find_recipe(name), find_recipe(base)
    assert recipe.parameters == of_base.parameters | changes
    assert of_base.parameters.keys().isdisjoint(changes)
    named = {"name": of_base.name, "description": of_base.description, "parameters": of_base.parameters}
    assert replace(recipe, **named) == of_base
    assert recipe.digest != of_base.digest


@pytest.mark.parametrize("name", BY_SIZE)
def test_another_size_differs_from_its_base_in_the_size_alone(name: str) -> None:
    recipe, base = find_recipe(name), find_recipe(PHOTOS)
    assert recipe.size == (BY_SIZE[name],) * 2
    assert replace(recipe, name=base.name, description=base.description, size=None) == base


def test_the_ablations_are_those_of_the_study_and_of_the_paper() -> None:
    studied = {name: changes for name, changes in load_script("gatcluster_studies").ABLATIONS.items() if changes}
    found = {name[-2:].upper(): changes for name, (_, changes) in BY_PARAMETER.items() if "-map-" not in name}
    assert found == studied
    known = {name for name in shipped_recipes() if name.startswith((f"{PHOTOS}-", "gatcluster-usps-"))}
    assert known == BY_PARAMETER.keys() | BY_SIZE.keys()


@pytest.mark.parametrize("name", [name for name in (*BY_PARAMETER, *BY_SIZE) if name.startswith(PHOTOS)])
def test_the_network_of_each_recipe_for_photos_has_the_map_its_name_says(name: str) -> None:
    recipe = find_recipe(name)
    model = GATCluster(10, **recipe.parameters)
    height, width = recipe.size or (64, 64)
    network = build_network(model.architecture((3, height, width)))
    side = recipe.parameters.get("map_size", 6)
    assert network.maps.map_shape == (side, side)
