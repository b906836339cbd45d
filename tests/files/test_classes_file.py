"""Known classes matched to images."""

from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ClassesError
from coterie.files.tables import escape_name, match_classes, write_csv

NAMES = ["a/1.jpg", "a/2.jpg", "b/3.jpg"]


def write(folder: Path, text: str) -> Path:
    path = folder / "classes.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["path,class", "File,Label", "FILENAME , category", "name,TARGET", "image,class"])
def test_usual_column_names_are_understood_in_any_case(tmp_path: Path, header: str) -> None:
    match = match_classes(NAMES, write(tmp_path, f"{header}\na/1.jpg,cat\na/2.jpg,dog\nb/3.jpg,cat\n"))
    assert match.classes.tolist() == [0, 1, 0]
    assert match.classes.dtype == np.int64
    assert match.class_names == ["cat", "dog"]
    assert (match.n_matched, match.n_missing, match.n_extra, match.n_duplicates) == (3, 0, 0, 0)


def test_columns_are_found_by_name_wherever_they_stand(tmp_path: Path) -> None:
    match = match_classes(NAMES, write(tmp_path, "id,class,size,path\n7,cat,10,a/1.jpg\n8,dog,10,b/3.jpg\n"))
    assert match.classes.tolist() == [0, -1, 1]


def test_a_class_column_in_front_of_an_unnamed_name_column_is_understood(tmp_path: Path) -> None:
    assert match_classes(NAMES, write(tmp_path, "class,photo\ncat,a/1.jpg\n")).n_matched == 1


def test_unknown_titles_stand_for_the_first_two_columns(tmp_path: Path) -> None:
    match = match_classes(NAMES, write(tmp_path, "photo,species\na/1.jpg,cat\nb/3.jpg,dog\n"))
    assert match.class_names == ["cat", "dog"]
    assert match.n_extra == 0


def test_a_file_without_titles_keeps_its_first_row(tmp_path: Path) -> None:
    assert match_classes(NAMES, write(tmp_path, "a/1.jpg,cat\na/2.jpg,dog\n")).classes.tolist() == [0, 1, -1]


def test_counts_tell_missing_extra_and_repeated_rows(tmp_path: Path) -> None:
    text = "path,class\na/1.jpg,cat\n./a/1.jpg,cat\nz/9.jpg,cow\nb/3.jpg,\n"
    match = match_classes(NAMES, write(tmp_path, text))
    assert (match.n_matched, match.n_missing, match.n_extra, match.n_duplicates) == (1, 2, 1, 1)
    assert match.class_names == ["cat"]


def test_numbered_classes_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    match = match_classes(NAMES, write(tmp_path, "path,class\na/1.jpg,10\na/2.jpg,9\nb/3.jpg,x\n"))
    assert match.class_names == ["9", "10", "x"]


def test_the_last_part_of_a_path_decides_where_it_is_unique(tmp_path: Path) -> None:
    match = match_classes(NAMES, write(tmp_path, "/data/photos/1.jpg,cat\nC:\\photos\\3.jpg,dog\n"))
    assert match.classes.tolist() == [0, -1, 1]


def test_a_last_part_that_two_images_or_two_rows_share_decides_nothing(tmp_path: Path) -> None:
    names = ["a/1.jpg", "b/1.jpg", "c/2.jpg", "c/3.jpg"]
    match = match_classes(names, write(tmp_path, "x/1.jpg,cat\nx/2.jpg,dog\ny/2.jpg,cat\nx/3.jpg,cow\n"))
    assert match.classes.tolist() == [-1, -1, -1, 0]


def test_a_full_path_goes_before_a_last_part(tmp_path: Path) -> None:
    match = match_classes(["1.jpg", "2.jpg"], write(tmp_path, "path,class\nother/1.jpg,dog\n1.jpg,cat\n2.jpg,dog\n"))
    assert [match.class_names[c] for c in match.classes] == ["cat", "dog"]
    assert match.n_extra == 1


def test_accents_match_whether_written_as_one_character_or_two(tmp_path: Path) -> None:
    assert match_classes(["e\u0301.jpg", "x.jpg"], write(tmp_path, "path,class\n\u00e9.jpg,cat\n")).n_matched == 1


def test_names_with_odd_bytes_match_escaped_or_raw(tmp_path: Path) -> None:
    names = ["\udcff.jpg", "a\\b.jpg"]
    write_csv(tmp_path / "ours.csv", ["path", "class"], [(escape_name(name), "cat") for name in names])
    assert match_classes(names, tmp_path / "ours.csv").n_matched == 2
    (tmp_path / "raw.csv").write_bytes(b"path,class\n\xff.jpg,cat\na\\b.jpg,cat\n")
    assert match_classes(names, tmp_path / "raw.csv").n_matched == 2


def test_contradictory_rows_are_refused_with_both_classes(tmp_path: Path) -> None:
    with pytest.raises(ClassesError, match=r"'a/1.jpg' two classes, 'cat' and 'dog'"):
        match_classes(NAMES, write(tmp_path, "path,class\na/1.jpg,cat\n./a/1.jpg,dog\n"))


def test_no_match_shows_two_names_of_each_side(tmp_path: Path) -> None:
    with pytest.raises(ClassesError) as caught:
        match_classes(NAMES, write(tmp_path, "path,class\nx.png,cat\ny.png,dog\nz.png,cow\n"))
    text = str(caught.value)
    assert all(name in text for name in ("'a/1.jpg'", "'a/2.jpg'", "'x.png'", "'y.png'"))
    assert "'z.png'" not in text


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("a/1.jpg\n", "one column")])
def test_files_that_cannot_hold_classes_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ClassesError, match=reason):
        match_classes(NAMES, write(tmp_path, text))
    with pytest.raises(ClassesError, match="No such file"):
        match_classes(NAMES, tmp_path / "none.csv")
