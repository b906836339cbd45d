"""How a training tells of itself: one JSON object per epoch in metrics.jsonl, and one bar or one line per epoch."""

import json
import logging
import math
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from coterie.errors import ConfigError
from coterie.files.atomic import write_text
from coterie.files.folders import explain
from coterie.training.tensorboard import Board

log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"


class History:
    """The figures of every epoch, and their file.

    Attributes:
        records: one dict per finished epoch: phase, epoch and step (both counted from 1), seconds of training so far,
            and the figures: loss (mean of the steps), images_per_second, and whatever was logged.
        seen: images trained on in the running epoch.
    """

    def __init__(self, folder: Path | None, board: Board | None = None) -> None:
        self.path = folder / METRICS if folder else None
        self._board = board
        self.records: list[dict[str, Any]] = []
        self.figures: dict[str, Any] = {}  # of the epoch that is running
        self.seen = 0
        self._epoch_began = time.monotonic()
        self._before = 0.0  # seconds trained before this process
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a stop included; clocks that jump do not matter."""
        return self._before + time.monotonic() - self._began

    def note(self, figures: Mapping[str, Any]) -> None:
        """Adds figures (numbers, text, short lists) to the record of the running epoch."""
        self.figures.update({name: plain_figure(name, value) for name, value in figures.items()})

    def begin_epoch(self) -> None:
        """Starts the clock of an epoch, or of the rest of one after a resume."""
        self.seen, self._epoch_began = 0, time.monotonic()

    def finish_epoch(self, phase: int, epoch: int, step: int, loss: float | None) -> dict[str, Any]:
        """Closes the record of the running epoch and writes it as one line; phase and epoch are counted from 0 here."""
        record = {"phase": phase + 1, "epoch": epoch + 1, "step": step, "seconds": round(self.seconds, 3)}
        measured: dict[str, Any] = {} if loss is None else {"loss": loss}
        if self.seen:
            passed = max(time.monotonic() - self._epoch_began, 1e-9)
            measured["images_per_second"] = round(self.seen / passed, 1)
        record |= {**measured, **self.figures}
        self.records.append(record)
        self.figures = {}
        self._append(record)
        if self._board:
            self._board.write(len(self.records), record)
        return record

    def state_dict(self) -> dict[str, Any]:
        """The records, the running epoch's figures and the seconds."""
        return {"records": self.records, "figures": self.figures, "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave; lines of the file from after it, or torn ones, go."""
        self.records[:] = state["records"]
        self.figures = state["figures"]
        self._before, self._began = state["seconds"], time.monotonic()
        if self.path:
            write_text(self.path, "".join(map(_line, self.records)))

    def _append(self, record: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            raise explain(self.path, error) from error

    def start_anew(self) -> None:
        """Empties the file, which an earlier run without a checkpoint may have left."""
        if self.path:
            write_text(self.path, "")


class Bar:
    """The progress of one ``epochs`` loop: a bar on a terminal, one line per epoch elsewhere, or nothing."""

    def __init__(self, show: bool, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.show = show
        self._bar: Any = None
        self._epoch = 0
        self._last = ""
        self._began = 0.0
        self._start = self._total = 0

    def begin(self, start: int, total: int) -> None:
        """Epochs from ``start`` to ``total`` follow."""
        self._start, self._total, self._began, self._last = start, total, time.monotonic(), ""
        if self.show and self.stream.isatty():
            from tqdm import tqdm

            form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
            # a bar of plain characters where the terminal's encoding has no others
            ascii_ = "utf" not in (self.stream.encoding or "").lower()
            self._bar = tqdm(
                total=total, initial=start, file=self.stream, bar_format=form, ascii=ascii_, dynamic_ncols=True
            )

    def step(self, epoch: int, share: float) -> None:
        """``share`` (0 to 1) of ``epoch`` is done."""
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {epoch + 1}/{self._total}", refresh=False)
            self._bar.update(max(epoch + min(share, 1.0) - self._bar.n, 0.0))

    def epoch(self, epoch: int, figures: Mapping[str, Any]) -> None:
        """``epoch`` has ended with ``figures``."""
        text = figures_text(figures)
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self.step(epoch, 1.0)
            return
        line = f"epoch {epoch + 1}/{self._total} {text} left={self._left(epoch + 1)}"
        log.info("%s", line)
        if self.show:
            try:
                self.stream.write(line + "\n")
                self.stream.flush()
            except (OSError, ValueError):  # the reader (head) has gone or the stream is closed; the training goes on
                self.show = False

    def close(self) -> None:
        """Ends the bar, which stays where it is."""
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()
            self._bar = None

    def _left(self, done: int) -> str:
        passed = time.monotonic() - self._began
        seconds = round(passed / max(done - self._start, 1) * (self._total - done))
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def figures_text(figures: Mapping[str, Any]) -> str:
    """The figures that matter first, as "loss=0.1234 nonempty=10"."""
    shown = {name: figures[name] for name in ("loss", "nonempty", "changed") if name in figures}
    hidden = {"phase", "epoch", "step", "seconds", "effective", "collapse"}
    shown |= {name: value for name, value in figures.items() if name not in hidden}
    return " ".join(f"{name}={_short(value)}" for name, value in shown.items())


def plain_figure(name: str, value: Any) -> Any:
    """A figure as JSON holds it: tensors and arrays as numbers or lists, NaN and infinity as null."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain_figure(name, item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ConfigError(f"log({name}=...) is a {type(value).__name__}: log numbers, text, or lists of them.")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
