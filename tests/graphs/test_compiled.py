"""Where compiled kernels are kept, and what happens where nothing can be written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coterie.graphs import compiled as room

SOURCE = Path(room.__file__).parents[2]


def import_a_kernel(**environment: str) -> subprocess.CompletedProcess[str]:
    names = ("NUMBA_CACHE_DIR", "COTERIE_CACHE", "COTERIE_NO_CACHE", "XDG_CACHE_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    code = "from coterie.graphs.heap import heapify; import numba; print(numba.config.CACHE_DIR or 'untouched')"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | {"PYTHONPATH": str(SOURCE)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("variable", ["COTERIE_CACHE", "XDG_CACHE_HOME"])
def test_compiled_code_is_kept_in_the_folder_that_was_named(variable: str, tmp_path: Path) -> None:
    done = import_a_kernel(**{variable: str(tmp_path)})
    root = tmp_path if variable == "COTERIE_CACHE" else tmp_path / "coterie"
    assert [folder.name.startswith("compiled-") for folder in root.iterdir()] == [True]
    assert done.stdout.strip() == "untouched"
    assert done.stderr == ""


def test_a_folder_that_cannot_be_written_costs_one_warning_and_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    done = import_a_kernel(COTERIE_CACHE=str(blocked))
    assert done.stderr.count("SlowPathWarning") == 1
    assert "set COTERIE_CACHE to a folder of yours" in done.stderr


def test_compiling_without_keeping_can_be_asked_for(tmp_path: Path) -> None:
    done = import_a_kernel(COTERIE_NO_CACHE="1", COTERIE_CACHE=str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert done.stderr == ""


def test_a_change_in_any_kernel_gives_the_compiled_code_another_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("@compiled\nx = 1\n")
    (tmp_path / "three.py").write_text("x = 1\n")
    monkeypatch.setattr(room, "__file__", str(tmp_path / "one.py"))
    before = room._source_digest()
    (tmp_path / "three.py").write_text("x = 2  # no kernel: nothing has to be compiled again\n")
    assert room._source_digest() == before
    (tmp_path / "two.py").write_text("@compiled\nx = 2\n")
    assert room._source_digest() != before


def test_a_kernel_uses_functions_and_constants_of_kernel_modules_only() -> None:
    folder = Path(room.__file__).parent
    with_kernels = {path.stem for path in folder.glob("*.py") if "@compiled" in path.read_text(encoding="utf-8")}
    types_only = {"affinity", "compiled"}
    for name in with_kernels:
        found = re.findall(r"^from coterie\.graphs\.(\w+) import", (folder / f"{name}.py").read_text("utf-8"), re.M)
        assert set(found) <= with_kernels | types_only, name
