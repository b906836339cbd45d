"""Where the original of an image lies, as seen from the page.

The address is relative, so that a run and its photos can move together.
"""

import os
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from coterie.files.run_folder import RunFolder
from coterie.images.of_a_run import places_of

IN_ARCHIVE = "The originals are inside {source}; a page cannot open them there."
UNKNOWN = "Where the originals lie is not known to this page: the source {source} was not found when it was written."


def originals(run: RunFolder) -> dict[str, Any]:
    """``base``, the address that a name is appended to, relative to the page, or None; ``prefix``, what to put before a
    name to get the path as the person wrote it; ``note``, the sentence to show where ``base`` is None."""
    source = str(run.info.get("source", ""))
    places = places_of(run)
    for path in places:
        root = _root(path, run.names)
        if root is not None:
            return {"base": _address(root, run.path), "prefix": _prefix(source, whole=root == path), "note": ""}
    sentence = IN_ARCHIVE if any(path.is_file() for path in places) else UNKNOWN
    return {"base": None, "prefix": "", "note": sentence.format(source=source or "of this run")}


def _root(source: Path, names: list[str]) -> Path | None:
    """The folder that the names start from: the source itself, or the folder of a manifest or of a single file."""
    try:
        candidates = [source] if source.is_dir() else [source.parent] if source.is_file() else []
        for folder in candidates:
            if any((folder / name).is_file() for name in islice(names, 20)):
                return folder
    except (OSError, ValueError):  # a name that no path can hold
        return None
    return None


def _address(root: Path, page_folder: Path) -> str:
    try:
        relative = os.path.relpath(root.resolve(), page_folder.resolve())
    except ValueError:  # another drive of a Windows machine
        return root.resolve().as_uri() + "/"
    return quote_from_bytes(os.fsencode(Path(relative).as_posix())) + "/"


def _prefix(source: str, *, whole: bool) -> str:
    """What stands before a name: the source, or its folder when the names do not start from the ``whole`` of it."""
    if whole:
        return source if source.endswith(("/", os.sep)) else source + "/"
    folder = Path(source).parent.as_posix()
    return "" if folder == "." else f"{folder}/"
