"""Where results may be written: never over somebody's files, and never among the images themselves."""

import json
from pathlib import Path

from coterie.errors import OutputError


def default_run_folder(source: str) -> Path:
    """NAME-groups in the current folder, for a source called NAME; beside the images when that is inside them."""
    origin = Path(source).resolve()
    stem = origin.name if origin.is_dir() else origin.name.split(".")[0]
    out = Path(f"{stem or 'images'}-groups")
    return origin.parent / out if is_inside(out, source) else out


def folder_after_run(run: Path, method: str) -> Path:
    """RUN-METHOD in the current folder, for another grouping of the run's images; beside the run when that is in it."""
    origin = run.resolve()
    out = Path(f"{origin.name}-{method}")
    return origin.parent / out if is_inside(out, str(origin)) else out


def is_inside(out: Path, source: str) -> bool:
    """Whether ``out`` is the folder of images ``source`` or lies below it."""
    origin = Path(source).resolve()
    return origin.is_dir() and out.resolve().is_relative_to(origin)


def refuse_inside(out: Path, source: str) -> None:
    """OutputError when ``out`` would put files among the images, where the next run would find them."""
    if is_inside(out, source):
        raise OutputError(f"{out} lies inside {source}, whose images are only read; give --out another place")


def refuse_taken(out: Path, *, force: bool) -> None:
    """OutputError when ``out`` holds a finished run and nobody said to replace it, or anything that is not a run.

    What an interrupted run left behind needs no ``force``: the same command again should simply work.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out} is a file; give --out a folder")
    status = run_status(out)
    if status is None and any(not item.name.startswith(".") for item in out.iterdir()):
        raise OutputError(f"{out} is not empty and holds no run of coterie; give --out another folder")
    if status == "complete" and not force:
        raise OutputError(f"{out} is not empty; give another --out, or --force to replace the run in it")


def run_status(folder: Path) -> str | None:
    """The status in the run.json of ``folder``; None when it has none of ours."""
    try:
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(info, dict) and info.get("format") == "coterie run"
    return str(info.get("status")) if ours else None
