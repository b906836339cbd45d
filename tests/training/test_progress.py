"""What a training tells of itself: metrics.jsonl, and a bar or lines."""

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import ConfigError, OutputError
from coterie.training.progress import Bar, History, figures_text
from coterie.training.run import Run
from training.toy import IMAGES, train


class Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_there_is_one_json_object_for_every_epoch(tmp_path: Path) -> None:
    history = train(tmp_path, epochs=3)[1]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == history
    assert [(line["phase"], line["epoch"], line["step"]) for line in lines] == [(1, 1, 8), (1, 2, 16), (1, 3, 24)]
    assert all(line["loss"] > 0 and line["images_per_second"] > 0 and line["nonempty"] >= 1 for line in lines)


def test_figures_of_every_kind_are_logged_as_json(tmp_path: Path) -> None:
    with Run(tmp_path, device="cpu") as run:
        for _ in run.epochs(1):
            run.log(loss=torch.tensor(0.5), nan=float("nan"), sizes=np.array([3, 1]), name="warm-up")
            run.log(agreement=np.float32(0.25), infinite=[1.0, float("inf")])
            with pytest.raises(ConfigError, match=r"log\(net=...\) is a Linear: log numbers"):
                run.log(net=torch.nn.Linear(1, 1))
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert {name: line[name] for name in ("loss", "nan", "sizes", "name", "agreement", "infinite")} == {
        "loss": 0.5, "nan": None, "sizes": [3, 1], "name": "warm-up", "agreement": 0.25, "infinite": [1.0, None],
    }  # fmt: skip


def test_a_torn_last_line_is_gone_after_a_resume(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.finish_epoch(0, 0, 8, 0.5)
    state = {**history.state_dict(), "records": list(history.records)}
    history.finish_epoch(0, 1, 16, None)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    again = History(tmp_path)
    again.load_state_dict(state)
    again.finish_epoch(0, 1, 16, None)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]


def test_where_there_is_no_terminal_every_epoch_is_one_line() -> None:
    stream = io.StringIO()
    bar = Bar(True, stream)
    bar.begin(0, 2)
    bar.step(0, 0.5)
    bar.epoch(
        0, {"epoch": 1, "seconds": 3.1, "images_per_second": 100.0, "nonempty": 4, "loss": 0.123456, "changed": 0.5}
    )
    bar.epoch(1, {"loss": 0.1})
    bar.close()
    first, second = stream.getvalue().splitlines()
    assert first == "epoch 1/2 loss=0.1235 nonempty=4 changed=0.5 images_per_second=100 left=0:00:00"
    assert second == "epoch 2/2 loss=0.1 left=0:00:00"


def test_on_a_terminal_one_bar_shows_the_epoch_and_the_figures() -> None:
    stream = Terminal()
    bar = Bar(True, stream)
    bar.begin(1, 3)
    bar.step(1, 0.5)
    bar.epoch(1, {"loss": 0.25})
    bar.epoch(2, {"loss": 0.125})
    bar.close()
    text = stream.getvalue()
    assert text.isascii()
    assert "epoch 3/3 100%" in text
    assert "loss=0.125" in text


@pytest.mark.parametrize("stream", [Closed(), None])
def test_a_reader_that_has_gone_does_not_end_the_training(stream: Any) -> None:
    if stream is None:
        stream = io.StringIO()
        stream.close()
    bar = Bar(True)
    bar.stream = stream if not stream.closed else Closed()
    bar.begin(0, 1)
    bar.epoch(0, {"loss": 1.0})
    bar.close()


def test_nothing_is_shown_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    train(None, epochs=1)
    assert capsys.readouterr() == ("", "")
    train(None, epochs=1, progress=True)
    assert capsys.readouterr().err.startswith("epoch 1/1 loss=")


def test_the_figures_that_matter_come_first() -> None:
    assert figures_text({"phase": 1, "x": 2, "changed": 0.1, "loss": 1e-5}) == "loss=1e-05 changed=0.1 x=2"


def test_a_training_without_steps_or_batches_still_has_its_lines() -> None:
    with Run(device="cpu") as run:
        for _ in run.epochs(2):
            pass
        assert [record["epoch"] for record in run.history] == [1, 2]


@pytest.mark.parametrize("n", [-1, 1.5, True, "3"])
def test_a_number_of_epochs_outside_its_range_is_refused(n: Any) -> None:
    with Run(device="cpu") as run, pytest.raises(ConfigError, match="is not a number of epochs"):
        next(iter(run.epochs(n)))


def test_a_run_outside_its_with_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs belongs in `with Run"):
        next(iter(Run(device="cpu").epochs(3)))


def test_an_optimiser_that_was_not_set_up_is_refused() -> None:
    net = torch.nn.Linear(64, 2)
    with Run(device="cpu") as run, pytest.raises(ConfigError, match=r"an optimiser that came back from run\.setup"):
        run.step(torch.optim.SGD(net.parameters(), lr=1), net(torch.zeros(1, 64)).sum())
    with Run(device="cpu") as run, pytest.raises(ConfigError, match="not a int"):
        run.setup(3)  # type: ignore[type-var]


def test_training_in_bfloat16_learns() -> None:
    with Run(device="cpu", precision="bf16") as run:
        net = run.setup(torch.nn.Linear(64, 1))
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.01))
        for _ in run.epochs(3):
            for batch in run.batches(IMAGES, 8):
                run.step(optimizer, net(batch.clean.flatten(1)).float().square().mean())
    assert run.history[-1]["loss"] < run.history[0]["loss"]


def test_a_disk_that_is_full_for_the_figures_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"disk full while writing .*metrics\.jsonl"):
        History(tmp_path).finish_epoch(0, 0, 1, 0.5)
