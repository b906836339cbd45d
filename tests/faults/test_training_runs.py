"""Rows 30, 31, 33, 37, 38, 40 to 46, 52 and 57 of the fault table: what can befall a training."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import (
    BatchSizeWarning,
    CheckpointError,
    CheckpointWarning,
    CollapseWarning,
    ConfigError,
    NotEnoughMemoryError,
    OutputError,
    TrainingError,
    TrainingStopped,
)
from coterie.files.atomic import RunLock
from coterie.training import run as run_module
from coterie.training.run import Run
from training.toy import IMAGES, assert_same, make_net, signal_at, train

STOP = signal_at(1, 3, signal.SIGTERM)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def stopped_once(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(TrainingStopped):
        train(folder, hook=STOP)
    return folder


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """The folder of a training that was stopped in epoch 2 at step 3; one's own to damage."""
    return Path(shutil.copytree(stopped_once, tmp_path / "run"))


def straight() -> Any:
    return train(None)


def newest(folder: Path) -> Path:
    return max((folder / "checkpoints").glob("*.pt"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def run_toy(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "training.toy", str(folder), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


# --- 42, 43, 38: kills and signals


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_twenty_kills_at_random_moments_end_with_the_same_bits(tmp_path: Path) -> None:
    done = run_toy(tmp_path / "run", "killed", "20")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 20


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_a_process_that_gets_sigterm_saves_and_another_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    done = run_toy(tmp_path / "run", "SIGTERM", "2", "5")
    assert "TrainingStopped: stopped by SIGTERM at epoch 3 step 5" in done.stderr
    assert_same(train(tmp_path / "run"), straight())


def test_the_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    def twice(epoch: int, step: int, run: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, hook=twice)
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / ".lock").exists()


def test_a_stop_without_a_folder_says_that_nothing_was_saved() -> None:
    with pytest.raises(TrainingStopped, match="nothing was saved, as the run has no folder"):
        train(None, hook=STOP)


def test_a_run_that_ended_abruptly_says_so_when_it_goes_on(stopped: Path) -> None:
    (stopped / "checkpoints" / ".checkpoint-00000009.pt.0a1b.partial").write_bytes(b"torn")
    with pytest.warns(CheckpointWarning, match="goes on after epoch 1 step 3: the last run ended abruptly"):
        result = train(stopped)
    assert_same(result, straight())
    assert not list((stopped / "checkpoints").glob("*.partial"))


# --- 42, 47, 48: damaged and foreign checkpoints


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(stopped: Path, damage: Callable[[Path], Any]) -> None:
    damage(newest(stopped))
    with pytest.warns(CheckpointWarning, match=r"checkpoint-00000002\.pt .*going on from checkpoint-00000001\.pt"):
        result = train(stopped)
    assert_same(result, straight())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}'])
def test_a_damaged_description_falls_back_too(stopped: Path, text: str) -> None:
    newest(stopped).with_suffix(".json").write_text(text)
    with pytest.warns(CheckpointWarning, match="going on from checkpoint-00000001"):
        assert_same(train(stopped), straight())


def test_an_archive_without_its_description_was_torn_and_is_passed_over(stopped: Path) -> None:
    newest(stopped).with_suffix(".json").unlink()
    assert_same(train(stopped), straight())


def test_when_every_checkpoint_is_damaged_the_run_refuses_and_names_them(stopped: Path) -> None:
    for path in (stopped / "checkpoints").glob("*.pt"):
        truncate(path)
    with pytest.raises(CheckpointError, match=r"00000002\.pt is damaged.*00000001\.pt is damaged.*delete that folder"):
        train(stopped)


def test_a_checkpoint_of_a_newer_release_is_refused(stopped: Path) -> None:
    path = newest(stopped).with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 4, "coterie": "9.1"}))
    with pytest.raises(
        CheckpointError, match=r"written by coterie 9\.1 \(format 4\); this release reads up to format 1"
    ):
        train(stopped)


def test_a_checkpoint_that_would_run_code_is_never_run(stopped: Path, tmp_path: Path) -> None:
    import hashlib

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"position": Evil()}, newest(stopped))
    path = newest(stopped).with_suffix(".json")
    digest = hashlib.sha256(newest(stopped).read_bytes()).hexdigest()
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": digest}))
    with pytest.warns(CheckpointWarning, match="not a tensor or a plain type"):
        train(stopped)
    assert not (tmp_path / "ran").exists()


# --- 40, 41, 44: disks and folders


def test_a_full_disk_is_seen_before_the_checkpoint_is_written(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(stopped / "checkpoints")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**4))
    sentence = r"disk full while saving .* \(needs 2 MB, 0 MB free\); checkpoint-00000002\.pt is intact"
    with pytest.raises(OutputError, match=sentence):
        train(stopped)
    assert content(stopped / "checkpoints") == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_during_the_write_leaves_the_checkpoints_as_they_were(
    stopped: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = content(stopped / "checkpoints")

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("coterie.training.checkpoint._Hashing.write", lambda self, data: fail_write(self, number))
        with pytest.raises(OutputError, match=r"disk .* while writing .*checkpoint-00000003"):
            train(stopped)
        assert content(stopped / "checkpoints") == before
    assert_same(train(stopped), straight())


def fail_write(stream: Any, number: int) -> int:
    stream.error = OSError(number, os.strerror(number))
    raise stream.error


@pytest.mark.skipif(sys.platform == "win32", reason="no file-size limits")
def test_a_file_size_limit_during_a_checkpoint_leaves_the_one_before(stopped: Path) -> None:
    import resource

    before = content(stopped / "checkpoints")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="file-size limit reached while writing"):
            train(stopped)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert content(stopped / "checkpoints") == before
    assert_same(train(stopped), straight())


def test_a_checkpoint_that_does_not_read_back_keeps_the_one_before(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(stopped / "checkpoints")
    with monkeypatch.context() as patch:
        patch.setattr("coterie.training.checkpoint._Hashing.write", write_wrongly)
        with pytest.raises(CheckpointError, match=r"right after it was written; checkpoint-00000002\.pt is intact"):
            train(stopped)
    assert content(stopped / "checkpoints") == before


def write_wrongly(stream: Any, data: bytes) -> int:
    stream.digest.update(data)
    return int(stream._file.write(bytes(len(data))))


def test_a_file_in_the_place_of_the_folder_is_named_before_training(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="is a file; choose another folder"):
        train(tmp_path / "photo.jpg")


def test_a_read_only_folder_is_named_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OutputError, match="read-only or you have no permission"):
        train(tmp_path)


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(OutputError, match=f"in use by another run \\(process {os.getpid()} on"):
        train(tmp_path)
    with RunLock(tmp_path):
        train(tmp_path, epochs=1, lock=False)


# --- 45, 46: other settings, data, networks and machines


def test_other_settings_are_refused_field_by_field(stopped: Path) -> None:
    sentence = "k was 5 and is now 6, momentum was 'not set' and is now 0.5; give the same settings"
    with pytest.raises(ConfigError, match=sentence):
        train(stopped, config={"lr": 0.05, "k": 6, "momentum": 0.5})
    with pytest.raises(ConfigError, match="random_state was 0 and is now 3"):
        train(stopped, random_state=3)


def test_a_smaller_learning_rate_may_be_resumed_with_and_is_used(stopped: Path) -> None:
    rates: list[float] = []
    with pytest.warns(CheckpointWarning, match=r"lr was 0\.05 and is now 0\.005"):
        train(
            stopped,
            config={"lr": 0.005, "k": 5},
            hook=lambda epoch, step, run: rates.append(run._placed.optimizers[0].param_groups[0]["lr"]),
        )
    # the schedule of the toy multiplies by 0.9 after every epoch
    assert rates[0] == pytest.approx(0.005 * 0.9)
    assert rates[-1] == pytest.approx(0.005 * 0.9**3)


def test_other_images_are_refused(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.toy.IMAGES", 255 - IMAGES)
    with pytest.raises(ConfigError, match="the images are not those of the checkpoint"):
        train(stopped)


def test_another_network_is_refused_with_the_name_of_the_part(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wider = make_net()
    wider[5] = torch.nn.Linear(144, 9)
    monkeypatch.setattr("training.toy.make_net", lambda: wider)
    with pytest.raises(CheckpointError, match=r"'net' in the checkpoint does not fit this network: .*size mismatch"):
        train(stopped)


def test_another_machine_is_said_and_works(stopped: Path) -> None:
    path = newest(stopped).with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "device": "cuda", "torch": "2.10.0"}))
    with pytest.warns(CheckpointWarning, match=r"torch was '2\.10\.0' and .*device was 'cuda' and is now 'cpu'"):
        train(stopped)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_cuda_device_that_is_not_there_is_said_at_once(device: str) -> None:
    with pytest.raises(ConfigError, match="there are 0 CUDA devices here; run with --device cpu"):
        Run(device=device)


@pytest.mark.parametrize("wrong", [{"device": "gpu"}, {"precision": "64"}, {"random_state": -1}, {"device": "cpu:1"}])
def test_a_setting_outside_its_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Run(**{"device": "cpu", **wrong})


def test_half_precision_on_a_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="precision 16 does not train on a CPU"):
        Run(device="cpu", precision="16")


# --- 31, 33: losses and clusters that go wrong


def poison(folder: Path | None, at: int, check_every: int | None = None, gradient_only: bool = False) -> list[Any]:
    """Trains 3 epochs of 4 steps; the loss of step ``at`` (or only its gradient) is NaN. Returns the weights kept."""
    weights: list[Any] = []
    with Run(folder, device="cpu", save_every=0.0, check_every=check_every) as run:
        net = run.setup(torch.nn.Linear(64, 2))
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.001))
        run.track(net=net, optimizer=optimizer)
        for _ in run.epochs(3):
            for batch in run.batches(IMAGES, 8):
                loss = net(batch.clean.flatten(1)).square().mean()
                if run._position.total + 1 == at:
                    zero = (net.weight - net.weight.detach()).sum()
                    loss = loss + zero.abs().sqrt() if gradient_only else loss * float("nan")
                weights.append(net.weight.detach().clone())
                run.step(optimizer, loss)
    return weights


@pytest.mark.parametrize("check_every", [None, 3, 50])
def test_a_loss_that_becomes_nan_stops_with_the_last_good_checkpoint(tmp_path: Path, check_every: int | None) -> None:
    sentence = (
        r"loss became NaN at epoch 2 step 2 \(lr 0\.001\); resume with a smaller lr or --precision 32; the last good"
    )
    with pytest.raises(TrainingError, match=sentence):
        poison(tmp_path, 6, check_every)
    state = torch.load(newest(tmp_path), weights_only=True)
    assert state["position"]["epoch"] == 1
    assert torch.isfinite(state["tracked"]["objects"]["net"]["weight"]).all()
    assert len(poison(tmp_path, 99)) == 8


@pytest.mark.parametrize("at", [6, 8])
def test_a_gradient_that_becomes_nan_never_reaches_a_checkpoint(tmp_path: Path, at: int) -> None:
    with pytest.raises(
        TrainingError, match=r"loss became NaN at epoch 2 step 3|a weight became NaN at the end of epoch 2"
    ):
        poison(tmp_path, at, gradient_only=True)
    state = torch.load(newest(tmp_path), weights_only=True)
    assert torch.isfinite(state["tracked"]["objects"]["net"]["weight"]).all()


def watch_collapse(folder: Path) -> None:
    with Run(folder, device="cpu") as run:
        for _ in run.epochs(6):
            run.watch_clusters(np.array([0] * 30 + [1, 2]), 5)


def test_a_collapse_is_warned_of_by_name_and_recorded(tmp_path: Path) -> None:
    sentence = r"1\.3 effective clusters of 5 for 3 epochs \(largest: 30, 1, 1, 0, 0\)"
    with pytest.warns(CollapseWarning, match=sentence) as seen:
        watch_collapse(tmp_path)
    assert len(seen) == 1
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["nonempty"], line["collapse"]) for line in lines] == [(3, True)] * 6
    assert [line.get("changed") for line in lines] == [None, 0, 0, 0, 0, 0]


# --- 30, 37, 38: batches and memory


def test_a_batch_larger_than_the_images_is_shrunk_with_a_note() -> None:
    with Run(device="cpu") as run:
        for _ in run.epochs(1):
            with pytest.warns(BatchSizeWarning, match="batch_size=100 is more than the 32 images; using batches of 32"):
                assert [len(batch) for batch in run.batches(IMAGES, 100)] == [32]


def test_a_last_batch_of_one_joins_the_one_before_so_that_batch_normalisation_trains() -> None:
    with Run(device="cpu") as run:
        net = run.setup(make_net())
        for _ in run.epochs(1):
            sizes = [len(net(batch.clean)) for batch in run.batches(IMAGES[:31], 10)]
    assert sizes == [10, 10, 11]


def test_a_gpu_that_runs_out_of_memory_names_the_batch() -> None:
    def grow(epoch: int, step: int, run: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match="out of GPU memory at batch 10 x 8 x 8 px; try --batch-size 5"):
        train(None, hook=grow)


def test_a_training_beyond_the_memory_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    with Run(device="cpu", image_budget=10**12) as run:
        net = run.setup(torch.nn.Linear(1000, 1000))
        run.setup(torch.optim.Adam(net.parameters()))
        estimate = run.check_memory(IMAGES, 8)
        assert estimate.bytes == 32 * 64 + 4 * 4 * 1_001_000 + 4 * 8 * 64
        monkeypatch.setattr(run_module, "free_memory", lambda device: 5_000_000)
        with pytest.raises(NotEnoughMemoryError, match=r"training needs 17 MB .*but only 10 MB are free"):
            run.check_memory(IMAGES, 8)


# --- 57: clocks


def test_a_clock_that_jumps_back_gives_no_negative_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**6, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    history = train(None, epochs=2)[1]
    assert 0 <= history[0]["seconds"] <= history[1]["seconds"]


def test_seconds_go_on_counting_after_a_stop(stopped: Path) -> None:
    seconds = [record["seconds"] for record in train(stopped)[1]]
    assert seconds == sorted(seconds)
    lines = (stopped / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
