"""A DCCM training that was stopped anywhere and started again ends with the same bits as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coterie.errors import CheckpointWarning, ConfigError, TrainingStopped
from coterie.methods import dccm as module
from coterie.methods.chunks import n_updates
from coterie.methods.dccm import DCCM
from methods.dccm_runs import IMAGES, SETTINGS, assert_same, train
from methods.saving import EVERY_BATCH, fail_once

TESTS = Path(__file__).parents[1]
UPDATES = 2 * 2 * (2 + 2 + 1)  # of an epoch: repeats and views, and the batches of each chunk


@pytest.fixture(scope="module")
def straight(one_thread: None) -> DCCM:
    """The training without a stop and without a folder; only to be looked at."""
    return train(None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts the updates, and sends this process a signal during number ``steps.stop``."""
    mine = module.mine

    class Steps:
        done, stop, number = 0, -1, signal.SIGTERM

    def spy(*given: Any) -> Any:
        Steps.done += 1
        if Steps.done == Steps.stop:
            signal.raise_signal(Steps.number)
        return mine(*given)

    monkeypatch.setattr(module, "mine", spy)
    return Steps


def test_a_chunk_shorter_than_the_others_is_used_at_its_true_length(straight: DCCM) -> None:
    assert n_updates(len(IMAGES), 16, 8, repeats=2, views=2) == UPDATES
    assert [record["step"] for record in straight.training_] == [UPDATES, 2 * UPDATES, 3 * UPDATES]


def test_a_training_with_checkpoints_equals_one_without(straight: DCCM, tmp_path: Path) -> None:
    assert_same(train(tmp_path), straight)


# in the first chunk, in the last, shorter chunk of an epoch, in the second epoch, and in the last update of all
@pytest.mark.parametrize("stop", [1, 18, 23, 60])
@pytest.mark.parametrize("save_every", [0.0, EVERY_BATCH])
def test_a_stop_resumes_to_the_same_bits(
    stop: int, save_every: float, straight: DCCM, steps: Any, tmp_path: Path
) -> None:
    steps.stop = stop
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM") as caught:
        train(tmp_path, save_every)
    assert caught.value.exit_code == 143
    assert_same(train(tmp_path, save_every), straight)
    assert steps.done == 3 * UPDATES  # a signal is heeded at the end of a chunk, and nothing is done twice


@pytest.mark.parametrize("fail", [33])
def test_an_error_in_the_middle_of_a_chunk_resumes_from_the_checkpoint_before_it(
    fail: int, straight: DCCM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, module, "mine", at=fail)
    with pytest.raises(MemoryError):
        train(tmp_path)
    assert_same(train(tmp_path), straight)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_five_times_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "methods.dccm_runs", str(tmp_path), "5"],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kills" in done.stdout


@pytest.fixture
def stopped(steps: Any, tmp_path: Path) -> Path:
    """The folder of a training that was stopped in its second epoch."""
    steps.stop = 25
    with pytest.raises(TrainingStopped):
        train(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [("beta", 0.1), ("graph_threshold", 0.5), ("chunk", 20), ("sampler", "compat"), ("rho", 0.99)],
)  # fmt: skip
def test_a_setting_that_differs_is_refused_by_its_name(name: str, value: Any, stopped: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} was .* and is now {value!r}"):
        DCCM(**{**SETTINGS, name: value}, run_folder=stopped).fit(IMAGES)


@pytest.mark.filterwarnings("ignore::coterie.errors.GraphWarning", "ignore::coterie.errors.FragmentsWarning")
def test_a_training_can_be_made_longer_and_another_answer_of_it_asked_for(
    stopped: Path, straight: DCCM, steps: Any
) -> None:
    with pytest.warns(CheckpointWarning, match="epochs was 3 and is now 4"):
        longer = DCCM(**{**SETTINGS, "epochs": 4}, run_folder=stopped).fit(IMAGES)
    assert len(longer.training_) == 4
    assert steps.done == 4 * UPDATES
    again = DCCM(**{**SETTINGS, "epochs": 4, "assign": "head", "evaluation": "batch"}, run_folder=stopped).fit(IMAGES)
    assert steps.done == 4 * UPDATES  # a training that is done is not trained again
    assert again.assigned_ == "head"
    assert longer.training_[:3][-1]["loss"] == straight.training_[-1]["loss"]
