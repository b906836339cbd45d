"""The figures for TensorBoard, read back by TensorBoard itself."""

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from coterie.errors import ConfigError, MissingExtraError, OutputError, TrainingStopped
from coterie.training.run import Run
from coterie.training.tensorboard import Board
from training.toy import assert_same, signal_at, train


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_every_figure_of_every_epoch_becomes_a_point_of_a_curve(tmp_path: Path) -> None:
    _, history = train(tmp_path, epochs=3, tensorboard=True)
    found = curves(tmp_path)
    assert {"loss", "nonempty", "effective", "changed", "seconds", "images_per_second"} <= found.keys()
    assert not {"phase", "epoch", "step"} & found.keys()
    assert [step for step, _ in found["loss"]] == [1, 2, 3]
    assert [value for _, value in found["loss"]] == pytest.approx([record["loss"] for record in history])


def test_epochs_of_several_loops_are_counted_through_and_text_is_left_out(tmp_path: Path) -> None:
    with Run(tmp_path, device="cpu", tensorboard=True) as run:
        for _ in range(2):
            for _ in run.epochs(2):
                run.log(purity=torch.tensor(0.5), stage="warm-up", sizes=[1, 2], empty=float("nan"))
    assert curves(tmp_path) == {"purity": [(n, 0.5) for n in (1, 2, 3, 4)], "seconds": curves(tmp_path)["seconds"]}


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_after_a_stop_each_epoch_still_has_one_point_and_the_bits_are_the_same(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped):
        train(tmp_path, hook=signal_at(2, 3, signal.SIGTERM), tensorboard=True)
    board = Board(tmp_path)  # an epoch that was cut off between its figures and its checkpoint
    board.write(3, {"epoch": 3, "loss": 99.0})
    board.close()
    result = train(tmp_path, tensorboard=True)
    assert_same(result, train(None))
    loss = curves(tmp_path)["loss"]
    assert [step for step, _ in loss] == [1, 2, 3, 4]
    assert max(value for _, value in loss) < 99


def test_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    assert not (tmp_path / "tensorboard").exists()


def test_without_the_extra_it_is_named_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.training.tensorboard.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "coterie\[tensorboard\]"'):
        Run(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_without_a_folder_there_is_nowhere_to_write() -> None:
    with pytest.raises(ConfigError, match="tensorboard=True needs a run folder"):
        Run(None, tensorboard=True)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", full)
    with pytest.raises(OutputError, match=r"disk full while writing .*tensorboard"):
        Board(tmp_path).write(1, {"loss": 1.0})
