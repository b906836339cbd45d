"""The settings of benchmarks/tcc_studies.py: real parameters, each another training, each told on the page."""

from types import ModuleType
from typing import Any

import pytest

from coterie.evidence.recipe import Recipe
from coterie.methods.tcc import TCC
from scripts import load_script

# tcc.md section 15: what is swept, and over which values beside the default
GRID: dict[str, list[Any]] = {
    "alpha": [0.0, 0.1, 0.2, 0.5, 2.0],
    "n_samples": [5, 10],
    "cluster_queue": [0, 5, 50],
    "queue_size": [1024, 4096, 16384],
    "batch_size": [64, 128, 512],
    "tau_q": ["paper_like", 0.1, 0.5],
    "combine": ["none"],
    "gumbel": [False],
    "beta": [0.0],
    "instance": [0.0],
    "frozen": [True],
    "weights": ["gumbel"],
}
SETTINGS: dict[str, dict[str, Any]] = load_script("tcc_studies").SETTINGS


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_tcc")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_has_parameters_of_tcc_within_their_ranges_and_unlike_the_defaults(setting: str) -> None:
    defaults, changes = TCC().get_params(deep=False), SETTINGS[setting]
    model = TCC(10, **changes)
    model.check_parameters()
    assert all(defaults[name] != value for name, value in changes.items())
    assert bool(changes) == (setting != "full")


def test_no_two_settings_are_the_same_training() -> None:
    digests = [Recipe("own", "", "", "usps", "tcc", parameters=changes).digest for changes in SETTINGS.values()]
    assert len(set(digests)) == len(SETTINGS)


def test_the_page_says_of_each_setting_what_it_is(renderer: ModuleType) -> None:
    assert list(renderer.WHAT) == list(SETTINGS)
    assert len(set(renderer.WHAT.values())) == len(SETTINGS)


@pytest.mark.parametrize("name", GRID)
def test_the_grid_of_the_specification_can_be_measured(name: str) -> None:
    alone = [changes for changes in SETTINGS.values() if changes.keys() == {name}]
    assert [value for value in GRID[name] if {name: value} not in alone] == []


def test_the_kl_of_the_mean_with_a_warm_up_and_soft_prototypes_that_are_taught_can_be_measured() -> None:
    warmed, soft = SETTINGS["beta-warm-up"], SETTINGS["paper-like"]
    model = TCC(10, **warmed)
    assert [round(model.objective(epoch).beta, 3) for epoch in (0, 3, 6, 11)] == [0.1, 0.55, 1, 1]
    assert model.kl == "marginal"
    assert TCC(10, **soft).teach > 0
