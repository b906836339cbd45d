"""`coterie cluster --method gatcluster`, from a folder of images to a page that shows where the network looked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.runner import Done, info, kinds_by_group, rows
from conftest import finished_run
from coterie.files.run_folder import RunFolder
from coterie.report.payload import payload
from coterie.report.ranking import typical_first

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "gatcluster", "--epochs", "30", "--batch-size", "20", "--map", "pca",
         "--lr", "0.003", "--set", "width=8", "--set", "n_targets=60", "--set", "repeats=1")  # fmt: skip


@pytest.fixture(scope="module")
def finished(stores: Path, photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, photos, "gatcluster", *QUICK)


def test_a_folder_becomes_a_run_with_page_model_and_both_answers(finished: tuple[Path, Done]) -> None:
    run, done = finished
    names = {path.name for path in run.iterdir()}
    expected = {"answers.npz", "snapshots.npz", "metrics.jsonl", "attention.npz", "embedding.npy", "page.html", "model"}
    assert expected <= names
    assert "training" not in names
    assert all(len(kinds) == 1 for kinds in kinds_by_group(run / "assignments.csv").values())
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert set(answers.files) == {"head", "linkage"}
    assert "found 3 groups by gatcluster\n" in done.out
    assert info(run)["taken"]["augment"]["name"] == "marks"
    assert "augment marks: grey images up to 64 px are taken for marks" in done.err
    about = info(run)["answers"]
    assert {answer["name"] for answer in about["answers"]} == {"head", "linkage"}
    assert all("scores" in answer for answer in about["answers"])


def test_the_page_shows_where_the_network_looked(finished: tuple[Path, Done]) -> None:
    run = RunFolder.open(finished[0])
    assert run.attention is not None
    assert run.attention["maps"].shape == (12, 6, 6)
    shown = payload(run, None, typical_first(run))["attention"]
    assert (shown["map_shape"], shown["k"]) == ([6, 6], 3)
    html = (finished[0] / "page.html").read_text(encoding="utf-8")
    assert "Where it looked" in html
    assert "Its labels on a circle" in html
    assert "by GATCluster" in html


def test_the_model_places_new_images_from_the_command_line(
    finished: tuple[Path, Done], photos: Path, coterie: Command, tmp_path: Path
) -> None:
    done = coterie("predict", finished[0], photos, "--out", tmp_path / "new.csv")
    assert done.code == 0, done.err
    placed = {row[0]: row[1] for row in rows(tmp_path / "new.csv")[1:]}
    groups = {row[0]: row[1] for row in rows(finished[0] / "assignments.csv")[1:]}
    assert placed == groups


def test_the_memory_may_change_when_a_training_goes_on(finished: tuple[Path, Done]) -> None:
    from coterie.methods.gatcluster import GATCluster

    assert "target_batch_size" in GATCluster.may_change
    assert "n_targets" not in GATCluster.may_change
