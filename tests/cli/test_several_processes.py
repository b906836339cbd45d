"""The command under torchrun: two processes, one voice, one run folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import SOURCE, Done, info, rows
from two import TIMEOUT, launched

Command = Callable[..., Done]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TCC = ("--method", "tcc", "-k", "3", "--epochs", "2", "--batch-size", "15", "--set", "dim=8", "--device", "cpu")


def test_two_processes_write_one_whole_run_folder_and_speak_with_one_voice(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, *TORCHRUN, "-m", "coterie.cli.main", "cluster", str(photos), *TCC, "--map", "pca"]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=TIMEOUT, check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "COTERIE_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "run"
    assert info(run)["status"] == "complete"
    assert len(rows(run / "assignments.csv")) == 61
    assert [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [1, 2]
    assert not (run / "training").exists()
    assert ended.stdout.count("done in") == ended.stdout.count("read 60 images") == 1
    assert ended.stderr.count("epoch 2/2") == 1
    assert "Initializing distributed" not in ended.stderr  # what Fabric has to say


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torchrun had started this process with another."""
    for name, value in launched(0, 2).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os._exit", sys.exit)  # by which each of several processes leaves


@pytest.mark.parametrize("method", ["gdl", "kmeans", "jule", "dac"])
def test_a_method_that_runs_in_one_process_is_refused_in_one_sentence(
    method: str, two: None, coterie: Command, photos: Path, tmp_path: Path
) -> None:
    done = coterie("cluster", photos, "--method", method, "-k", "3", "--out", tmp_path / "run")
    assert done.code == 2
    assert done.error == (f"2 processes were started, and --method {method} runs in one: start it without torchrun")
    assert not (tmp_path / "run").exists()


def test_other_commands_refuse_several_processes(two: None, coterie: Command, photos: Path) -> None:
    done = coterie("predict", "model", photos)
    assert done.code == 2
    assert done.error == "2 processes were started, and this command runs in one: start it without torchrun"
