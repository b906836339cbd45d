"""Rows 17 and 18 of the fault table: file names of every kind survive the tables."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from coterie.files.atomic import write_json
from coterie.files.model_file import read_model, write_model
from coterie.files.run_folder import RunFolder
from coterie.files.tables import escape_name, match_classes, read_csv, unescape_name, write_csv

HARD_NAMES = {
    "comma": "a,b.png",
    "quote": 'say "hi".png',
    "newline": "two\nlines.png",
    "carriage return": "two\rlines.png",
    "markup": "<script>alert(1)</script>.png",
    "right to left": "\u202egnp.exe \u05d0\u05d1.png",
    "emoji": "🐈/😀.png",
    "tab and semicolon": "a\tb;c.png",
    "backslash": "a\\xff\\b.png",
    "not UTF-8": "caf\udce9.png",
    "blanks": "  a  .png ",
    "formula": "=1+1.png",
}


@pytest.mark.parametrize("name", HARD_NAMES.values(), ids=HARD_NAMES.keys())
def test_a_hard_name_comes_back_from_a_table_and_finds_its_class(tmp_path: Path, name: str) -> None:
    names = [name, "plain.png"]
    write_csv(tmp_path / "t.csv", ["path", "class"], [(escape_name(n), i) for i, n in enumerate(names)])
    assert [unescape_name(row[0]) for row in read_csv(tmp_path / "t.csv")[1]] == names
    assert match_classes(names, tmp_path / "t.csv").classes.tolist() == [0, 1]
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:  # any other reader of CSV agrees
        assert [unescape_name(row[0]) for row in list(csv.reader(file))[1:]] == names


def test_all_hard_names_together_come_back_from_a_run_folder(tmp_path: Path) -> None:
    names = list(HARD_NAMES.values())
    rows = [(escape_name(name), 0, "1.0000") for name in names]
    write_csv(tmp_path / "assignments.csv", ["path", "label", "confidence"], rows)
    write_csv(tmp_path / "skipped.csv", ["path", "reason"], [(escape_name(name), "empty") for name in names])
    images = {"n": len(names)}
    write_json(
        tmp_path / "run.json",
        {"format": "coterie run", "format_version": 1, "status": "complete", "images": images, "source": "caf\udce9"},
    )
    run = RunFolder.open(tmp_path)
    assert run.names == names
    assert [name for name, _ in run.skipped] == names
    assert run.info["source"] == "caf\udce9"


def test_hard_names_come_back_from_a_model(tmp_path: Path) -> None:
    write_model(tmp_path / "m", "gdl", {}, {"x": np.zeros(1)}, {"names": list(HARD_NAMES.values())})
    assert read_model(tmp_path / "m").extra["names"] == list(HARD_NAMES.values())


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are not free bytes there")
def test_a_real_file_whose_name_is_not_utf8_is_found_again_through_a_table(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.png"
    os.close(os.open(raw, os.O_CREAT))
    write_csv(tmp_path / "t.csv", ["path"], [(escape_name(path.name),) for path in tmp_path.glob("*.png")])
    (text,) = read_csv(tmp_path / "t.csv")[1][0]
    assert text == r"caf\xe9.png"
    assert os.fsencode(tmp_path / unescape_name(text)) == raw
    assert (tmp_path / unescape_name(text)).exists()
