"""Folders that can be written to, and the sentence for a person when they cannot."""

import errno
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from coterie.errors import OutputError

PARTIAL = ".partial"  # the end of the name of every file in the making
DISK_FULL = {errno.ENOSPC: "disk full", errno.EDQUOT: "disk quota used up", errno.EFBIG: "file-size limit reached"}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def probe_writable(folder: Path) -> None:
    """Creates ``folder`` if needed and proves that a file can be written there, before any long work starts.

    Raises OutputError naming the folder and the reason: read-only, not a folder, no permission, disk full.
    """
    make_folder(folder)
    probe = folder / f".probe.{secrets.token_hex(4)}{PARTIAL}"
    try:
        probe.write_bytes(b"coterie")
    except OSError as error:
        raise explain(folder, error) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Creates ``folder`` and its parents; raises OutputError naming the folder and the reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"cannot write to {folder}: it, or a part of its path, is a file; choose another folder."
        ) from error
    except OSError as error:
        raise explain(folder, error) from error


def explain(path: Path, error: OSError) -> OutputError:
    """The sentence a person needs when writing ``path`` failed with ``error``."""
    if error.errno in DISK_FULL:
        free = _free_megabytes(path)
        return OutputError(
            f"{DISK_FULL[error.errno]} while writing {path} ({free} MB free); nothing was changed there: "
            "free some space and run the same command again."
        )
    if error.errno in _DENIED:
        return OutputError(f"cannot write {path}: it is read-only or you have no permission; choose another folder.")
    if error.errno == errno.ENOENT:
        return OutputError(
            f"cannot write {path}: its folder does not exist (any more); create it or choose another one."
        )
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose another folder or repair this one.")


def _free_megabytes(path: Path) -> int:
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free // 1_000_000
    return 0
