"""Files that appear complete or not at all."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import OutputError
from coterie.files.atomic import (
    atomic_write,
    probe_writable,
    remove_leftovers,
    write_bytes,
    write_json,
    write_npy,
    write_npz,
    write_text,
)


def test_the_old_file_stays_and_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="stop"):
        write_half_and_fail(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_the_temporary_file_lies_beside_the_final_one_and_is_hidden(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".partial")
        temporary.write_text("x")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_an_error_about_another_file_is_passed_on_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        (tmp_path / "missing input").read_text()


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_folder_or_device_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not a regular file"):
        write_text(tmp_path, "x")
    with pytest.raises(OutputError, match="not a regular file"):
        write_text(Path(os.devnull), "x")


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_text(path, "x")
    assert path.read_text() == "x"


def test_new_files_have_the_permissions_that_the_users_mask_asks_for(tmp_path: Path) -> None:
    write_text(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_json_holds_numpy_paths_and_every_name_and_reads_back(tmp_path: Path) -> None:
    value = {"name": "é\udcff\n", "n": np.int64(3), "x": np.float32(0.5), "a": np.arange(2), "p": Path("a/b")}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_bytes().decode("utf-8")
    assert json.loads(text) == {"name": "é\udcff\n", "n": 3, "x": 0.5, "a": [0, 1], "p": "a/b"}
    assert "é" in text


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan")])
def test_json_refuses_numbers_that_json_cannot_hold(tmp_path: Path, bad: float) -> None:
    with pytest.raises(OutputError, match="no NaN or infinity"):
        write_json(tmp_path / "a.json", {"x": bad})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(3, 4), np.arange(12).reshape(3, 4).T, np.zeros((0, 5), np.float32), np.array(3.5)],
    ids=["rows", "columns", "empty", "scalar"],
)
def test_npy_and_npz_read_back_without_pickle(tmp_path: Path, array: np.ndarray) -> None:
    write_npy(tmp_path / "a.npy", array)
    write_npz(tmp_path / "a.npz", first=array)
    read = np.load(tmp_path / "a.npy", allow_pickle=False)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        again = archive["first"]
    for back in (read, again):
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_arrays_of_objects_are_never_written(tmp_path: Path) -> None:
    objects = np.array([{}, []], dtype=object)
    with pytest.raises(ValueError, match="Object arrays"):
        write_npy(tmp_path / "a.npy", objects)
    with pytest.raises(ValueError, match="pickle"):
        write_npz(tmp_path / "a.npz", x=objects)
    assert not list(tmp_path.iterdir())


def test_a_probe_creates_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    probe_writable(tmp_path / "new" / "run")
    assert list((tmp_path / "new" / "run").iterdir()) == []


def test_a_kill_while_writing_keeps_the_old_file_and_the_rest_is_cleared_by_name(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.npy", b"old")
    code = (
        "import os, sys, signal; from pathlib import Path; from coterie.files.atomic import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as t:\n"
        "    t.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.npy")], env=child_environment(), check=False)
    assert (tmp_path / "a.npy").read_bytes() == b"old"
    names = remove_leftovers(tmp_path)
    assert len(names) == 1
    assert names[0].startswith(".a.npy.")
    assert names_in(tmp_path) == ["a.npy"]


def write_half_and_fail(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
