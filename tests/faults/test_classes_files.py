"""Rows 50 and 51 of the fault table: files of known classes that do not fit, and scores that have no meaning."""

from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ClassesError
from coterie.files.tables import match_classes
from coterie.metrics import bcubed, legacy_batch_scores, score_all, score_notes

NAMES = ["1.png", "2.png", "3.png"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("between", [b",", b";", b"\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("header", [[], [b"Filename", b"Category"]], ids=["no header", "other names"])
def test_classes_from_any_program_are_read(
    tmp_path: Path, start: bytes, end: bytes, between: bytes, header: list[bytes]
) -> None:
    rows = [[b"1.png", b"cat"], [b"2.png", b"dog"], [b"3.png", b"cat"]]
    lines = [between.join(row) + end for row in ([header] if header else []) + rows]
    (tmp_path / "c.csv").write_bytes(start + b"".join(lines))
    assert match_classes(NAMES, tmp_path / "c.csv").classes.tolist() == [0, 1, 0]


def test_missing_extra_and_repeated_rows_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("path,class\n1.png,cat\n1.png,cat\n9.png,dog\n")
    match = match_classes(NAMES, tmp_path / "c.csv")
    assert match.classes.tolist() == [0, -1, -1]
    assert (match.n_matched, match.n_missing, match.n_extra, match.n_duplicates) == (1, 2, 1, 1)


def test_a_file_about_other_images_is_refused_with_two_names_of_each_side(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("path,class\nx.jpg,cat\ny.jpg,dog\n")
    with pytest.raises(ClassesError, match=r"'1\.png' and '2\.png'.*'x\.jpg' and 'y\.jpg'") as caught:
        match_classes(NAMES, tmp_path / "c.csv")
    assert caught.value.exit_code == 2


def test_two_classes_for_one_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("path,class\n1.png,cat\n1.png,dog\n")
    with pytest.raises(ClassesError, match="two classes"):
        match_classes(NAMES, tmp_path / "c.csv")


def test_an_image_or_a_missing_file_offered_as_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(ClassesError, match="not text"):
        match_classes(NAMES, tmp_path / "photo.png")
    with pytest.raises(ClassesError, match="No such file"):
        match_classes(NAMES, tmp_path / "none.csv")


ONE_CLASS = np.zeros(6, dtype=int)
OWN_CLASS = np.arange(6)
TWO = np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("classes", [ONE_CLASS, OWN_CLASS, TWO], ids=["one class", "a class per image", "two classes"])
@pytest.mark.parametrize("labels", [ONE_CLASS, OWN_CLASS, TWO], ids=["one cluster", "a cluster per image", "two"])
def test_scores_of_trivial_groupings_are_finite_and_carry_a_note(classes: np.ndarray, labels: np.ndarray) -> None:
    scores = {**score_all(classes, labels), **legacy_batch_scores(classes, labels, batch_size=2)}
    assert np.isfinite(list(scores.values())).all()
    assert np.isfinite(bcubed(classes, labels)).all()
    trivial = classes is not TWO or labels is not TWO
    assert bool(score_notes(classes, labels)) == trivial


def test_one_class_against_several_clusters_scores_zero_where_nothing_can_be_known() -> None:
    scores = score_all(ONE_CLASS, TWO)
    assert (scores["nmi_geometric"], scores["nmi_arithmetic"], scores["ari"]) == (0.0, 0.0, 0.0)
    assert scores["purity"] == 1.0
    assert scores["accuracy"] == 0.5


def test_one_image_scores_one() -> None:
    assert set(score_all([0], [5]).values()) == {1.0}
    assert score_notes([0], [5]) == ["There is one image only: every score is 1 or without meaning."]
