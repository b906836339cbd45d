"""CSV in one dialect when we write it, and in those that people have when we read it."""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from coterie.errors import SourceError
from coterie.files.atomic import atomic_write

_DELIMITERS = (",", "\t", ";")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LOOK_AHEAD = 50  # records that decide the delimiter


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a table as RFC 4180 says, in UTF-8 with "\\n" line ends, completely or not at all.

    Cells are written by ``str``; pass file names through ``escape_name`` first. Raises OutputError if the disk is full.
    """
    # newline="" keeps a "\r" inside a name; backslashreplace so that no forgotten surrogate ends a run.
    with (
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.write(_line(header))
        file.writelines(map(_line, rows))


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """First record and all further records of a table, as text cells; blank lines are left out.

    Accepts a byte order mark (UTF-8 or UTF-16), any line ends, and ``,`` ``;`` or tab between cells. Bytes that are not
    UTF-8 become lone surrogates, as in Python's own file names. Raises SourceError when the file is missing, empty or
    not text.
    """
    text = _decode(path)
    delimiter = _find_delimiter(text)
    try:
        records = [row for row in _reader(text, delimiter) if any(row)]
    except csv.Error as error:
        raise SourceError(f"{path} is not a table that can be read ({error}); save it as CSV again.") from error
    if not records:
        raise SourceError(f"{path} is empty; expected a table with one row per image.")
    return records[0], records[1:]


def _line(cells: Sequence[object]) -> str:
    # The csv module of Python 3.11 leaves a "\r" unquoted, and readers would take it for a line end.
    line = ",".join(map(_cell, cells))
    return (line or '""') + "\n"  # a row of one empty cell must not look like a blank line


def _cell(value: object) -> str:
    text = str(value)
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except IsADirectoryError as error:
        raise SourceError(f"{path} is a folder; expected a CSV file.") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; expected a CSV file.") from error
    try:
        text = data.decode("utf-16") if data.startswith(_UTF16) else data.decode("utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not text ({error.reason}); expected a CSV file in UTF-8.") from error
    if "\0" in text:
        raise SourceError(f"{path} is not text (it holds zero bytes); expected a CSV file in UTF-8.")
    return text


def _reader(text: str, delimiter: str) -> Iterable[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _find_delimiter(text: str) -> str:
    """The first delimiter that gives every record the same number of cells, and more than one; else the commonest."""
    for delimiter in _DELIMITERS:
        try:
            widths = {
                len(row) for row, _ in zip(_reader(text, delimiter), range(_LOOK_AHEAD), strict=False) if any(row)
            }
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    first_line = text.lstrip().partition("\n")[0]
    return max(_DELIMITERS, key=first_line.count)
