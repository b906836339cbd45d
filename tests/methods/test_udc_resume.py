"""A UDC training that was stopped anywhere and started again ends with the same bits as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coterie.errors import ConfigError, TrainingStopped
from coterie.methods import udc as module
from coterie.methods.udc import UDC
from methods.saving import EVERY_BATCH, fail_once
from methods.udc_runs import EVERYTHING, assert_same, train

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def straight(one_thread: None) -> UDC:
    """The training without a stop and without a folder; only to be looked at."""
    return train(None, **EVERYTHING)


@pytest.fixture
def iterations(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts iterations, and sends this process a signal in number ``iterations.stop``."""
    iterate = module.iterate

    class Iterations:
        done, stop = 0, -1

    def spy(*given: Any) -> Any:
        Iterations.done += 1
        if Iterations.done == Iterations.stop:
            signal.raise_signal(signal.SIGTERM)
        return iterate(*given)

    monkeypatch.setattr(module, "iterate", spy)
    return Iterations


# within an epoch, at its end, where the steps double and the prior begins to move, and in the last
@pytest.mark.parametrize(("stop", "save_every"), [(1, EVERY_BATCH), (2, 0.0), (3, EVERY_BATCH), (5, 0.0), (7, 0.0)])
def test_a_stop_resumes_to_the_same_bits(
    stop: int, save_every: float, straight: UDC, iterations: Any, tmp_path: Path
) -> None:
    iterations.stop = stop
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM"):
        train(tmp_path, save_every, **EVERYTHING)
    assert_same(train(tmp_path, save_every, **EVERYTHING), straight)
    assert iterations.done == 7


def test_an_error_in_the_middle_resumes_from_the_last_checkpoint(
    straight: UDC, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, module, "iterate", at=4)
    with pytest.raises(MemoryError):
        train(tmp_path, 0.0, **EVERYTHING)
    assert_same(train(tmp_path, 0.0, **EVERYTHING), straight)


def test_another_run_may_answer_when_a_training_goes_on(straight: UDC, tmp_path: Path, iterations: Any) -> None:
    train(tmp_path, **EVERYTHING)
    other = train(tmp_path, **EVERYTHING, choose=3 - straight.chosen_run_)
    assert iterations.done == 7
    assert other.chosen_run_ == 3 - straight.chosen_run_


def test_the_last_state_may_answer_when_a_training_goes_on(straight: UDC, tmp_path: Path, iterations: Any) -> None:
    train(tmp_path, **EVERYTHING)
    last = train(tmp_path, **{**EVERYTHING, "checkpoint": "last"})
    assert_same(last, train(None, **{**EVERYTHING, "checkpoint": "last"}))
    assert_same(train(tmp_path, **EVERYTHING), straight)
    assert iterations.done == 7 + 7
    assert {row["iteration"] for row in last.runs_} == {7}


@pytest.mark.parametrize(("name", "value"), [("iterations", 9), ("n_runs", 3), ("prior", "uniform"), ("n_noise", 4)])
def test_a_setting_that_differs_is_refused_by_its_name(name: str, value: Any, iterations: Any, tmp_path: Path) -> None:
    iterations.stop = 3
    with pytest.raises(TrainingStopped):
        train(tmp_path, **EVERYTHING)
    with pytest.raises(ConfigError, match=rf"{name} was .* and is now {value!r}"):
        train(tmp_path, **{**EVERYTHING, name: value})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_five_times_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "methods.udc_runs", str(tmp_path), "5"],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kills" in done.stdout
