"""Rows 31, 33, 38, 40 and 42 to 45 of the fault table, through the command: a trained run is cut off, and goes on."""

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cli.runner import SOURCE, Done, info, make_photos, python_process, run_here, snapshot
from cli.toy_method import Toy, register
from cli.training_runs import STEPS, TOY, Hook, content, counting, signal_at
from conftest import use_stores

Command = Callable[..., Done]
ON = (*TOY, "--out", "run")
AGAIN = "run the same command to go on"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    register(monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def straight(stores: Path, tmp_path_factory: pytest.TempPathFactory, photos: Path) -> dict[str, Any]:
    """What an uninterrupted run of ``photos`` has learned."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        use_stores(patch, stores)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        run = tmp_path_factory.mktemp("straight") / "run"
        done = run_here("cluster", photos, *TOY, "--out", run)
        torch.set_num_threads(threads)
    assert done.code == 0, done.err
    return content(run)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Callable[[Hook], None]:
    return lambda function: monkeypatch.setattr(Toy, "after_step", staticmethod(function))


@pytest.fixture
def stopped(coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """run/, whose training was stopped in its second epoch."""
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "after_step", staticmethod(signal_at(1, 2)))
        assert coterie("cluster", photos, *ON).code == 143
    return Path("run")


# --- 43: signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_the_same_command_goes_on_to_the_same_bits(
    coterie: Command, photos: Path, straight: Any, hook: Any, number: int, code: int
) -> None:
    steps: list[tuple[int, int]] = []
    hook(counting(steps, signal_at(1, 2, number)))
    done = coterie("cluster", photos, *ON)
    assert done.code == code
    name = signal.Signals(number).name
    told, last = done.err.splitlines()[-2:]
    assert told == f"{name}: finishing the step and saving; once more stops at once"
    assert last == f"coterie: stopped by {name} at epoch 2 step 3; run/training holds the checkpoint: {AGAIN}."
    hook(counting(steps))
    done = coterie("cluster", photos, *ON)
    assert done.code == 0, done.err
    assert done.err.startswith("note: going on with the unfinished training in run/training\n")
    assert len(steps) == STEPS
    assert content(Path("run")) == straight
    assert not Path("run/training").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_a_process_of_its_own_ends_with_143_and_another_goes_on(
    coterie: Command, own_run: Path, photos: Path, straight: Any
) -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parents[1])])}
    command = ("-m", "cli.toy_method", "cluster", photos, *TOY, "--out", "run", "--force")
    with python_process(*command, environment=environment | {"TOY_SLEEP": "0.3"}) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while lines[-1] and not lines[-1].startswith(b"epoch 1/4"):
            lines.append(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readlines()[-1].endswith(f"{AGAIN}.\n".encode()), lines
    assert process.returncode == 143
    assert info(own_run)["method"] == "gdl", "the run that would be replaced is whole"
    with python_process(*command, environment=environment) as process:
        assert process.wait(timeout=600) == 0  # other work may share the machine
    assert content(Path("run")) == straight


def test_run_json_says_that_the_run_is_under_way_and_with_which_settings(
    coterie: Command, photos: Path, stopped: Path
) -> None:
    mark = info(stopped)
    assert (mark["format"], mark["format_version"], mark["status"]) == ("coterie run", 1, "running")
    assert (mark["method"], mark["source"], mark["images"]["n"]) == ("toy", str(photos), 60)
    assert {"n_clusters": 3, "epochs": 4, "width": 6, "seed": 0, "map": "pca"}.items() <= mark["config"].items()
    assert not {"run_folder", "progress", "tensorboard"} & mark["config"].keys()
    for arguments in (("view", stopped), ("evaluate", stopped, "--classes", "folders")):
        done = coterie(*arguments)
        assert (done.code, done.error) == (
            2, "run is not a finished run (its status is 'running'); run the same command again.",
        )  # fmt: skip


# --- 42, 38: kills


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_kills_at_random_moments_end_with_the_same_files(coterie: Command, photos: Path, straight: Any) -> None:
    moments = random.Random(3)
    killed = finished = 0
    while killed < 8 or not finished:
        for lock in (Path("run/.lock"), Path("run/training/.lock")):
            if lock.exists() and not lock.stat().st_size:
                lock.unlink()  # killed while it took the lock; left alone it gives way after 30 s
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                done = coterie("cluster", photos, *ON)
                os._exit(done.code)
            os._exit(99)
        time.sleep(moments.uniform(0.02, 0.5) * (1 + killed / 10))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            killed += 1
            if not Path("run/run.json").exists() or info(Path("run"))["status"] != "complete":
                continue
        else:
            assert os.WEXITSTATUS(status) == 0
        finished += 1  # complete, though it may have been killed before its last line
        assert content(Path("run")) == straight
        shutil.rmtree("run")


def test_a_kill_while_the_run_folder_is_written_trains_nothing_again(
    coterie: Command, photos: Path, straight: Any, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    for place in ("coterie.images.thumbnails.write_thumbnails", "coterie.report.page.write_page"):
        with monkeypatch.context() as patch:
            patch.setattr(place, cut)
            assert coterie("cluster", photos, *ON).code == 130
        if place.endswith("write_page"):  # all but the page was written, and run.json says so
            assert info(Path("run"))["status"] == "complete"
            assert content(Path("run")) == straight
            continue
        assert info(Path("run"))["status"] == "running"
        steps: list[tuple[int, int]] = []
        hook(counting(steps))
    assert steps == []


# --- what --force is for


def test_a_finished_run_needs_force_and_then_trains_anew(
    coterie: Command, photos: Path, straight: Any, hook: Any
) -> None:
    assert coterie("cluster", photos, *ON).code == 0
    before = snapshot(Path("run"))
    steps: list[tuple[int, int]] = []
    hook(counting(steps))
    done = coterie("cluster", photos, *ON)
    assert (done.code, done.error) == (
        1, "run is not empty; give another --out, or --force to replace the run in it",
    )  # fmt: skip
    assert (snapshot(Path("run")), steps) == (before, [])
    assert coterie("cluster", photos, *ON, "--force").code == 0
    assert len(steps) == STEPS
    assert content(Path("run")) == straight


def test_the_run_that_is_replaced_stays_whole_until_the_new_one_is(
    coterie: Command, own_run: Path, photos: Path, straight: Any, hook: Any
) -> None:
    before = snapshot(own_run)
    steps: list[tuple[int, int]] = []
    hook(counting(steps, signal_at(2, 1)))
    command = ("cluster", photos, *ON, "--force")
    assert coterie(*command).code == 143
    after = snapshot(own_run)
    assert {name: after[name][1] for name in before} == {name: data for name, (_, data) in before.items()}
    assert {Path(name).parts[0] for name in after.keys() - before.keys()} == {"training"}
    assert coterie("view", "run", "--no-browser").code == 0
    hook(counting(steps))
    done = coterie(*command)
    assert done.code == 0, done.err
    assert "going on with the unfinished training" in done.err
    assert len(steps) == STEPS
    assert content(own_run) == straight
    assert not (own_run / "linkage.npz").exists(), "a part of the run before"
    assert not (own_run / "training").exists()


def test_what_a_kill_left_beside_a_finished_run_is_no_training_to_go_on_with(
    coterie: Command, photos: Path, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("coterie.cli.training_folder.TrainingFolder.remove", lambda self: None)
        assert coterie("cluster", photos, *ON).code == 0
    assert Path("run/training/checkpoints").is_dir()
    steps: list[tuple[int, int]] = []
    hook(counting(steps))
    assert coterie("cluster", photos, *ON, "--force").code == 0
    assert len(steps) == STEPS


# --- 45: another command in the folder of an unfinished training

OTHER = "run holds a training that was not finished, and it is another one: "
NEXT = "; give the same command to go on with it, --force to start anew, or another --out"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("--set", "width=4"), "width was 6 and is now 4"),
        (("--seed", "5", "--set", "margin=0.3"), "margin was 0.2 and is now 0.3, random_state was 0 and is now 5"),
        (("--method", "gdl"), "method was 'toy' and is now 'gdl'"),
    ],
)
def test_other_settings_are_refused_by_name_and_force_begins_anew(
    coterie: Command, photos: Path, stopped: Path, hook: Any, change: tuple[str, ...], why: str
) -> None:
    words = [word for word in ON if "gdl" not in change or word not in ("--epochs", "4")]
    before = snapshot(stopped)
    done = coterie("cluster", photos, *words, *change)
    assert (done.code, done.out, done.error) == (2, "", f"{OTHER}{why}{NEXT}")
    assert {name: data for name, (_, data) in snapshot(stopped).items()} == {n: d for n, (_, d) in before.items()}
    steps: list[tuple[int, int]] = []
    hook(counting(steps))
    done = coterie("cluster", photos, *words, *change, "--force")
    assert done.code == 0, done.err
    assert f"note: the training begins anew: {why}\n" in done.err
    assert len(steps) == (0 if "gdl" in change else STEPS)
    assert not (stopped / "training").exists()


def test_other_images_are_refused_and_force_begins_anew(coterie: Command, tmp_path: Path, hook: Any) -> None:
    make_photos(Path("mine"))
    hook(signal_at(1, 2))
    assert coterie("cluster", "mine", *ON).code == 143
    shutil.copy("mine/a/a00.png", "mine/a/new.png")
    done = coterie("cluster", "mine", *ON)
    assert done.code == 2
    sentence = f"coterie: {OTHER}the images are others, or have changed since{NEXT}"
    assert done.err.splitlines()[-1] == sentence
    steps: list[tuple[int, int]] = []
    hook(counting(steps))
    done = coterie("cluster", "mine", *ON, "--force")
    assert done.code == 0, done.err
    assert "note: the training begins anew: the images are others" in done.err
    assert len(steps) == STEPS
    assert info(Path("run"))["images"]["n"] == 61


def test_more_epochs_go_on_with_a_note(coterie: Command, photos: Path, stopped: Path, hook: Any) -> None:
    steps: list[tuple[int, int]] = []
    hook(counting(steps))
    done = coterie("cluster", photos, *ON[:4], "--epochs", "6", "--map", "pca", "--out", "run")
    assert done.code == 0, done.err
    assert len(content(stopped)["figures"]) == 6
    assert steps[0] == (1, 0), "the hook counts from the batch the training stands in"
    assert len(steps) == 6 * 4 - 7


# --- 31, 37, 40: what ends a training by itself


def test_a_loss_that_becomes_nan_keeps_the_checkpoint_and_a_smaller_rate_goes_on(
    coterie: Command, photos: Path, hook: Any
) -> None:
    def poison(run: Any, epoch: int, step: int) -> None:
        if (epoch, step) == (1, 1):
            with torch.no_grad():
                run._placed._modules[0].module[1].weight.fill_(float("nan"))

    hook(poison)
    done = coterie("cluster", photos, *ON)
    assert done.code == 1
    assert "loss became NaN at epoch 2 step 3 (lr 0.05); resume with a smaller lr or --precision 32" in done.err
    hook(lambda run, epoch, step: None)
    done = coterie("cluster", photos, *ON, "--lr", "0.01")
    assert done.code == 0, done.err
    assert "lr was 0.05 and is now 0.01" in done.err
    assert [note["kind"] for note in info(Path("run"))["warnings"]] == ["CheckpointWarning"]


def test_a_training_that_fails_before_its_first_checkpoint_leaves_nothing_behind(
    coterie: Command, photos: Path, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie.training.run.free_memory", lambda device: 5)
    before = snapshot(own_run)
    for out, force in (("new", ()), ("run", ("--force",))):
        done = coterie("cluster", photos, *TOY, "--out", out, *force)
        assert done.code == 2
        assert done.err.splitlines()[-1].startswith("coterie: training needs 1 MB and what the layers keep (images")
    assert not Path("new").exists()
    assert snapshot(own_run).keys() == before.keys()
    assert coterie("view", "run", "--no-browser").code == 0


def test_a_full_disk_during_a_checkpoint_keeps_the_one_before_and_the_same_command_goes_on(
    coterie: Command, photos: Path, straight: Any, hook: Any
) -> None:
    disk = pytest.MonkeyPatch()

    def fill_up(run: Any, epoch: int, step: int) -> None:
        if (epoch, step) == (2, 0):
            disk.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**4, "total": 1})())

    hook(fill_up)
    done = coterie("cluster", photos, *ON)
    assert done.code == 1
    assert "disk full while saving run/training/checkpoints" in done.err
    assert "is intact" in done.err
    disk.undo()
    hook(lambda run, epoch, step: None)
    assert coterie("cluster", photos, *ON).code == 0
    assert content(Path("run")) == straight


def test_two_runs_in_one_folder_do_not_meet(coterie: Command, photos: Path, hook: Any) -> None:
    said: list[Done] = []
    hook(lambda run, epoch, step: said.append(coterie("cluster", photos, *ON)) if (epoch, step) == (0, 0) else None)
    assert coterie("cluster", photos, *ON).code == 0
    assert said[0].code == 1
    assert f"run is in use by another run (process {os.getpid()} on " in said[0].err


def test_a_collapse_is_said_and_stands_in_run_json(
    coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = Toy._embed

    def crowd(self: Any, *args: Any) -> Any:
        embedding, shares = embed(self, *args)
        return embedding, np.eye(shares.shape[1], dtype=np.float32)[np.zeros(len(shares), int)] * 0.9 + shares * 0.1

    monkeypatch.setattr(Toy, "_embed", crowd)
    done = coterie("cluster", photos, *ON, "--strict")
    assert done.code == 3
    assert "note: the images crowd into 1.0 effective clusters of 3 for 3 epochs" in done.err
    assert [note["kind"] for note in info(Path("run"))["warnings"]] == ["CollapseWarning"]
    assert "effective clusters" in Path("run/page.html").read_text(encoding="utf-8")
