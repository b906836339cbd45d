"""OUT/training, where a deep method keeps its checkpoints until its run is complete, and the mark of a run that began.

A run that has begun says so before the training starts, with its settings, in a run.json whose status is "running": in
OUT, or in OUT/training where OUT still holds a finished run that is being replaced, since that one stays whole until
the new one is. The same command finds the mark and goes on; another command needs --force, and begins anew.
"""

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from coterie.cli.targets import run_status
from coterie.cli.terminal import note
from coterie.errors import ConfigError
from coterie.files.atomic import write_json
from coterie.files.folders import make_folder

TRAINING = "training"
MARK = "run.json"
TENSORBOARD = "tensorboard"
BESIDES = {"seed", "map"}  # of the command, not of the method


class TrainingFolder:
    """The training inside the run folder ``out``, whose RunLock the caller holds.

    settings: what a training that goes on must share, by name, but for what ``may_change`` (what any may, unless the
    method says); ``force`` begins anew where it does not.
    """

    def __init__(
        self, out: Path, settings: dict[str, Any], *, force: bool, may_change: Collection[str] | None = None
    ) -> None:
        self.out = out
        self.path = out / TRAINING
        self.settings = settings
        self.force = force
        self.may_change = may_change
        self._goes_on = False
        self._began_from_nothing = False

    def check(self) -> None:
        """Looks for a training to go on with. Raises ConfigError when it has other settings and nobody said --force."""
        mark = _unfinished(self.out)
        if mark is None:
            return
        from coterie.training.settings import MAY_CHANGE, describe, differences

        before = {"method": mark.get("method")} | {k: v for k, v in mark["config"].items() if k not in BESIDES}
        may_change = MAY_CHANGE if self.may_change is None else self.may_change
        changed = [item for item in differences(before, self.settings) if item[0] not in may_change]
        if other_method := [item for item in changed if item[0] == "method"]:
            changed = other_method  # its parameters are others anyway
        self._goes_on = not changed
        if changed:
            self._refuse_unless_forced(describe(changed))

    @contextmanager
    def training(self, mark: dict[str, Any]) -> Iterator[None]:
        """Inside, the training may use ``path``; ``mark`` is what run.json says of a run that has begun.

        Raises ConfigError when a training to go on with was of other images and nobody said --force. What comes to
        nothing, because it failed before its first checkpoint, leaves nothing behind.
        """
        self._begin(mark)
        try:
            yield
        except BaseException:
            if not _has_checkpoint(self.path):
                self._undo()
            raise

    def finish(self) -> None:
        """Keeps the figures for TensorBoard, and the mark no longer; what is left goes with ``remove``."""
        if (self.path / TENSORBOARD).is_dir():
            (self.path / TENSORBOARD).replace(self.out / TENSORBOARD)
        (self.path / MARK).unlink(missing_ok=True)

    def remove(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _begin(self, mark: dict[str, Any]) -> None:
        before = _unfinished(self.out)
        if self._goes_on and before is not None and before.get("images") != mark["images"]:
            self._goes_on = False
            self._refuse_unless_forced("the images are others, or have changed since")
        if self._goes_on:
            note(f"note: going on with the unfinished training in {self.path}")
        else:
            self.remove()
        status = run_status(self.out)
        self._began_from_nothing = status is None
        if status == "complete":
            make_folder(self.path)
        write_json((self.path if status == "complete" else self.out) / MARK, mark)

    def _undo(self) -> None:
        self.remove()
        if self._began_from_nothing:
            with suppress(OSError):
                (self.out / MARK).unlink(missing_ok=True)

    def _refuse_unless_forced(self, why: str) -> None:
        if not self.force:
            raise ConfigError(
                f"{self.out} holds a training that was not finished, and it is another one: {why}; give the same "
                "command to go on with it, --force to start anew, or another --out"
            )
        note(f"note: the training begins anew: {why}")


def _unfinished(out: Path) -> dict[str, Any] | None:
    """The mark of a training in ``out`` that can go on; None when there is none."""
    if not _has_checkpoint(out / TRAINING):
        return None
    marks = (_read(path / MARK) for path in (out, out / TRAINING))
    return next((mark for mark in marks if mark.get("status") == "running" and "config" in mark), None)


def _has_checkpoint(training: Path) -> bool:
    return next((training / "checkpoints").glob("*.json"), None) is not None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
