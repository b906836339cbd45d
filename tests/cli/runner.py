"""Runs the commands: inside this process, where most cases are cheap, or in one of their own, as a person would."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import coterie

SOURCE = Path(coterie.__file__).parents[1]
KINDS = ("a", "b", "c")
EACH = 20


class Done(NamedTuple):
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that a failed command says."""
        (line,) = self.err.splitlines()
        assert line.startswith("coterie: "), line
        return line.removeprefix("coterie: ")


def run_here(*arguments: object) -> Done:
    """``coterie arguments...`` by its real ``main``, inside this process."""
    from coterie.cli.main import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    argv, sys.argv = sys.argv, ["coterie", *map(str, arguments)]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = argv
        os.environ.pop("COTERIE_DEBUG", None)
    return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]


def python_process(*arguments: object, **options: Any) -> "subprocess.Popen[bytes]":
    """A Python of its own that finds this coterie; ``environment`` is added to that of the tests."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)} | options.pop("environment", {})
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run_process(*arguments: object, **options: Any) -> Done:
    """``coterie arguments...`` in a process of its own, with nothing to read from."""
    options = {"stdin": subprocess.DEVNULL} | options
    process = python_process("-m", "coterie.cli.main", *arguments, **options)
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out.decode(), err.decode())


def make_photos(folder: Path, *, each: int = EACH, seed: int = 0) -> Path:
    """``folder``/a/a00.png ...: 12 x 12 grey images of three kinds that anybody can tell apart."""
    rng = np.random.default_rng(seed)
    for number, kind in enumerate(KINDS):
        (folder / kind).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 40, (12, 12))
            pixels[4 * number : 4 * number + 4] += 180
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{kind}{i:02d}.png")
    return folder


def spoil(folder: Path) -> list[str]:
    """Adds three files that cannot be read; their names, in order."""
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"not a picture at all")
    whole = next(folder.rglob("a00.png")).read_bytes()
    (folder / "torn.png").write_bytes(whole[: len(whole) // 2])
    return ["empty.png", "text.jpg", "torn.png"]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of everything under ``folder``."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def rows(path: Path) -> list[list[str]]:
    """Every line of a CSV file, the header first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def info(run: Path) -> dict[str, Any]:
    """run.json of a run folder."""
    content: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return content


def kinds_by_group(table: Path) -> dict[str, set[str]]:
    """The kinds of image (first letter of the file name) in each group of an assignments.csv."""
    groups: dict[str, set[str]] = {}
    for name, label, _ in rows(table)[1:]:
        groups.setdefault(label, set()).add(Path(name).name[0])
    return groups
