"""Rows 40, 41 and 44 of the fault table: full disks, folders that cannot be written to, and two runs in one folder."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import OutputError
from coterie.files.atomic import RunLock, atomic_write, probe_writable, remove_leftovers, write_bytes, write_npy
from coterie.files.model_file import read_model, write_model
from coterie.files.tables import write_csv

BIG = np.ones((400, 400))  # 1.28 MB

# Each kind of result, written from a child whose files may not grow beyond 100 kB: from inside, that is a full disk.
WRITERS = {
    "array": "write_npy(run / 'embedding.npy', big)",
    "archive": "write_npz(run / 'linkage.npz', merges=big)",
    "table": "write_csv(run / 'assignments.csv', ['a'], [['x' * 100]] * 5000)",
    "json": "write_json(run / 'run.json', {'x': 'y' * 500000})",
    "model": "write_model(run / 'model', 'gdl', {}, {'x': big})",
}
CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from coterie.errors import OutputError
from coterie.files.atomic import write_json, write_npy, write_npz
from coterie.files.model_file import write_model
from coterie.files.tables import write_csv
run, big = Path(sys.argv[1]), np.ones((400, 400))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for line in sys.argv[2:]:
    try:
        exec(line)
        sys.exit("no error: " + line)
    except OutputError as error:
        print(error)
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="no file-size limits")
def test_a_limit_on_file_size_leaves_every_kind_of_result_as_it_was(tmp_path: Path) -> None:
    write_npy(tmp_path / "embedding.npy", np.zeros(3))
    write_csv(tmp_path / "assignments.csv", ["a"], [[1]])
    write_model(tmp_path / "model", "gdl", {"old": True}, {"x": np.zeros(3)})
    before = content(tmp_path)
    command = [sys.executable, "-c", CHILD, str(tmp_path), *WRITERS.values()]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(WRITERS)
    assert all("file-size limit reached while writing" in line and "nothing was changed" in line for line in lines)
    assert content(tmp_path) == before
    assert read_model(tmp_path / "model").config == {"old": True}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_file_and_the_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write_bytes(tmp_path / "a.npy", b"old")

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"^disk .* while writing .*a\.npy \(\d+ MB free\); nothing was changed"):
        write_npy(tmp_path / "a.npy", BIG)
    assert content(tmp_path) == {"a.npy": b"old"}


def test_a_full_disk_in_the_middle_of_a_model_keeps_the_model_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "model", "gdl", {"old": True}, {})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk full"):
        write_model(tmp_path / "model", "gdl", {"old": False}, {"x": BIG})
    assert read_model(tmp_path / "model").config == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_read_only_folder_is_found_before_any_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for folder in (tmp_path, tmp_path / "run"):
        with pytest.raises(OutputError, match="read-only or you have no permission"):
            probe_writable(folder)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
@pytest.mark.parametrize("method", ["mkdir", "write_bytes"])
def test_a_folder_that_refuses_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, method: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(OutputError, match="run: it is read-only or you have no permission; choose another folder"):
        probe_writable(tmp_path / "run")


@pytest.mark.parametrize("name", ["photo.jpg", "photo.jpg/run"])
@pytest.mark.parametrize("use", [probe_writable, lambda folder: RunLock(folder).__enter__()], ids=["probe", "lock"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, name: str, use: Callable[[Path], object]) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="is a file; choose another folder"):
        use(tmp_path / name)
    assert (tmp_path / "photo.jpg").read_bytes() == b"x"


def test_a_folder_that_vanishes_during_a_write_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(OutputError, match=r"a\.csv: its folder does not exist \(any more\)"):
        write_while_the_folder_vanishes(run)
    with pytest.raises(OutputError, match="does not exist"):
        write_npy(run / "embedding.npy", BIG)


def write_while_the_folder_vanishes(run: Path) -> None:
    with atomic_write(run / "a.csv") as temporary:
        temporary.write_text("x")
        shutil.rmtree(run)


def test_a_lock_in_a_vanished_folder_ends_quietly(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run"):
        shutil.rmtree(tmp_path / "run")


@pytest.fixture
def other_run(tmp_path: Path) -> "subprocess.Popen[str]":
    code = (
        "import sys, time; from pathlib import Path; from coterie.files.atomic import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)


def test_the_second_of_two_runs_in_one_folder_is_refused_until_the_first_is_gone(
    tmp_path: Path, other_run: "subprocess.Popen[str]"
) -> None:
    with other_run:
        assert other_run.stdout is not None
        assert other_run.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=f"in use by another run \\(process {other_run.pid} on "):
            RunLock(tmp_path).__enter__()
        other_run.send_signal(signal.SIGKILL)
        other_run.wait()
    assert (tmp_path / ".lock").exists()
    with RunLock(tmp_path):
        pass


def test_a_torn_temporary_file_does_not_disturb_the_next_run(tmp_path: Path) -> None:
    (tmp_path / ".embedding.npy.0a1b2c3d.partial").write_bytes(b"torn")
    (tmp_path / ".model.0a1b2c3d.partial").mkdir()
    (tmp_path / "embedding.npy").write_bytes(b"old")
    write_npy(tmp_path / "embedding.npy", np.zeros(2))
    write_model(tmp_path / "model", "gdl", {}, {})
    assert remove_leftovers(tmp_path) == [".embedding.npy.0a1b2c3d.partial", ".model.0a1b2c3d.partial"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embedding.npy", "model"]
    assert np.load(tmp_path / "embedding.npy").tolist() == [0, 0]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_npy(path, np.zeros(50_000))
    code = (
        "import sys; from pathlib import Path; import numpy as np; from coterie.files.atomic import write_npy\n"
        "for value in range(100): write_npy(Path(sys.argv[1]), np.full(50_000, float(value)))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment()) as writer:
        while writer.poll() is None:
            assert len(set(np.load(path, allow_pickle=False).tolist())) == 1
            time.sleep(0.005)
    assert writer.returncode == 0
