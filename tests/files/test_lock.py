"""One run per folder."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from coterie.errors import OutputError
from coterie.files.atomic import RunLock
from coterie.files.lock import EMPTY_IS_STALE, LOCK


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def hold_and_fail(folder: Path) -> None:
    with RunLock(folder):
        assert (folder / LOCK).exists()
        raise RuntimeError("stop")


def write_lock(folder: Path, **holder: object) -> None:
    (folder / LOCK).write_text(json.dumps(holder))


def test_a_lock_is_given_back_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        hold_and_fail(tmp_path / "run")
    assert not (tmp_path / "run" / LOCK).exists()
    with RunLock(tmp_path / "run"):
        pass


def test_a_second_holder_is_refused_with_the_process_and_host_of_the_first(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(OutputError, match=f"process {os.getpid()} on {socket.gethostname()}"):
        RunLock(tmp_path).__enter__()


def test_a_refused_holder_does_not_remove_the_lock_of_the_first(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        second = RunLock(tmp_path)
        with pytest.raises(OutputError):
            second.__enter__()
        second.__exit__(None, None, None)
        assert (tmp_path / LOCK).exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=dead_pid(), host=socket.gethostname(), started="1")
    with RunLock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process started")
def test_a_living_process_that_only_reuses_the_number_does_not_keep_the_lock(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid(), host=socket.gethostname(), started="1")
    with RunLock(tmp_path):
        pass


def test_a_lock_of_another_host_is_never_taken_over(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=dead_pid(), host="elsewhere", started="1")
    with pytest.raises(OutputError, match="on elsewhere"):
        RunLock(tmp_path).__enter__()


@pytest.mark.parametrize("text", ["not json", "[1]", '{"pid": "x"}'])
def test_an_unreadable_lock_is_respected(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(OutputError, match="in use by another run"):
        RunLock(tmp_path).__enter__()


def test_an_empty_lock_counts_only_while_it_is_fresh(tmp_path: Path) -> None:
    lock = tmp_path / LOCK
    lock.touch()
    with pytest.raises(OutputError, match="unknown process"):
        RunLock(tmp_path).__enter__()
    old = lock.stat().st_mtime - EMPTY_IS_STALE - 10
    os.utime(lock, (old, old))
    with RunLock(tmp_path):
        pass


def test_of_many_newcomers_at_a_dead_lock_exactly_one_wins(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=dead_pid(), host=socket.gethostname(), started="1")
    won, barrier = [], threading.Barrier(8)

    def enter() -> None:
        barrier.wait()
        with suppress(OutputError):
            won.append(RunLock(tmp_path).__enter__())

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].__exit__(None, None, None)
