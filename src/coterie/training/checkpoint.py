"""Checkpoints that survive a kill, a full disk and a damaged file.

Each is a pair: ``checkpoint-00000012.pt`` (tensors and plain types, written by torch) and beside it a JSON file with
its sha256, which is written last. A pair counts only when both are there and agree, so a torn write is never taken
for a checkpoint. The newest two are kept; the older of them goes when a third has been read back and found whole.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch

from coterie.errors import CheckpointError, CheckpointWarning, OutputError
from coterie.files.atomic import atomic_write, write_json
from coterie.files.folders import make_folder
from coterie.training.plain import tensor_bytes, to_plain

FORMAT = "coterie checkpoint"
FORMAT_VERSION = 1
SPARE = 1_000_000  # bytes beside the tensors: generators, history, the archive's own tables
_NAME = re.compile(r"checkpoint-(\d{8})\.json")


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read: its number, its state and what its JSON says about it."""

    number: int
    state: dict[str, Any]
    about: dict[str, Any]


class Checkpoints:
    """The checkpoints in ``folder``, which is created by the first ``save``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: int | None = None  # the last one that was read or written whole

    def save(self, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        """Writes ``state`` as the newest checkpoint and returns its file; ``about`` goes into the JSON beside it.

        Raises:
            CheckpointError: ``state`` holds something that is neither a tensor nor a plain type, or what was written
                does not read back.
            OutputError: the disk is full or the folder is not writable. The checkpoints before are untouched.
        """
        plain = to_plain(state)
        make_folder(self.folder)
        numbers = self._numbers()
        self._check_space(tensor_bytes(plain) + SPARE, numbers)
        number = 1 + max([*numbers, *self._orphans()], default=0)
        path = self._file(number)
        digest = self._write(path, plain)
        self._verify(path, digest)
        described = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": digest, **about}
        write_json(path.with_suffix(".json"), described)
        self._tidy({number, self._good if self._good is not None else max(numbers, default=number)})
        self._good = number
        return path

    def load(self) -> Loaded | None:
        """The newest whole checkpoint, on the host; None when there is none yet.

        A damaged one is passed over with a CheckpointWarning. Raises CheckpointError when all are damaged or one was
        written by a newer release.
        """
        reasons = []
        for number in sorted(self._numbers(), reverse=True):
            try:
                loaded = self._read(number)
            except _DamagedError as error:
                reasons.append(f"{self._file(number).name} {error}")
                continue
            self._good = number
            if reasons:
                text = f"{'; '.join(reasons)}: going on from {self._file(number).name} instead."
                warnings.warn(text, CheckpointWarning, stacklevel=2)
            return loaded
        if reasons:
            raise CheckpointError(
                f"no checkpoint in {self.folder} can be read ({'; '.join(reasons)}): delete that folder to start anew."
            )
        return None

    def _file(self, number: int) -> Path:
        return self.folder / f"checkpoint-{number:08d}.pt"

    def _numbers(self) -> list[int]:
        names = [path.name for path in self.folder.glob("checkpoint-*.json")]
        return [int(match[1]) for name in names if (match := _NAME.fullmatch(name))]

    def _orphans(self) -> list[int]:
        names = [path.with_suffix(".json").name for path in self.folder.glob("checkpoint-*.pt")]
        return [int(match[1]) for name in names if (match := _NAME.fullmatch(name))]

    def _check_space(self, needed: int, numbers: list[int]) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OutputError(
                f"disk full while saving {self.folder} (needs {-(-needed // 10**6)} MB, {free // 10**6} MB free); "
                f"{_intact(numbers)}: free some space and run the same command again."
            )

    def _write(self, path: Path, plain: Any) -> str:
        """Writes the archive and returns the sha256 of what was meant to be written."""
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            stream = _Hashing(file)
            try:
                torch.save(plain, cast(IO[bytes], stream))
            except Exception:
                # torch turns a full disk into a RuntimeError about positions; the system's own reason is useful.
                if stream.error is not None:
                    raise stream.error from None
                raise
        return stream.digest.hexdigest()

    def _verify(self, path: Path, digest: str) -> None:
        try:
            _read_tensors(path, digest)
        except _DamagedError as error:
            path.unlink(missing_ok=True)
            raise CheckpointError(
                f"{path} {error} right after it was written; {_intact(self._numbers())}: check the disk."
            ) from error

    def _read(self, number: int) -> Loaded:
        path = self._file(number)
        try:
            about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _DamagedError("is damaged (its JSON cannot be read)") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise _DamagedError("is not a checkpoint of coterie")
        if int(about.get("format_version", 0)) > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} was written by coterie {about.get('coterie', '?')} (format {about['format_version']}); "
                f"this release reads up to format {FORMAT_VERSION}: upgrade coterie."
            )
        return Loaded(number, _read_tensors(path, str(about.get("sha256"))), about)

    def _tidy(self, kept: set[int]) -> None:
        """Removes all other pairs, and archives that never got their JSON."""
        stems = {self._file(number).stem for number in kept}
        for path in self.folder.glob("checkpoint-*"):
            if path.stem not in stems:
                with suppress(OSError):  # it only takes up space
                    path.unlink()


class _DamagedError(Exception):
    pass


class _Hashing:
    """A file that torch writes to: hashes what passes and remembers why a write failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            written = self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return written

    def flush(self) -> None:
        self._file.flush()


def _read_tensors(path: Path, digest: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise _DamagedError("is damaged (its sha256 differs)")
    except OSError as error:
        raise _DamagedError(f"cannot be read ({error.strerror})") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no one class for what it refuses
        raise _DamagedError("holds something that is not a tensor or a plain type") from error
    if not isinstance(state, dict):
        raise _DamagedError("is not a checkpoint of coterie")
    return state


def _intact(numbers: list[int]) -> str:
    return f"checkpoint-{max(numbers):08d}.pt is intact" if numbers else "there was no checkpoint before"
