"""`coterie cluster --method dac`, from a folder of images to a finished run."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.runner import Done, info, kinds_by_group, rows
from conftest import finished_run
from coterie.files.run_folder import RunFolder
from coterie.training.run import Run

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "dac", "--epochs", "8", "--batch-size", "12", "--map", "pca", "--set", "maps=8",
         "--set", "repeats=6", "--set", "chunk=30")  # fmt: skip


@pytest.fixture(scope="module")
def finished(stores: Path, photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, photos, "dac", *QUICK)


def test_a_folder_becomes_a_run_with_page_model_answers_and_snapshots(finished: tuple[Path, Done]) -> None:
    run, done = finished
    names = {path.name for path in run.iterdir()}
    assert {"answers.npz", "snapshots.npz", "metrics.jsonl", "embedding.npy", "page.html", "model"} <= names
    assert "training" not in names
    assert all(len(kinds) == 1 for kinds in kinds_by_group(run / "assignments.csv").values())
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert set(answers.files) == {"head", "linkage"}
    about = info(run)
    assert about["method"] == "dac"
    assert about["config"]["variant"] == "paper"
    assert about["answers"]["chosen"] in {"head", "linkage"}
    assert all("accuracy" in answer["scores"] for answer in about["answers"]["answers"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"together", "left_out", "upper", "lower", "effective"} <= lines[-1].keys()
    assert "by dac\n" in done.out
    assert about["taken"]["augment"]["name"] == "dac-mnist"
    assert "augment dac-mnist: grey images up to 64 px are varied as in the authors' script for MNIST" in done.err


def test_the_run_can_be_read_and_places_new_images(finished: tuple[Path, Done], photos: Path, coterie: Command) -> None:
    assert RunFolder.open(finished[0]).info["status"] == "complete"
    done = coterie("predict", finished[0], photos / "b", "--out", "more.csv")
    assert done.code == 0, done.err
    own = {label for name, label, _ in rows(finished[0] / "assignments.csv")[1:] if Path(name).name.startswith("b")}
    assert {row[1] for row in rows(Path("more.csv"))[1:]} == own


def test_a_stopped_training_goes_on_with_the_same_command(
    photos: Path, coterie: Command, finished: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    step, done_steps = Run.step, []

    def spy(self: Run, *given: Any) -> None:
        done_steps.append(1)
        if len(done_steps) == 40:
            signal.raise_signal(signal.SIGTERM)
        step(self, *given)

    monkeypatch.setattr(Run, "step", spy)
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert done.code == 143, done.err
    assert "stopped by SIGTERM at epoch 1 step 48" in done.err
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert done.code == 0, done.err
    assert len(done_steps) == json.loads((finished[0] / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    for name in ("assignments.csv", "embedding.npy", "model/model.safetensors"):
        assert (Path("run") / name).read_bytes() == (finished[0] / name).read_bytes()


def test_a_variant_of_the_code_is_a_setting(photos: Path, coterie: Command) -> None:
    done = coterie("cluster", photos, *QUICK, "--set", "variant=released", "--set", "auxiliary=1", "--out", "run")
    assert done.code == 0, done.err
    assert info(Path("run"))["config"]["auxiliary"] == 1
    done = coterie("cluster", photos, *QUICK, "--set", "variant=code", "--out", "other")
    assert done.code == 2
    assert "variant is 'code'; expected one of paper, released" in done.err
