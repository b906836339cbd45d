"""`coterie cluster --method udc`, from a folder of images to a finished run with its runs side by side."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.runner import Done, info, rows
from conftest import finished_run
from coterie.files.run_folder import RunFolder
from coterie.methods import udc as module

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "udc", "--map", "pca", "--batch-size", "6", "--set", "iterations=6", "--set", "every=3",
         "--set", "n_runs=2", "--set", "width=2", "--set", "n_noise=3", "--set", "assign=head")  # fmt: skip


@pytest.fixture(scope="module")
def finished(stores: Path, photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, photos, "udc", *QUICK)


def test_a_folder_becomes_a_run_with_the_answers_of_every_run(finished: tuple[Path, Done]) -> None:
    run, done = finished
    assert {"answers.npz", "snapshots.npz", "metrics.jsonl", "page.html", "model"} <= {
        path.name for path in run.iterdir()
    }
    assert not (run / "training").exists()
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert {"head", "linkage"} < set(answers.files)
        other = next(name for name in answers.files if name.startswith("run-"))
        assert set(answers.files) == {"head", "linkage", other, f"linkage-of-{other}"}
    about = info(run)
    assert about["method"] == "udc"
    assert about["config"]["n_runs"] == 2
    assert about["answers"]["chosen"] == "head"
    assert "of 2 has the best mean rank" in about["answers"]["because"]
    assert "of the neighbour graph of its own features" in about["answers"]["because"]
    assert all("accuracy" in answer["scores"] for answer in about["answers"]["answers"])
    assert [row["run"] for row in about["answers"]["runs"]] == [1, 2]
    assert np.shape(about["answers"]["nmi"]) == (2, 2)
    assert about["answers"]["chosen_run"] in (1, 2)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [3, 6]
    assert {"wasserstein", "held_out", "cross_entropy", "fake_accuracy", "eta", "entropy"} <= lines[0].keys()
    assert "answer head: " in done.out


def test_with_known_classes_the_spread_of_the_runs_is_kept_printed_shown_and_evaluated_again(
    finished: tuple[Path, Done], coterie: Command
) -> None:
    run, done = finished
    about = info(run)["answers"]
    own = [row["scores"] for row in about["answers"] if row["name"] == "head" or row["name"].startswith("run-")]
    assert len(own) == 2
    for name in ("accuracy", "nmi_geometric", "nmi_arithmetic", "ari"):
        values, spread = [scores[name] for scores in own], about["scores_of_runs"][name]
        assert [spread[which] for which in ("min", "median", "max")] == pytest.approx(
            [min(values), sum(values) / 2, max(values)], abs=1e-6
        )
    lowest, middle, highest = (about["scores_of_runs"]["accuracy"][which] for which in ("min", "median", "max"))
    line = next(line for line in done.out.splitlines() if line.startswith("of its runs, the lowest"))
    assert f"accuracy {lowest:.3f} {middle:.3f} {highest:.3f}, " in line
    assert "How well the 2 trainings match the known classes" in (run / "page.html").read_text(encoding="utf-8")
    again = coterie("evaluate", run, "--classes", "folders")
    table = {words[0]: words[1:] for line in again.out.splitlines() if (words := line.split())}
    assert again.out.splitlines()[-5].split() == ["of", "its", "runs", "min", "median", "max"]
    other = 3 - about["chosen_run"]
    assert again.out.splitlines()[0].split() == ["head", "linkage", f"run-{other}"]  # and of its linkage in JSON only
    assert table["accuracy"] == [f"{value:.4f}" for value in (lowest, middle, highest)]
    scores = json.loads(coterie("evaluate", run, "--classes", "folders", "--json").out)
    assert scores["scores_of_runs"] == about["scores_of_runs"]
    assert f"linkage-of-run-{other}" in scores["answers"]
    assert f"linkage-of-run-{other} " not in done.out


def test_the_page_has_the_curves_of_the_training(finished: tuple[Path, Done]) -> None:
    from coterie.report.training import training_data

    found = training_data(RunFolder.open(finished[0]))
    assert found is not None
    titles = {curve["title"] for curve in found["curves"]}
    assert {"Wasserstein", "Held out", "Fake accuracy", "Cross entropy", "Eta"} <= titles
    page = (finished[0] / "page.html").read_text(encoding="utf-8")
    assert "The runs side by side" in page
    assert "What it generates" in page
    assert "6 updates of the one that makes them" in page


def test_the_groups_of_the_answer_and_of_alternatives_are_pictured(finished: tuple[Path, Done]) -> None:
    run = RunFolder.open(finished[0])
    told = run.info["answers"]
    assert list(run.group_pictures) == ["head", *(f"run-{number}" for number in told["alternatives"])]
    assert run.samples is not None
    assert np.array_equal(run.group_pictures["head"].drawn, run.samples)
    assert "Sets it apart" in (finished[0] / "page.html").read_text(encoding="utf-8")


def test_the_run_places_new_images(finished: tuple[Path, Done], photos: Path, coterie: Command) -> None:
    done = coterie("predict", finished[0], photos, "--out", "more.csv")
    assert done.code == 0, done.err
    own = {name: label for name, label, _ in rows(finished[0] / "assignments.csv")[1:]}
    assert {name: label for name, label, _ in rows(Path("more.csv"))[1:]} == own


def test_a_stopped_training_goes_on_with_the_same_command(
    photos: Path, coterie: Command, finished: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    iterate, done = module.iterate, []

    def spy(*given: Any) -> Any:
        done.append(1)
        if len(done) == 4:
            signal.raise_signal(signal.SIGTERM)
        return iterate(*given)

    monkeypatch.setattr(module, "iterate", spy)
    assert coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders").code == 143
    again = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert again.code == 0, again.err
    assert len(done) == 6
    for name in ("assignments.csv", "embedding.npy", "model/model.safetensors"):
        assert (Path("run") / name).read_bytes() == (finished[0] / name).read_bytes()


def test_a_prior_can_be_given_as_text(photos: Path, coterie: Command) -> None:
    done = coterie("cluster", photos, *QUICK, "--set", "prior=0.2,0.3,0.5", "--out", "run")
    assert done.code == 0, done.err
    assert info(Path("run"))["config"]["prior"] == "0.2,0.3,0.5"
