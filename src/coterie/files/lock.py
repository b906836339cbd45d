"""One run per folder: a lock file that names its holder and gives way when the holder is dead."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coterie.errors import OutputError
from coterie.files.folders import explain, make_folder

LOCK = ".lock"
# A lock is empty only between its creation and the write that follows; older than this, its maker died in between.
EMPTY_IS_STALE = 30.0  # seconds


class RunLock:
    """Holds ``folder`` for one run, as a context manager; creates the folder if needed.

    Raises OutputError naming the process and the host when another run holds it. A lock whose process has died on this
    host is taken over; one from another host never is, since nobody here can tell whether that process lives.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LOCK
        self._mine = False

    def __enter__(self) -> Self:
        make_folder(self.folder)
        for _ in range(10):
            if self._create():
                return self
            self._remove_if_stale()
        raise OutputError(f"{self.folder} is being taken by several runs at once; wait and run the command again.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mine:
            self._mine = False
            with suppress(OSError):  # the folder vanished or turned read-only: nothing to give back
                self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise explain(self.path, error) from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "started": process_start(os.getpid())}
        try:
            os.write(descriptor, json.dumps(holder).encode())
        except OSError as error:
            self.path.unlink(missing_ok=True)
            raise explain(self.path, error) from error
        finally:
            os.close(descriptor)
        self._mine = True
        return True

    def _remove_if_stale(self) -> None:
        """Removes the lock of a dead process, or raises OutputError when its holder lives or cannot be known."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return  # released since we looked
        except OSError as error:
            raise explain(self.path, error) from error
        try:
            holder = _parse(os.read(descriptor, 4096))
            if not _is_dead(holder, time.time() - os.fstat(descriptor).st_mtime):
                raise OutputError(_refusal(self.folder, holder))
            # Two newcomers may both find it dead: only the one who holds the old file itself may remove it.
            if _hold(descriptor) and _is_same_file(descriptor, self.path):
                self.path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def process_start(pid: int) -> str | None:
    """Start time of process ``pid`` in clock ticks, which tells it from a later process of the same number.

    None where the system does not say (anything but Linux) or the process is gone.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[19]  # field 22; the command's name in field 2 may hold blanks


def _parse(data: bytes) -> dict[str, Any]:
    try:
        holder = json.loads(data or b"{}")
    except ValueError:
        return {"host": "?"}
    return holder if isinstance(holder, dict) else {"host": "?"}


def _is_dead(holder: dict[str, Any], age: float) -> bool:
    if not holder:
        return age > EMPTY_IS_STALE
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives and belongs to somebody else
    started, now = holder.get("started"), process_start(pid)
    return started is not None and now is not None and started != now


def _refusal(folder: Path, holder: dict[str, Any]) -> str:
    who = f"process {holder['pid']} on {holder.get('host', '?')}" if "pid" in holder else "an unknown process"
    return (
        f"{folder} is in use by another run ({who}); wait for it, choose another folder, "
        f"or delete {folder / LOCK} if you know that it has ended."
    )


def _hold(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return True  # Windows: a lock is never judged dead there by its process
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        time.sleep(0.01)
        return False
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
