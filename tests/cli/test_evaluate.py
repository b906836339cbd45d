"""`coterie evaluate`: scores against known classes, as a table or as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, rows

Command = Callable[..., Done]
SCORES = {"accuracy", "nmi_geometric", "nmi_arithmetic", "ari", "purity", "bcubed_precision", "bcubed_recall"}


def write_classes(run: Path, *, wrong: int = 0, first: int = 60) -> None:
    """classes.csv for the ``first`` images, the kinds of ``wrong`` of them swapped."""
    names = [line[0] for line in rows(run / "assignments.csv")[1:]]
    kinds = [name[0] if i >= wrong else "c" for i, name in enumerate(names)]
    lines = [f"{name},{kind}" for name, kind in zip(names, kinds, strict=True)][:first]
    Path("classes.csv").write_text("\n".join(["file,label", *lines]))


def test_a_table_has_a_line_for_every_score(coterie: Command, run: Path) -> None:
    write_classes(run, wrong=6)
    done = coterie("evaluate", run, "--classes", "classes.csv")
    assert (done.code, done.err) == (0, "")
    table = dict(line.split() for line in done.out.splitlines())
    assert table.keys() > SCORES
    assert table["accuracy"] == "0.9000"
    assert (table["matched"], table["without_class"], table["unused_rows"]) == ("60", "0", "0")
    assert len({line.index(line.split()[1]) for line in done.out.splitlines()}) == 1, "one column of values"


def test_json_holds_the_same_scores(coterie: Command, run: Path) -> None:
    write_classes(run, wrong=6)
    scores = json.loads(coterie("evaluate", run, "--classes", "classes.csv", "--json").out)
    assert scores.keys() > SCORES
    assert scores["accuracy"] == pytest.approx(0.9)
    assert scores["matched"] == 60


def test_the_folders_of_the_images_may_be_the_classes(coterie: Command, run: Path) -> None:
    assert json.loads(coterie("evaluate", run, "--classes", "folders", "--json").out)["ari"] == 1


def test_folders_are_no_classes_when_there_is_one(coterie: Command, photos: Path) -> None:
    assert coterie("cluster", photos / "a", "-k", "2", "--map", "pca", "--out", "flat").code == 0
    done = coterie("evaluate", "flat", "--classes", "folders")
    assert (done.code, done.error) == (
        2, "--classes folders needs images in at least two folders; all of them lie in one",
    )  # fmt: skip


def test_classes_of_some_images_are_scored_alone_and_that_is_said(coterie: Command, run: Path) -> None:
    write_classes(run, first=45)
    done = coterie("evaluate", run, "--classes", "classes.csv", "--json")
    assert json.loads(done.out)["without_class"] == 15
    assert done.err == "note: classes.csv has a class for 45 of the 60 images; the scores are of those alone\n"


@pytest.mark.parametrize(
    ("line", "words"), [("{name},same", "one class"), ("{name},{name}", "a class of its own")], ids=["one", "all"]
)
def test_classes_that_tell_nothing_are_scored_with_a_note(coterie: Command, run: Path, line: str, words: str) -> None:
    lines = [line.format(name=row[0]) for row in rows(run / "assignments.csv")[1:]]
    Path("classes.csv").write_text("\n".join(["path,class", *lines]))
    done = coterie("evaluate", run, "--classes", "classes.csv", "--json")
    assert done.code == 0
    assert done.err == f"note: classes.csv puts every image into {words}, so the scores say little\n"
    assert json.loads(done.out).keys() > SCORES


def test_classes_of_other_images_are_refused_with_names_from_both_sides(coterie: Command, run: Path) -> None:
    Path("classes.csv").write_text("path,class\nx/1.png,x\nx/2.png,x\n")
    done = coterie("evaluate", run, "--classes", "classes.csv")
    assert done.code == 2
    assert "'a/a00.png' and 'a/a01.png'" in done.error
    assert "'x/1.png' and 'x/2.png'" in done.error


def test_a_missing_file_of_classes_or_run_is_one_sentence(coterie: Command, run: Path, photos: Path) -> None:
    done = coterie("evaluate", run, "--classes", "nowhere.csv")
    assert done.code == 2
    assert done.error == "--classes nowhere.csv is not a file; give a CSV with the columns path and class, or folders"
    done = coterie("evaluate", photos, "--classes", "folders")
    assert (done.code, done.error) == (2, f"{photos} is not a run of coterie: it has no run.json.")
