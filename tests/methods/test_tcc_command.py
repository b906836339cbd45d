"""`coterie cluster --method tcc`, from a folder of colour photos to a finished run with its three answers."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.runner import EACH, KINDS, Done, info, kinds_by_group, rows
from conftest import finished_run
from coterie.files.run_folder import RunFolder
from coterie.methods.twins import Memory

Command = Callable[..., Done]
QUICK = ("-k", "3", "--method", "tcc", "--epochs", "8", "--batch-size", "20", "--size", "12x16", "--map", "pca",
         "--set", "dim=16", "--set", "warm_up=4", "--set", "relink=2")  # fmt: skip
ANSWERS = {"head", "linkage", "student"}
STEPS = 8 * (len(KINDS) * EACH // 20)
PAINTS = ((220, 60, 40), (40, 200, 70), (60, 80, 220))
ZOOMS = (1, 2, 3)


@pytest.fixture(scope="module")
def colour_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a/a00.png ...: 60 colour photos of three sizes and three kinds, each with a bar and a paint of its own."""
    folder, random = tmp_path_factory.mktemp("images") / "colour", np.random.default_rng(0)
    for number, (kind, paint) in enumerate(zip(KINDS, PAINTS, strict=True)):
        (folder / kind).mkdir(parents=True)
        for i in range(EACH):
            pixels = random.integers(0, 40, (12, 16, 3))
            pixels[4 * number : 4 * number + 4] += np.array(paint) - 40
            zoomed = np.kron(pixels.astype(np.uint8), np.ones((ZOOMS[i % 3], ZOOMS[i % 3], 1), np.uint8))
            Image.fromarray(zoomed).save(folder / kind / f"{kind}{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def finished(stores: Path, colour_photos: Path) -> tuple[Path, Done]:
    return finished_run(stores, colour_photos, "tcc", *QUICK)


def test_a_folder_of_colour_photos_becomes_a_run_with_three_answers(finished: tuple[Path, Done]) -> None:
    run, done = finished
    names = {path.name for path in run.iterdir()}
    assert {"answers.npz", "snapshots.npz", "metrics.jsonl", "embedding.npy", "page.html", "model"} <= names
    assert "training" not in names
    assert all(len(kinds) == 1 for kinds in kinds_by_group(run / "assignments.csv").values())
    with np.load(run / "answers.npz", allow_pickle=False) as answers:
        assert set(answers.files) == ANSWERS
    assert "read 60 images as 12 x 16 colour\n" in done.out
    assert "found 3 groups by tcc\n" in done.out


def test_the_run_says_which_trunk_and_augmentation_it_took_and_why(finished: tuple[Path, Done]) -> None:
    run, done = finished
    small = "images of 12 x 16 pixels are small, and five convolutions learn them on a CPU"
    trunk = f"{small}; resnet18 and resnet34 can more"
    augment = "cropped, mirrored and recoloured, a colour photo still shows the same thing"
    assert f"trunk small: {trunk}\naugment mice: {augment}\n" in done.err
    assert info(run)["taken"] == {
        "trunk": {"name": "small", "because": trunk}, "augment": {"name": "mice", "because": augment},
    }  # fmt: skip
    page = (run / "page.html").read_text(encoding="utf-8")
    assert f"Its trunk is small: {trunk}. The images it learned from were varied as the preset mice says" in page


def test_run_json_says_how_the_answer_was_come_to(finished: tuple[Path, Done]) -> None:
    about = info(finished[0])
    assert about["method"] == "tcc"
    assert about["config"]["warm_up"] == 4
    assert about["images"]["shape"] == [3, 12, 16]
    assert {answer["name"] for answer in about["answers"]["answers"]} == ANSWERS
    assert all("accuracy" in answer["scores"] for answer in about["answers"]["answers"])
    assert "keep most of the weight of the neighbour graph inside" in about["answers"]["because"]
    assert about["scores"]["accuracy"] == 1
    assert RunFolder.open(finished[0]).info["status"] == "complete"


def test_the_page_follows_whether_the_head_lives_and_shows_the_moments_of_the_linkage(
    finished: tuple[Path, Done],
) -> None:
    from coterie.report.training import training_data

    found = training_data(RunFolder.open(finished[0]))
    assert found is not None
    titles = {curve["title"] for curve in found["curves"]}
    assert {"Loss instance", "Loss cluster", "Kl", "Max pi", "Entropy each", "Entropy mean", "Taught"} <= titles
    assert {"Images in a cluster", "Agreement with the epoch before (NMI)", "Queue filled", "Queue age"} <= titles
    assert [cloud["title"] for cloud in found["clouds"]] == ["epoch 4", "epoch 6", "at the end"]
    page = (finished[0] / "page.html").read_text(encoding="utf-8")
    assert "it went through them 8 times" in page
    assert "a small network taught by the surest of the linkage" in page


def test_the_run_places_new_images(finished: tuple[Path, Done], colour_photos: Path, coterie: Command) -> None:
    done = coterie("predict", finished[0], colour_photos, "--out", "more.csv")
    assert done.code == 0, done.err
    own = {name: label for name, label, _ in rows(finished[0] / "assignments.csv")[1:]}
    assert {row[0]: row[1] for row in rows(Path("more.csv"))[1:]} == own


def test_a_stopped_training_goes_on_with_the_same_command(
    colour_photos: Path, coterie: Command, finished: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    push, pushed = Memory.push, []

    def spy(self: Memory, *given: Any) -> None:
        push(self, *given)
        pushed.append(1)
        if len(pushed) == STEPS * 2 // 3:  # after the first linkage, in the middle of an epoch
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Memory, "push", spy)
    command = ("cluster", colour_photos, *QUICK, "--out", "run", "--classes", "folders")
    stopped = coterie(*command)
    assert stopped.code == 143, stopped.err
    done = coterie(*command)
    assert done.code == 0, done.err
    assert len(pushed) == STEPS == json.loads((finished[0] / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    for name in ("assignments.csv", "embedding.npy", "model/model.safetensors"):
        assert (Path("run") / name).read_bytes() == (finished[0] / name).read_bytes()


def test_batches_too_small_for_the_groups_are_refused_before_an_image_is_read(coterie: Command) -> None:
    done = coterie("cluster", "nowhere", "--method", "tcc", "-k", "10", "--batch-size", "16")
    assert done.code == 2
    assert "batch_size is 16 for 10 clusters" in done.err
