"""Known classes from a CSV file, matched to the images of a run."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from coterie.errors import ClassesError, SourceError
from coterie.files.csv_files import read_csv
from coterie.files.escape import unescape_name
from coterie.files.natural import natural

NAME_COLUMNS = ("path", "file", "filename", "name", "image")
CLASS_COLUMNS = ("class", "label", "category", "target")


@dataclass(frozen=True)
class ClassesMatch:
    """What a file of classes says about ``n`` images.

    ``classes`` (n,) int64 holds indices into ``class_names``, -1 where the file says nothing. ``n_matched`` +
    ``n_missing`` is n; ``n_extra`` counts names in the file without an image, ``n_duplicates`` repeated rows.
    """

    classes: np.ndarray
    class_names: list[str]
    n_matched: int
    n_missing: int
    n_extra: int
    n_duplicates: int


def match_classes(names: Sequence[str], classes_csv: Path) -> ClassesMatch:
    """The class of each image in ``names``, read from ``classes_csv``.

    Columns: one of ``path file filename name image`` and one of ``class label category target`` (any case), else the
    first two columns, with or without a header. Names match by relative path, then by their last part where that is
    unique on both sides; escapes of ``escape_name`` are understood, and a row without a class counts as absent.
    Raises ClassesError when the file cannot be read, says two things of one image, or matches no image.
    """
    rows = _read_rows(names, classes_csv)
    known, n_duplicates = _unique(rows, classes_csv)
    found = _match(names, known)
    if not found:
        raise ClassesError(_no_match(names, list(known), classes_csv))
    class_names = sorted({known[key] for key in found.values()}, key=natural)
    number = {name: i for i, name in enumerate(class_names)}
    classes = np.full(len(names), -1, dtype=np.int64)
    for image, key in found.items():
        classes[image] = number[known[key]]
    n_extra = len(known) - len(set(found.values()))
    return ClassesMatch(classes, class_names, len(found), len(names) - len(found), n_extra, n_duplicates)


def _read_rows(names: Sequence[str], path: Path) -> list[tuple[str, str]]:
    """(name, class) of every row with a class, as written in the file."""
    try:
        header, rows = read_csv(path)
    except SourceError as error:
        raise ClassesError(str(error)) from error
    if len(header) < 2:
        raise ClassesError(f"{path} has one column; expected two, such as path,class.")
    columns = [cell.strip().lower() for cell in header]
    name_at = next((columns.index(c) for c in NAME_COLUMNS if c in columns), None)
    class_at = next((columns.index(c) for c in CLASS_COLUMNS if c in columns), None)
    if name_at is None and class_at is None and _is_data(header[0], names):
        rows = [header, *rows]
    if name_at is None:
        name_at = 1 if class_at == 0 else 0
    if class_at is None:
        class_at = 1 if name_at == 0 else 0
    width = max(name_at, class_at) + 1
    return [(row[name_at], row[class_at].strip()) for row in rows if len(row) >= width and row[class_at].strip()]


def _is_data(cell: str, names: Sequence[str]) -> bool:
    """Whether the first cell of a table is an image rather than the title of a column."""
    suffixes = {PurePosixPath(name).suffix.lower() for name in names} - {""}
    return _last(cell) in set(map(_last, names)) or PurePosixPath(cell.strip()).suffix.lower() in suffixes


def _unique(rows: list[tuple[str, str]], path: Path) -> tuple[dict[str, str], int]:
    known: dict[str, str] = {}
    for written, label in rows:
        name = _clean(unescape_name(written))
        if known.setdefault(name, label) != label:
            raise ClassesError(
                f"{path} gives {name!r} two classes, {known[name]!r} and {label!r}; keep one row for each image."
            )
    return known, len(rows) - len(known)


def _match(names: Sequence[str], known: dict[str, str]) -> dict[int, str]:
    """Image number -> name in the file, taking the strictest spelling that fits."""
    found = {i: name for i, name in enumerate(map(_clean, names)) if name in known}
    for spelling in (_portable, _last):
        images, rows = defaultdict(list), defaultdict(list)
        for i, name in enumerate(names):
            images[spelling(name)].append(i)
        for name in known.keys() - set(found.values()):
            rows[spelling(name)].append(name)
        # A spelling that two images or two rows share decides nothing.
        for key, same in images.items():
            if len(same) == 1 and same[0] not in found and len(rows[key]) == 1:
                found[same[0]] = rows[key][0]
    return found


def _clean(name: str) -> str:
    return name.removeprefix("./")


def _portable(name: str) -> str:
    # macOS stores "é" as two characters, a spreadsheet writes one; Windows paths come with backslashes.
    return unicodedata.normalize("NFC", _clean(name.strip().replace("\\", "/")))


def _last(name: str) -> str:
    return _portable(name).rpartition("/")[2]


def _no_match(names: Sequence[str], known: list[str], path: Path) -> str:
    ours = " and ".join(repr(name) for name in names[:2]) or "none"
    theirs = " and ".join(repr(name) for name in known[:2]) or "no row with a class"
    return (
        f"no image matches {path}: the images are named like {ours}, the file says {theirs}; "
        "write the paths relative to the image folder."
    )
