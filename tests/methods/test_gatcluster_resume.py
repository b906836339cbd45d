"""A GATCluster training that was stopped or killed and started again ends with the bits of one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coterie.errors import CheckpointWarning, ConfigError, TrainingStopped
from coterie.methods.gatcluster import GATCluster
from coterie.training.run import Run
from methods.gatcluster_runs import IMAGES, SETTINGS, assert_same, train

TESTS = Path(__file__).parents[1]
UPDATES = 3 * (2 * (24 // 8) * 2 + (12 // 8) * 2)  # epochs x (two chunks, and what is left)


@pytest.fixture(scope="module")
def straight(one_thread: None) -> GATCluster:
    """The training without a stop and without a folder; only to be looked at."""
    return train(None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts the updates, and sends this process a signal after ``steps.stop`` of them."""
    step = Run.step

    class Steps:
        done, stop = 0, -1

    def spy(self: Run, *given: Any, **more: Any) -> None:
        step(self, *given, **more)
        Steps.done += 1
        if Steps.done == Steps.stop:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Run, "step", spy)
    return Steps


def test_the_training_under_test_has_chunks_and_snapshots(straight: GATCluster) -> None:
    assert straight.training_[-1]["step"] == UPDATES
    assert [shot.title for shot in straight.snapshots_] == ["epoch 1", "epoch 2", "at the end"]


def test_a_training_with_checkpoints_equals_one_without(straight: GATCluster, tmp_path: Path) -> None:
    assert_same(train(tmp_path), straight)


# within the first chunk, in the last short one, at an epoch's end, in the last epoch
@pytest.mark.parametrize("stop", [1, 13, 14, UPDATES - 1])
@pytest.mark.parametrize("save_every", [0.0, 1e-9])
def test_a_stop_resumes_to_the_same_bits(
    stop: int, save_every: float, straight: GATCluster, steps: Any, tmp_path: Path
) -> None:
    steps.stop = stop
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM"):
        train(tmp_path, save_every)
    assert_same(train(tmp_path, save_every), straight)
    assert steps.done == UPDATES, "the chunk is finished first"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "methods.gatcluster_runs", str(tmp_path), "6"],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kills" in done.stdout


@pytest.fixture
def stopped(steps: Any, tmp_path: Path) -> Path:
    """The folder of a training that was stopped in its second epoch."""
    steps.stop = 20
    with pytest.raises(TrainingStopped):
        train(tmp_path)
    return tmp_path


def test_it_may_go_on_with_less_memory_and_ends_with_the_same_bits(stopped: Path, straight: GATCluster) -> None:
    assert_same(train(stopped, target_batch_size=3), straight)


@pytest.mark.parametrize(("name", "value"), [("n_clusters", 4), ("repeats", 3), ("relation", 0.5), ("width", 3)])
def test_a_setting_that_differs_is_refused_by_its_name(name: str, value: Any, stopped: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} was .* and is now {value!r}"):
        GATCluster(**{**SETTINGS, name: value}, run_folder=stopped).fit(IMAGES)


@pytest.mark.filterwarnings("ignore::coterie.errors.GraphWarning", "ignore::coterie.errors.FragmentsWarning")
def test_another_learning_rate_is_taken_and_said(stopped: Path) -> None:
    with pytest.warns(CheckpointWarning, match=r"lr was 0\.001 and is now 0\.0001"):
        GATCluster(**SETTINGS, lr=1e-4, run_folder=stopped).fit(IMAGES)
