"""A list of images kept in a text or CSV file."""

# Paths stay plain strings in this file: a hundred thousand Path objects are slow to make and large to keep.
# ruff: noqa: PTH100, PTH118, PTH120

import os
from pathlib import Path

from coterie.errors import CoterieError, SourceError
from coterie.files.tables import read_csv, unescape_name
from coterie.images.find import Found, found_list
from coterie.images.formats import has_image_extension

COLUMNS = ("path", "file", "filename", "image")
# A manifest is read whole; this is ten times the length of a list of a million long paths.
LARGEST = 1_000_000_000


def found_in_manifest(path: str) -> Found:
    """The files named by a manifest, in its order; paths are relative to the manifest.

    Text: one path per line. CSV: the column path, file, filename or image (any case), otherwise the first. A name
    written with the escapes of ``assignments.csv`` is understood, so a run's table can be a source.

    Raises:
        SourceError: the file cannot be read or names nothing.
    """
    file = Path(path)
    try:
        if file.stat().st_size > LARGEST:
            raise SourceError(f"{path} is too large for a manifest ({file.stat().st_size:,} bytes)")
        written = _column(file) if file.suffix.lower() in {".csv", ".tsv"} else _lines(file)
    except (OSError, ValueError, CoterieError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"manifest {path} cannot be read: {error}") from error
    if not written:
        raise SourceError(f"manifest {path} names no file: expected one path per line, or a CSV with a column path")
    folder = os.path.dirname(os.path.abspath(path))
    paths = [_located(folder, name) for name in written]
    return found_list(paths, [_name(folder, found) for found in paths], "manifest", path)


def _lines(file: Path) -> list[str]:
    text = file.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    return [line for line in (line.rstrip("\r") for line in text.split("\n")) if line.strip()]


def _column(file: Path) -> list[str]:
    header, rows = read_csv(file)
    lower = [title.strip().lower() for title in header]
    column = next((lower.index(title) for title in COLUMNS if title in lower), None)
    if column is None:
        column = 0
        if header and has_image_extension(header[0]):  # no header: the first line is an image too
            rows = [header, *rows]
    return [row[column] for row in rows if len(row) > column and row[column].strip()]


def _located(folder: str, written: str) -> str:
    literal = os.path.join(folder, written)
    if "\\" not in written or _exists(literal):
        return literal
    try:
        plain = os.path.join(folder, unescape_name(written))
    except ValueError:
        return literal
    return plain if _exists(plain) else literal


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL in the name
        return False


def _name(folder: str, path: str) -> str:
    """The path below the manifest's folder; a file elsewhere keeps its absolute path."""
    normal = os.path.normpath(path)
    inside = normal.startswith(folder.rstrip(os.sep) + os.sep)
    return Path(os.path.relpath(normal, folder) if inside else normal).as_posix()
