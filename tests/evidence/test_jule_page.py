"""docs/results/jule.md and its plots: those of the committed rows, and right about rows made up for it."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scripts import load_script

ROOT = Path(__file__).parents[2]
ORIGIN = {"command": "python x", "commit": "abc", "date": "2026-01-01", "machine": "a laptop"}


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_jule")


def test_the_page_and_its_plots_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_jule.py`` has run."""
    studies = renderer.read()
    assert renderer.page(studies, renderer.published()) == renderer.PAGE.read_text(encoding="utf-8")
    made = renderer.plots(studies)
    for name, svg in made.items():
        assert svg == (renderer.IMAGES / name).read_text(encoding="utf-8"), name
    assert {path.name for path in renderer.IMAGES.glob("jule-*.svg")} == set(made)


def test_no_measured_row_names_a_folder_of_the_machine_it_ran_on(renderer: ModuleType) -> None:
    for path in renderer.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not [part for part in ("/home", "/root", "/work") if part in text], path.name


def alpha_row(rule: str, alpha: float | None, nmi: float, cpu: float) -> dict[str, Any]:
    return ORIGIN | {
        "set": "usps", "linkage": "paper", "rule": rule, "alpha": alpha, "n": 9298, "k": 10, "n_neighbors": 20,
        "n_initial": 2400, "graph_seconds": 1.0, "turns": 5, "seeds": [], "load": 2.4, "n_clusters": 10, "acc": nmi,
        "nmi": nmi, "ari": nmi, "n_exhausted": 1, "seconds": 2 * cpu, "cpu_seconds": cpu,
    }  # fmt: skip


def eta_row(value: float, seed: int, nmi: float) -> dict[str, Any]:
    scores = {"n_clusters": 10, "acc": nmi / 2, "nmi": nmi, "ari": nmi}
    return ORIGIN | {
        "set": "usps", "parameter": "eta", "value": value, "seed": seed, "settings": {"precision": "bf16"}, "n": 9298,
        "k": 10, "answers": {"sf": scores, "rc": scores, "robust": scores}, "chosen": "robust", "epochs": 60,
        "seconds": 100.0, "continued": False, "warnings": [],
    }  # fmt: skip


def purity_row(features: str, share: float, **more: Any) -> dict[str, Any]:
    ks = list(range(1, 51))
    row = {"set": "usps", "features": features, "seed": None, "n": 9298, "k": 10, "ks": ks, "purity": [share] * 50}
    return ORIGIN | row | more


def clusterer_row(features: str, acc: float, name: str = "usps-11k", **more: Any) -> dict[str, Any]:
    row = {"set": name, "features": features, "seed": None, "clusterer": "kmeans", "n": 11000, "k": 10}
    return ORIGIN | row | {"n_clusters": 10, "acc": acc, "nmi": acc, "ari": acc, "seconds": 1.0, "warnings": []} | more


@pytest.fixture
def made_up() -> dict[str, list[dict[str, Any]]]:
    alphas = [alpha_row("constant_ratio", alpha, 0.7, 0.5) for alpha in (-0.2, 0.0, 0.3)]
    embedding = {"features": "embedding", "recipe": "made-up"}
    return {
        "alpha": [alpha_row("exact", None, 0.8, 1.0), alpha_row("size_ratio", None, 0.9, 0.25), *alphas],
        "eta": [eta_row(0.9, 0, 0.5), eta_row(0.9, 1, 0.7), eta_row(0.9, 2, 0.6), eta_row(0.1, 0, 0.4)],
        "neighbors": [],
        "purity": [purity_row("pixels", 0.5), purity_row(**embedding, share=0.9, seed=0)],
        "clusterers": [clusterer_row("pixels", 0.4), clusterer_row(**embedding, acc=0.8, seed=0),
                       clusterer_row("pixels", 0.3, "coil-20")],
    }  # fmt: skip


def test_a_rule_is_set_beside_the_exact_one(renderer: ModuleType, made_up: dict[str, Any]) -> None:
    page = renderer.page(made_up, renderer.published())
    assert "| linkage of the paper | exact | .800 | .800 | 1 of 1 | 1.00 |" in page
    assert "| linkage of the paper | ratio of sizes | .900 | .900 | 1 of 1 | 0.25 |" in page
    assert "| linkage of the paper | −.2 | .700 | .700 | 0 of 1 | 0.50 |" in page
    assert "| linkage of the paper | USPS | 9,298 | 2,400 | 20 | 1.000 | 0.250 | 0.500–0.500 | 2.000 |" in page


def test_the_figure_of_a_sweep_is_the_median_over_its_seeds(renderer: ModuleType, made_up: dict[str, Any]) -> None:
    page = renderer.page(made_up, renderer.published())
    assert "| USPS | 0.9 | precision=bf16 | .300 / .600 | .300 / .600 | .300 / .600 | 3 | 60 | 100 |" in page
    assert "- seeds: 0, 1, 2" in page


def test_what_was_not_measured_says_so(renderer: ModuleType, made_up: dict[str, Any]) -> None:
    page = renderer.page(made_up, renderer.published())
    assert page.count(renderer.NOT_YET) == 1
    assert "The embedding is not measured yet on COIL-20." in page
    assert renderer.page({key: [] for key in made_up}, renderer.published()).count(renderer.NOT_YET) == 5


def test_pixels_stand_beside_the_embedding_and_the_published_figures(
    renderer: ModuleType, made_up: dict[str, Any]
) -> None:
    page = renderer.page(made_up, renderer.published())
    assert "| USPS, balanced | k-means | `made-up` | .400 / .400 | .800 / .800 | 1 | .467 | .776 |" in page
    assert "| USPS | embedding of `made-up` | 9,298 | .900 | .900 | .900 | .900 | .900 | 1 |" in page


def test_every_plot_is_the_same_twice_and_has_no_date(renderer: ModuleType, made_up: dict[str, Any]) -> None:
    first, second = renderer.plots(made_up), renderer.plots(made_up)
    assert first == second
    assert set(first) == {"jule-alpha.svg", "jule-eta.svg", "jule-purity.svg", "jule-clusterers.svg"}
    assert not [name for name, svg in first.items() if "dc:date" in svg]
