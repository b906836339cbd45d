"""Everything about tables in one place to import from: CSV, Parquet, escaped names and files of known classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coterie.errors import MissingExtraError
from coterie.files.atomic import atomic_write
from coterie.files.classes_file import ClassesMatch, match_classes
from coterie.files.csv_files import read_csv, write_csv
from coterie.files.escape import escape_name, unescape_name

__all__ = [
    "ClassesMatch",
    "escape_name",
    "match_classes",
    "read_csv",
    "unescape_name",
    "write_csv",
    "write_parquet",
]


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Writes the named ``columns`` (all of one length; lists or 1-D arrays) as Parquet, completely or not at all.

    Pass file names through ``escape_name`` first: Parquet holds UTF-8 only. Raises MissingExtraError without pyarrow.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "writing Parquet needs pyarrow, which is not installed; run: pip install 'coterie[parquet]'."
        ) from error
    table = pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()})
    with atomic_write(path) as temporary:
        parquet.write_table(table, temporary)
