"""`coterie cluster --method jule`, from a folder of images to a finished run."""

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
from coterie.methods.jule import JULE

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "jule", "--epochs", "2", "--batch-size", "20", "--map", "pca", "--set", "n_runs=1",
         "--set", "rounds=1", "--set", "eta=0.9")  # fmt: skip


@pytest.fixture(scope="module")
def finished(stores: Path, photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, photos, "jule", *QUICK)


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Sends this process SIGTERM after so many batches; gives the list of the sizes of all batches."""
    loss = JULE._loss

    def install(steps: int) -> list[int]:
        sizes: list[int] = []

        def spy(self: JULE, embeddings: Any, *rest: Any) -> Any:
            sizes.append(len(embeddings))
            if len(sizes) == steps:
                signal.raise_signal(signal.SIGTERM)
            return loss(self, embeddings, *rest)

        monkeypatch.setattr(JULE, "_loss", spy)
        return sizes

    return install


def test_a_folder_becomes_a_run_with_page_model_answers_and_snapshots(finished: tuple[Path, Done]) -> None:
    run, done = finished
    names = {path.name for path in run.iterdir()}
    assert {
        "answers.npz",
        "snapshots.npz",
        "metrics.jsonl",
        "linkage.npz",
        "embedding.npy",
        "page.html",
        "model",
    } <= names
    assert "training" not in names
    assert all(len(kinds) == 1 for kinds in kinds_by_group(run / "assignments.csv").values())
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert set(answers.files) == {"sf", "rc", "robust"}
    assert "network: blocks P (P pooled, C not) for images of 12 x 12 pixels" in done.err
    assert "found 3 groups by jule\n" in done.out
    assert "answer robust: " in done.out


def test_run_json_says_how_the_answer_was_come_to(finished: tuple[Path, Done]) -> None:
    about = info(finished[0])
    assert about["method"] == "jule"
    assert about["config"]["epochs"] == 2
    assert "features_used" not in about["config"]
    assert about["linkage"]["stop"] == "sized"
    assert about["answers"]["chosen"] == "robust"
    assert {answer["name"]: answer["n_clusters"] for answer in about["answers"]["answers"]} == dict.fromkeys(
        ("sf", "rc", "robust"), 3
    )
    assert about["scores"]["accuracy"] == 1
    assert all("accuracy" in answer["scores"] for answer in about["answers"]["answers"])
    lines = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["n_clusters"] == 3


def test_the_run_can_be_read_and_places_new_images(finished: tuple[Path, Done], photos: Path, coterie: Command) -> None:
    assert RunFolder.open(finished[0]).info["status"] == "complete"
    done = coterie("predict", finished[0], photos / "b", "--out", "more.csv")
    assert done.code == 0, done.err
    table = rows(Path("more.csv"))
    own = {label for name, label, _ in rows(finished[0] / "assignments.csv")[1:] if Path(name).name.startswith("b")}
    assert {row[1] for row in table[1:]} == own


def test_the_other_linkage_is_written_to_the_end_too(photos: Path, coterie: Command) -> None:
    done = coterie("cluster", photos, *QUICK, "--set", "linkage=paper", "--out", "run")
    assert done.code == 0, done.err
    assert info(Path("run"))["linkage"]["stop"] == "plain"
    done = coterie("cluster", photos, *QUICK, "--set", "result=sf", "--out", "sf")
    assert done.code == 0, done.err
    assert info(Path("sf"))["answers"]["chosen"] == "sf"


def test_a_stopped_training_goes_on_with_the_same_command(
    photos: Path, coterie: Command, finished: tuple[Path, Done], stop_after: Callable[[int], list[int]]
) -> None:
    sizes = stop_after(5)
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert done.code == 143, done.err
    assert "stopped by SIGTERM at epoch 2 step 2" in done.err
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--classes", "folders")
    assert done.code == 0, done.err
    whole = json.loads((finished[0] / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert len(sizes) == whole
    for name in ("assignments.csv", "embedding.npy", "model/model.safetensors"):
        assert (Path("run") / name).read_bytes() == (finished[0] / name).read_bytes()


def test_a_period_of_another_length_is_refused_and_begins_anew_when_forced(
    photos: Path, coterie: Command, stop_after: Callable[[int], list[int]]
) -> None:
    stop_after(5)
    assert coterie("cluster", photos, *QUICK, "--out", "run").code == 143
    longer = [*QUICK, "--out", "run"]
    longer[longer.index("--epochs") + 1] = "3"
    done = coterie("cluster", photos, *longer)
    assert done.code != 0
    assert "epochs was 2 and is now 3" in done.err
    done = coterie("cluster", photos, *longer, "--force")
    assert done.code == 0, done.err
    assert info(Path("run"))["config"]["epochs"] == 3


def test_another_answer_can_be_asked_for_while_a_training_goes_on(
    photos: Path, coterie: Command, stop_after: Callable[[int], list[int]]
) -> None:
    sizes = stop_after(5)
    assert coterie("cluster", photos, *QUICK, "--out", "run").code == 143
    done = coterie("cluster", photos, *QUICK, "--out", "run", "--set", "result=sf")
    assert done.code == 0, done.err
    assert sizes.count(20) == len(sizes)
    assert info(Path("run"))["answers"]["chosen"] == "sf"


@pytest.mark.parametrize(
    ("option", "sentence"),
    [(("-k", "1"), "n_clusters is 1, and JULE learns by telling clusters apart"), (("-k", "auto"), "-k auto is not")],
)
def test_a_number_of_groups_that_teaches_nothing_is_refused_before_an_image_is_read(
    option: tuple[str, str], sentence: str, coterie: Command
) -> None:
    done = coterie("cluster", "nowhere", "--method", "jule", *option)
    assert done.code == 2
    assert sentence in done.err
