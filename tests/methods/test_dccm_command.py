"""`coterie cluster --method dccm`, from a folder of images to a finished run with its page."""

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
from coterie.methods import dccm as module

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "dccm", "--epochs", "12", "--batch-size", "10", "--map", "pca", "--set", "chunk=30",
         "--set", "repeats=2", "--set", "maps=8", "--set", "mi_width=8")  # fmt: skip


@pytest.fixture(scope="module")
def finished(stores: Path, photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, photos, "dccm", *QUICK)


def test_a_folder_becomes_a_run_with_page_model_answers_and_snapshots(finished: tuple[Path, Done]) -> None:
    run, done = finished
    names = {path.name for path in run.iterdir()}
    assert {"answers.npz", "snapshots.npz", "metrics.jsonl", "embedding.npy", "page.html", "model"} <= names
    assert "training" not in names
    assert all(len(kinds) == 1 for kinds in kinds_by_group(run / "assignments.csv").values())
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert set(answers.files) == {"head", "linkage"}
    assert "found 3 groups by dccm\n" in done.out
    assert info(run)["taken"]["augment"]["name"] == "marks"
    assert "augment marks: grey images up to 64 px are taken for marks" in done.err


def test_the_page_follows_the_share_of_sure_images_and_of_linked_pairs(finished: tuple[Path, Done]) -> None:
    from coterie.report.training import curves

    lines = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    assert len(lines[0]["top_probability"]) == 10
    titles = {curve["title"] for curve in curves(lines)}
    assert {"Loss", "Loss graph", "Loss label", "Loss information", "Confident", "Linked"} <= titles
    assert "Share of labels that changed" in titles


def test_run_json_says_how_the_answer_was_come_to(finished: tuple[Path, Done]) -> None:
    about = info(finished[0])
    assert about["method"] == "dccm"
    assert about["config"]["mi_width"] == 8
    assert {answer["name"] for answer in about["answers"]["answers"]} == {"head", "linkage"}
    assert about["scores"]["accuracy"] == 1
    assert RunFolder.open(finished[0]).info["status"] == "complete"


def test_the_run_places_new_images(finished: tuple[Path, Done], photos: Path, coterie: Command) -> None:
    done = coterie("predict", finished[0], photos / "b", "--out", "more.csv")
    assert done.code == 0, done.err
    own = {label for name, label, _ in rows(finished[0] / "assignments.csv")[1:] if Path(name).name.startswith("b")}
    assert {row[1] for row in rows(Path("more.csv"))[1:]} == own


def test_a_stopped_training_goes_on_with_the_same_command(
    photos: Path, coterie: Command, finished: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, done_so_far = module.mine, 0

    def spy(*given: Any) -> Any:
        nonlocal done_so_far
        done_so_far += 1
        if done_so_far == 30:
            signal.raise_signal(signal.SIGTERM)
        return mine(*given)

    monkeypatch.setattr(module, "mine", spy)
    assert coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders").code == 143
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert done.code == 0, done.err
    assert done_so_far == json.loads((finished[0] / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    for name in ("assignments.csv", "embedding.npy", "model/model.safetensors"):
        assert (Path("run") / name).read_bytes() == (finished[0] / name).read_bytes()


def test_one_group_is_refused_before_an_image_is_read(coterie: Command) -> None:
    done = coterie("cluster", "nowhere", "--method", "dccm", "-k", "1")
    assert done.code == 2
    assert "n_clusters is 1, and DCCM learns by telling clusters apart" in done.err
