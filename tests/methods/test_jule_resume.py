"""A JULE training that was stopped anywhere and started again ends with the same bits as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import CheckpointWarning, ConfigError, TrainingStopped
from coterie.methods.jule import JULE
from coterie.training.run import Run
from methods import jule_runs
from methods.jule_runs import SETTINGS, train
from methods.saving import EVERY_BATCH, assert_same_fit, fail_once

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def straight(one_thread: None) -> JULE:
    """The training without a stop and without a folder; only to be looked at."""
    return train(None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts the batches trained on, and sends this process a signal after ``steps.stop`` of them."""
    loss = JULE._loss

    class Steps:
        done, stop, number = 0, -1, signal.SIGTERM

    def spy(self: JULE, *given: Any) -> torch.Tensor:
        Steps.done += 1
        if Steps.done == Steps.stop:
            signal.raise_signal(Steps.number)
        return loss(self, *given)

    monkeypatch.setattr(JULE, "_loss", spy)
    return Steps


def total(model: JULE) -> int:
    return int(model.training_[-1]["step"])


def test_the_training_under_test_has_periods_and_rounds(straight: JULE) -> None:
    assert total(straight) == 3 * len(straight.training_)
    assert len(straight.training_) == 8  # three periods of two epochs, two rounds of one
    assert len(straight.snapshots_) == 6


def test_a_training_with_checkpoints_equals_one_without(straight: JULE, tmp_path: Path) -> None:
    assert_same_fit(train(tmp_path), straight)


# within the first epoch, at its end, at the end of a period, in the last period, and in both rounds
@pytest.mark.parametrize("stop", [1, 3, 5, 6, 7, 17, 18, 19, 21, 24])
@pytest.mark.parametrize("save_every", [0.0, EVERY_BATCH])
def test_a_stop_resumes_to_the_same_bits(
    stop: int, save_every: float, straight: JULE, steps: Any, tmp_path: Path
) -> None:
    steps.stop = stop
    with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM at epoch {(stop - 1) // 3 + 1}") as caught:
        train(tmp_path, save_every)
    assert caught.value.exit_code == 143
    assert_same_fit(train(tmp_path, save_every), straight)
    assert steps.done == total(straight)


def test_many_stops_in_a_row_resume_to_the_same_bits(straight: JULE, steps: Any, tmp_path: Path) -> None:
    steps.number = signal.SIGINT
    for steps.stop in (2, 4, 5, 12, 20, 22):
        with pytest.raises(TrainingStopped, match="stopped by SIGINT"):
            train(tmp_path)
    assert_same_fit(train(tmp_path), straight)
    assert steps.done == total(straight)


@pytest.mark.parametrize("stop", [5, 18, 20])
def test_an_error_in_the_middle_resumes_from_the_last_checkpoint(
    stop: int, straight: JULE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, JULE, "_loss", at=stop)
    with pytest.raises(MemoryError):
        train(tmp_path, 0.0)
    assert_same_fit(train(tmp_path, 0.0), straight)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_twenty_times_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "methods.jule_runs", str(tmp_path), "20"],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("2")
    assert "kills" in done.stdout


# --- what may change between stop and resume


@pytest.fixture
def stopped(steps: Any, tmp_path: Path) -> Path:
    """The folder of a training that was stopped in its second period."""
    steps.stop = 8
    with pytest.raises(TrainingStopped):
        train(tmp_path)
    return tmp_path


def go_on(folder: Path, **settings: Any) -> JULE:
    return JULE(**{**SETTINGS, **settings}, run_folder=folder).fit(jule_runs.IMAGES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_clusters", 4), ("epochs", 3), ("rounds", 5), ("round_epochs", 9), ("eta", 0.5), ("batch_size", 9),
     ("gamma", 2.0), ("scale", "global"), ("blocks", "C"), ("random_state", 1)],
)  # fmt: skip
def test_a_setting_that_differs_is_refused_by_its_name(name: str, value: Any, stopped: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} was .* and is now {value!r}"):
        go_on(stopped, **{name: value})


@pytest.mark.filterwarnings("ignore::coterie.errors.GraphWarning", "ignore::coterie.errors.FragmentsWarning")
def test_another_learning_rate_is_taken_and_said(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = Run.step

    def spy(self: Any, optimizer: Any, *given: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        step(self, optimizer, *given)

    monkeypatch.setattr(Run, "step", spy)
    with pytest.warns(CheckpointWarning, match=r"lr was 0\.01 and is now 0\.001"):
        go_on(stopped, lr=0.001)
    assert rates == [pytest.approx(0.001 * (1 + 1e-4 * t) ** -0.75, rel=1e-12) for t in range(8, 24)]


@pytest.mark.filterwarnings("ignore::coterie.errors.GraphWarning", "ignore::coterie.errors.FragmentsWarning")
def test_another_answer_of_the_same_training_is_no_other_training(stopped: Path, straight: JULE, steps: Any) -> None:
    model = go_on(stopped, result="sf")
    assert steps.done == total(straight)
    assert (model.labels_ == straight.answers_["sf"].labels).all()
    again = go_on(stopped, linkage="paper")
    assert steps.done == total(straight)  # a training that is done is not trained again
    assert (again.labels_ == straight.answers_["rc"].labels).all()
    assert np.array_equal(again.embedding_, straight.embedding_)


def test_other_images_are_refused(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jule_runs, "IMAGES", 255 - jule_runs.IMAGES)
    with pytest.raises(ConfigError, match="the images are not those of the checkpoint"):
        go_on(stopped)
