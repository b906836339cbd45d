"""A DAC training that was stopped anywhere and started again ends with the same bits as one that was not."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from coterie.errors import CheckpointWarning, ConfigError, TrainingStopped
from coterie.methods.dac import DAC
from coterie.training.run import Run
from methods.dac_runs import CHUNKS, IMAGES, SETTINGS, UPDATES, assert_same, train
from methods.saving import EVERY_BATCH, fail_once

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def straight(one_thread: None) -> DAC:
    """The training without a stop and without a folder; only to be looked at."""
    return train(None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts the updates, and sends this process a signal after ``steps.stop`` of them."""
    step = Run.step

    class Steps:
        done, stop, number = 0, -1, signal.SIGTERM

    def spy(self: Run, *given: Any) -> None:
        Steps.done += 1
        if Steps.done == Steps.stop:
            signal.raise_signal(Steps.number)
        step(self, *given)

    monkeypatch.setattr(Run, "step", spy)
    return Steps


def test_the_training_under_test_has_short_chunks_and_every_epoch(straight: DAC) -> None:
    assert [record["epoch"] for record in straight.training_] == [1, 2, 3, 4]
    assert straight.training_[-1]["step"] == 4 * UPDATES


def test_a_training_with_checkpoints_equals_one_without(straight: DAC, tmp_path: Path) -> None:
    assert_same(train(tmp_path), straight)


# in the first chunk, at its end, in the last one of an epoch and at its end, in a later epoch, at the very end
@pytest.mark.parametrize("stop", [1, 8, 17, 20, 21, 80])
def test_a_stop_waits_for_the_end_of_the_chunk_and_resumes_to_the_same_bits(
    stop: int, straight: DAC, steps: Any, tmp_path: Path
) -> None:
    steps.stop = stop
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM"):
        train(tmp_path)
    ends = [epoch * UPDATES + done for epoch in range(4) for done in (8, 16, 20)]
    assert steps.done in ends
    assert steps.done - stop < 8
    assert_same(train(tmp_path), straight)
    assert steps.done == 4 * UPDATES  # no update was done twice


@pytest.mark.parametrize(("stop", "save_every"), [(3, EVERY_BATCH), (12, EVERY_BATCH), (25, 0.0), (80, 0.0)])
def test_an_error_in_the_middle_of_a_chunk_resumes_from_the_last_checkpoint(
    stop: int, save_every: float, straight: DAC, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, Run, "step", at=stop)
    with pytest.raises(MemoryError):
        train(tmp_path, save_every)
    assert_same(train(tmp_path, save_every), straight)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "methods.dac_runs", str(tmp_path), "3"],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kills" in done.stdout


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was stopped after its first epoch; only to be read or refused."""
    folder, step, done = tmp_path_factory.mktemp("half"), Run.step, []

    def spy(self: Run, *given: Any) -> None:
        done.append(1)
        if len(done) == UPDATES:
            signal.raise_signal(signal.SIGTERM)
        step(self, *given)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "step", spy)
        with pytest.raises(TrainingStopped):
            train(folder)
    torch.set_num_threads(before)
    return folder


@pytest.fixture
def stopped(half_done: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to go on in."""
    return Path(shutil.copytree(half_done, tmp_path / "run"))


def go_on(folder: Path, **settings: Any) -> DAC:
    return DAC(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_clusters", 4), ("epochs", 5), ("variant", "released"), ("upper_to", 0.6), ("chunk", 25), ("repeats", 1),
     ("views", 1), ("maps", 8), ("auxiliary", 2.0), ("random_state", 1)],
)  # fmt: skip
def test_a_setting_that_differs_is_refused_by_its_name(name: str, value: Any, half_done: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} was .* and is now {value!r}"):
        go_on(half_done, **{name: value})


@pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")
def test_another_answer_or_evaluation_of_the_same_training_is_no_other_training(
    stopped: Path, straight: DAC, steps: Any
) -> None:
    model = go_on(stopped, assign="linkage", evaluation="batch")
    assert steps.done == 3 * UPDATES
    assert model.assigned_ == "linkage"
    again = go_on(stopped, assign="head")
    assert steps.done == 3 * UPDATES  # a training that is done is not trained again
    assert (again.embedding_ == straight.embedding_).all()
    assert CHUNKS == 3


@pytest.mark.filterwarnings("ignore::coterie.errors.GraphWarning", "ignore::coterie.errors.FragmentsWarning")
def test_another_learning_rate_is_taken_and_said(stopped: Path) -> None:
    with pytest.warns(CheckpointWarning, match=r"lr was 0\.001 and is now 0\.0001"):
        go_on(stopped, lr=0.0001)
