"""docs/results/udc.md: made of the committed rows alone, and what it says of made-up ones."""

from types import ModuleType
from typing import Any

import pytest

from coterie.methods.run_choice import spread
from scripts import load_script

Row = dict[str, Any]
ORIGIN = {"command": "python x", "commit": "abc", "date": "2026-01-01", "machine": "a laptop"}


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_udc")


def told(accuracies: list[float]) -> Row:
    runs = [
        {"acc": acc, "nmi": acc, "ari": acc**2, "legacy_purity": acc / 2, "legacy_nmi": acc / 4, "legacy_ari": acc / 5}
        for acc in accuracies
    ]
    return {
        "spread": {score: spread([run[score] for run in runs]) for score in runs[0]},
        "chosen": runs[0], "linkage": runs[0], "runs": runs,
        "alternatives": [2], "correlation_with_ari": {"wasserstein": 0.5, "entropy": None},
    }  # fmt: skip


def training(accuracies: list[float], **changes: Any) -> Row:
    names = ("width", "batch_size", "n_noise", "iterations", "eta", "tau", "lr")
    return {
        "set": "artifact-mnist-test", "n": 10000, "shape": [1, 4, 4], "seconds": 600.0,
        "parameters": dict.fromkeys(names, 8), "at_the_end": told(accuracies), "selected": told(accuracies), **ORIGIN,
    } | changes  # fmt: skip


def gaussians(n_noise: int) -> Row:
    return {
        "n_noise": n_noise, "acc": [1.0, 0.75], "acc_spread": spread([1.0, 0.75]), "drifting": [False, True],
        "wasserstein": [0.1, 0.3], "hidden": 64, "batch_size": 64, "iterations": 500, "seconds": 60.0,
        "plane": {"side": 3, "critic": [0.0, 1, 2, 3, 4, 5, 6, 7, 8], "cluster": [0, 1, 2] * 3}, **ORIGIN,
    }  # fmt: skip


def speed(plan: str, runs: int, per_second: float) -> Row:
    return {
        "shape": "1,14,14", "width": 8, "batch_size": 64, "device": "cpu", "threads": 2, "plan": plan, "runs": runs,
        "run_iterations_per_second": per_second, "gflops": 1.0, **ORIGIN,
    }  # fmt: skip


def studies(**found: list[Row]) -> dict[str, list[Row]]:
    return {"runs": [], "folder": [], "rivals": [], "gaussians": [], "speed": []} | found


def cells(text: str, beginning: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(beginning))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_and_its_plot_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_udc.py`` has run."""
    for path, text in renderer.pages().items():
        assert path.read_text(encoding="utf-8") == text


def test_a_row_says_how_many_runs_found_all_of_it_and_which_one_was_chosen(renderer: ModuleType) -> None:
    text = renderer.page(studies(runs=[training([1.0, 0.4, 0.9996])]))
    row = cells(text, "| `artifact-mnist-test`, 10,000")
    acc, ari = ".400, 1.000, 1.000", ".160, .999, 1.000"
    assert row[3:8] == ["3", f"{acc}; {acc}; {ari}", "2", "1.000 / 1.000 / 1.000", "1.000"]
    assert row[8:] == [".500 / .250 / .200", "run 2", "10"]
    assert cells(text, "| `artifact-mnist-test` |")[2:4] == ["0.50", "–"]
    assert text.count("Not measured yet") == 5


def test_a_folder_has_its_command_and_all_answers_with_what_sets_their_groups_apart(renderer: ModuleType) -> None:
    scores = {"acc": 0.5, "nmi": 0.25, "ari": 0.125}
    row = {
        "set": "faint-mnist-test", "n": 10000, "shape": [1, 6, 6], "seconds": 90.0,
        "asked": "coterie cluster images -k 3", "runs": [{}, {}], "chosen_run": 2, "chosen": "linkage",
        "strength": {"linkage": 0.25, "run-1": 0.0},
        "answers": {"head": scores, "linkage": {**scores, "acc": 1.0}, "run-1": scores}, **ORIGIN,
    }  # fmt: skip
    text = renderer.page(studies(folder=[row]))
    assert "run 2 of 2 is chosen; 2 minutes of training." in text
    assert "\n```sh\ncoterie cluster images -k 3\n```\n" in text
    assert cells(text, "| `linkage`") == ["`linkage`", "1.000", ".250", ".125", "25.0%", "chosen"]
    assert cells(text, "| `run-1`")[4:] == ["0.0%", "offered"]
    assert cells(text, "| `head`")[4:] == ["–", ""]


def test_gaussians_are_in_the_order_of_their_noises_with_the_paper_beside_them(renderer: ModuleType) -> None:
    found = studies(gaussians=[gaussians(3), gaussians(0)])
    text = renderer.page(found)
    assert text.index("| 0 | .750, .875, 1.000 | 1 of 2 | 1 | 0.200 | 1.0 |") < text.index("| 3 | .750")
    assert "drifts away" in text
    plots = [image for path, image in renderer.pages(found).items() if path.suffix == ".svg"]
    assert ["0 noises" in plot and plot.startswith("<?xml") for plot in plots] == [True]


def test_speed_is_a_ratio_over_one_run_line_by_line_of_the_same_command(renderer: ModuleType) -> None:
    text = renderer.page(studies(speed=[speed("line by line", 1, 4.0), speed("fused", 10, 6.0)]))
    assert "| fused | 10 | 6.00 | 1.50 | 1.0 | – | – |" in text


def test_speed_stands_beside_the_ceilings_that_were_measured_with_it(renderer: ModuleType) -> None:
    row = speed("line by line", 1, 4.0) | {"gflops": 25.0, "gemm_gflops": 100.0, "layer_gflops": 40.0}
    assert "| 25.0 | 100.0 (25%) | 40.0 (62%) |" in renderer.page(studies(speed=[row]))


def test_a_rival_has_the_figures_of_all_its_answers(renderer: ModuleType) -> None:
    answers = {"head": {"acc": 0.34, "nmi": 0.001}, "linkage": {"acc": 0.35, "nmi": 0.002}}
    rival = {
        "set": "artifact-mnist-test",
        "method": "tcc",
        "size": 14,
        "answers": answers,
        "chosen": "linkage",
        "epochs": None,
        "seconds": 3.0,
    }
    text = renderer.page(studies(rivals=[rival | ORIGIN]))
    assert "| tcc | `artifact-mnist-test` | 14 x 14 | head .340, linkage .350 | .002 | – | 3 |" in text
