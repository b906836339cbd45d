"""Files that appear complete or not at all.

Every result is written under a temporary name in the folder where it will live, flushed to the disk, and only then
renamed over the final name, so a kill, a power cut or a full disk leaves the previous file as it was. Errors of the
operating system come out as ``OutputError`` sentences that name the file.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from coterie.errors import OutputError
from coterie.files.folders import DISK_FULL, PARTIAL, explain, probe_writable
from coterie.files.lock import RunLock

__all__ = [
    "RunLock",
    "atomic_write",
    "flush_tree",
    "probe_writable",
    "remove_leftovers",
    "write_bytes",
    "write_json",
    "write_npy",
    "write_npz",
    "write_text",
]


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; what is written there replaces ``path`` when the block ends well.

    A symbolic link at ``path`` stays a link: its target is replaced. On any error the temporary file is removed and
    ``path`` is untouched. Raises OutputError when the disk is full, or the folder is missing or not writable.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OutputError(f"cannot write {path}: it exists and is not a regular file; choose another name.")
    # The name is cut so that a very long file name does not become one that is too long.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        # An error about some other file (one that the block was reading) is not ours to explain.
        if error.errno in DISK_FULL or error.filename in (None, temporary, str(temporary)):
            raise explain(path, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path``, completely or not at all."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` as UTF-8, line ends untouched; lone surrogates (names that are not UTF-8) become ``\\udcff``."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Writes ``value`` as UTF-8 JSON with an indent of 2; NumPy numbers and arrays and paths are understood.

    Raises OutputError for NaN and infinity, which JSON cannot hold.
    """
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as error:
        raise OutputError(f"cannot write {path}: JSON holds no NaN or infinity; use null instead ({error}).") from error
    # backslashreplace gives exactly JSON's own escape for a lone surrogate, so every name reads back as it was.
    write_text(path, text + "\n")


def write_npy(path: Path, array: np.ndarray) -> None:
    """Writes ``array`` (any shape and plain dtype) as a .npy file that needs no pickle."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array(_Stream(file), np.asanyarray(array), allow_pickle=False)


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Writes the named ``arrays`` as one uncompressed .npz file that needs no pickle."""
    # Older NumPy has no allow_pickle here (it would store an array of that name), so objects are refused by us.
    if objects := [name for name, array in arrays.items() if np.asanyarray(array).dtype.hasobject]:
        raise ValueError(f"arrays of Python objects need pickle and are never written: {', '.join(objects)}")
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type,unused-ignore]


def remove_leftovers(folder: Path) -> list[str]:
    """Names of the torn temporary files that a killed run left in ``folder``, which are now removed.

    Call it only while holding the folder's RunLock: another run's files in the making look the same.
    """
    names = []
    for path in sorted(folder.glob(f".*{PARTIAL}")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        names.append(path.name)
    return names


def flush_tree(folder: Path) -> None:
    """Forces every file directly inside ``folder``, and the folder itself, onto the disk."""
    for path in folder.iterdir():
        if path.is_file():
            _flush(path)
    _flush_folder(folder)


class _Stream:
    """A file that only writes: NumPy then passes on the system's own error instead of a count without its reason."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write = file.write


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder
    with suppress(OSError):  # some network file systems do not sync folders; the file itself is safe
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
