"""CSV and Parquet, and names that read back exactly."""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.errors import MissingExtraError, SourceError
from coterie.files.tables import escape_name, read_csv, unescape_name, write_csv, write_parquet

any_text = st.text(st.characters(exclude_categories=(), exclude_characters="\0"))


@given(any_text)
def test_every_name_survives_escaping_and_is_plain_utf8_between(name: str) -> None:
    assert unescape_name(escape_name(name)) == name
    escape_name(name).encode("utf-8")


@given(st.binary())
def test_every_byte_string_survives_as_a_file_name(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    assert unescape_name(escape_name(name)).encode("utf-8", "surrogateescape") == data


@pytest.mark.parametrize(
    ("name", "text"),
    [("plain é.jpg", "plain é.jpg"), ("a\\b", r"a\\b"), ("\udcff.png", r"\xff.png"), (r"\xff", r"\\xff")],
)
def test_escapes_look_as_documented(name: str, text: str) -> None:
    assert escape_name(name) == text


def test_backslashes_that_start_no_escape_are_kept() -> None:
    assert unescape_name(r"photos\new\x1.jpg") == r"photos\new\x1.jpg"


@given(st.lists(st.tuples(any_text, st.integers()), max_size=5))
def test_every_table_reads_back_cell_by_cell(rows: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_csv(path, ["path", "label"], [(escape_name(name), label) for name, label in rows])
        header, cells = read_csv(path)
        with path.open(newline="", encoding="utf-8") as file:
            others = list(csv.reader(file))[1:]
    assert header == ["path", "label"]
    assert [(unescape_name(name), int(label)) for name, label in cells] == rows
    assert [row for row in others if row] == cells


def test_lines_end_in_one_newline_and_only_needy_cells_are_quoted(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["path", "n"], [("a b.jpg", 1), ('x,"y".jpg', 2)])
    assert (tmp_path / "t.csv").read_bytes() == b'path,n\na b.jpg,1\n"x,""y"".jpg",2\n'


def test_a_forgotten_surrogate_does_not_end_a_run(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["path"], [("\udcff",)])
    assert read_csv(tmp_path / "t.csv")[1] == [[r"\udcff"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_other_programs_are_read(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    text = end.join([f"path{delimiter}class", f"é.jpg{delimiter}cat", "", f"b.jpg{delimiter}dog", ""])
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert read_csv(tmp_path / "t.csv") == (["path", "class"], [["é.jpg", "cat"], ["b.jpg", "dog"]])


def test_a_comma_in_names_does_not_hide_the_real_delimiter(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path\tclass\na, b.jpg\tcat\nc.jpg\tdog\n")
    assert read_csv(tmp_path / "t.csv")[1] == [["a, b.jpg", "cat"], ["c.jpg", "dog"]]


def test_bytes_that_are_not_utf8_become_the_names_that_python_gives_such_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"path,class\n\xe9.jpg,cat\n")
    assert read_csv(tmp_path / "t.csv")[1] == [["\udce9.jpg", "cat"]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\x89PNG\0\0", "not text"),
        (b"a," + b"x" * 200_000, "cannot be read|table"),
    ],
)
def test_what_is_not_a_table_is_refused_in_one_sentence(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(SourceError, match=reason):
        read_csv(tmp_path / "t.csv")


def test_a_missing_table_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(SourceError, match="is a folder"):
        read_csv(tmp_path)


def test_parquet_reads_back(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(tmp_path / "t.parquet", {"path": ["a", "b"], "label": np.array([1, 2])})
    assert parquet.read_table(tmp_path / "t.parquet").to_pydict() == {"path": ["a", "b"], "label": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_parquet_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"coterie\[parquet\]"):
        write_parquet(tmp_path / "t.parquet", {"path": ["a"]})
