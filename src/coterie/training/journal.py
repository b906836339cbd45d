"""The folder of a training: its lock, its checkpoints, and what is said when a training goes on."""

import time
import warnings
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from coterie.errors import CheckpointWarning
from coterie.files.atomic import RunLock, probe_writable, remove_leftovers
from coterie.files.lock import LOCK
from coterie.training.checkpoint import Checkpoints, Loaded
from coterie.training.launched import is_first
from coterie.training.processes import from_first, n_processes
from coterie.training.settings import check_settings, describe, plain_settings
from coterie.training.tensorboard import Board

CIRCUMSTANCES = ("coterie", "torch", "device", "precision", "threads", "processes")


class Journal:
    """Checkpoints of one training under ``folder``; without a folder it keeps nothing.

    Of several processes the first alone reads and writes, and the others are told what it read; they wait while it
    writes, and what fails there ends all.

    Attributes:
        settings: the settings that a resumed run must share, as JSON holds them.
        lr_ratio: the learning rate asked for now over that of the checkpoint.
        board: writes figures for TensorBoard, or None where that was not asked for.
    """

    def __init__(
        self, folder: Path | None, settings: Mapping[str, Any], save_every: float, tensorboard: bool = False
    ) -> None:
        self.settings = plain_settings(settings)
        self.lr_ratio = 1.0
        self.folder = folder
        self.board = Board(folder) if tensorboard and is_first() else None
        self._checkpoints = Checkpoints(folder / "checkpoints") if folder and is_first() else None
        self._save_every = save_every
        self._last = time.monotonic()

    def open(self, stack: ExitStack, lock: bool) -> bool:
        """Makes the folder ours until ``stack`` closes; True when the run before it was cut off.

        Raises OutputError when the folder is not writable or another run holds it.
        """
        return from_first(lambda: self._open(stack, lock))

    def read(self, now: Mapping[str, Any], may_change: Collection[str], cut_off: bool) -> Loaded | None:
        """The newest whole checkpoint, if there is one; ``now`` are the circumstances of this process.

        Raises ConfigError when its settings differ, CheckpointError when none of several can be read. What is unlike
        before and harmless becomes one CheckpointWarning.
        """
        loaded, self.lr_ratio = from_first(lambda: (self._read(now, may_change, cut_off), self.lr_ratio))
        return loaded

    def is_due(self) -> bool:
        """True when the last checkpoint is old enough for a new one."""
        return time.monotonic() - self._last >= self._save_every

    @property
    def saves_within_epochs(self) -> bool:
        """True when a long epoch is saved in its middle."""
        return self._checkpoints is not None and self._save_every > 0

    def save(self, state: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Writes a checkpoint; ``about`` holds the place and the circumstances."""
        from_first(lambda: self._save(state, about))
        self._last = time.monotonic()

    def _open(self, stack: ExitStack, lock: bool) -> bool:
        if self.folder is None:
            return False
        probe_writable(self.folder)
        was_held = lock and (self.folder / LOCK).exists()
        if lock:
            stack.enter_context(RunLock(self.folder))
        if self.board:
            stack.callback(self.board.close)
        torn = remove_leftovers(self.folder) + remove_leftovers(self.folder / "checkpoints")
        return was_held or bool(torn)

    def _read(self, now: Mapping[str, Any], may_change: Collection[str], cut_off: bool) -> Loaded | None:
        loaded = self._checkpoints.load() if self._checkpoints else None
        if loaded is None:
            return None
        changed = check_settings(loaded.about["config"], self.settings, may_change)
        self.lr_ratio = _ratio(loaded.about["config"].get("lr"), self.settings.get("lr"))
        notes = ["the last run ended abruptly"] if cut_off else []
        if changed:
            notes.append(describe(changed))
        about = {"processes": 1} | loaded.about  # releases that knew of one did not say so
        before = {name: about.get(name) for name in CIRCUMSTANCES}
        unlike = [(name, before[name], now[name]) for name in CIRCUMSTANCES if before[name] != now[name]]
        if unlike:
            notes.append(f"{describe(unlike)}, so the numbers can differ from those of an uninterrupted run")
        if notes:
            place = f"{self.folder} goes on after epoch {loaded.about['epoch']} step {loaded.about['update']}"
            warnings.warn(f"{place}: {'; '.join(notes)}.", CheckpointWarning, stacklevel=7)
        return loaded

    def _save(self, state: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        if self._checkpoints:
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            self._checkpoints.save(state, {**about, "written": stamp, "config": self.settings})


def circumstances(device: torch.device, precision: str) -> dict[str, Any]:
    """What the bits of a training depend on besides its settings."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("coterie")
    except PackageNotFoundError:  # run from a checkout that is not installed
        release = "unknown"
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    named = (release, str(torch.__version__), device.type, precision, threads, n_processes())
    return dict(zip(CIRCUMSTANCES, named, strict=True))


def _ratio(before: Any, now: Any) -> float:
    both = isinstance(before, int | float) and isinstance(now, int | float)
    return now / before if both and before else 1.0
