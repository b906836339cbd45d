"""Faults of requests, through the commands: rows 21-23, 25, 27-29, 34, 41, 44 and 50 of the fault table."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, info, python_process, rows, snapshot

Command = Callable[..., Done]
QUICK = ("-k", "3", "--map", "pca")

# Each is refused with exit code 2 and a line that starts so, before any image is read or any folder made.
REFUSED = {
    ("-k", "0"): "-k '0' is not a number of clusters; give auto or a whole number of at least 1",
    ("-k", "-3"): "-k '-3' is not a number of clusters; give auto or a whole number of at least 1",
    ("-k", "ten"): "-k 'ten' is not a number of clusters; give auto or a whole number of at least 1",
    ("-k", "nan"): "-k 'nan' is not a number of clusters; give auto or a whole number of at least 1",
    ("-k", "2.5"): "-k '2.5' is not a number of clusters; give auto or a whole number of at least 1",
    ("--method", "kmeans"): "-k auto is not possible with --method kmeans; give a whole number of at least 1",
    ("--method", "magic"): "--method 'magic' is not known; expected one of gdl, kmeans",
    ("--scale", "tiny"): "scale is 'tiny'; expected one of local, global",
    ("--search", "magic"): "search is 'magic'; expected one of auto, exact, faiss, ivf, hnsw, nndescent",
    ("--neighbors", "0"): "--neighbors '0' is not a number of neighbours; give auto or a whole number of at least 1",
    ("--neighbors", "few"): "--neighbors 'few' is not a number of neighbours; give auto or a whole number of at least",
    ("--stop", "early"): "stop is 'early'; expected one of sized, plain",
    ("--min-cluster-size", "0"): (
        "--min-cluster-size '0' is not a number of images; give auto or a whole number of at least 1"
    ),
    ("--refine", "-1"): "refine is -1; expected a whole number of at least 0",
    ("--features", "magic"): (
        "--features 'magic' is not known; expected auto, pixels, unit-pixels, efficientnet-lite0, hog, lbp, sift, or "
        "the path of a .npy file or a run"
    ),
    ("--features", "nowhere.npy"): (
        "nowhere.npy cannot be read as embeddings: No such file or directory; give the path of a .npy file"
    ),
    ("--map", "magic"): "--map 'magic' is not a map; expected auto, pca or umap",
    ("--device", "abacus"): "device='abacus' is not a device; expected auto, cpu, cuda, cuda:N or mps",
    ("--classes", "nowhere.csv"): (
        "--classes nowhere.csv is not a file; give a CSV with the columns path and class, or folders"
    ),
    ("--size", "tiny"): "--size 'tiny' is not a size; give auto, one side such as 64, or HEIGHTxWIDTH such as 48x64",
    ("--size", "0"): "size=0 is not a size: give one side or (height, width), each 1 to 8192",
    ("--size", "10x9000"): "size=(10, 9000) is not a size: give one side or (height, width), each 1 to 8192",
    ("--fit", "squeeze"): "fit='squeeze' is unknown: choose crop, pad or stretch",
    ("--background", "plaid"): "background='plaid' is not a colour: give a name such as white, or #rrggbb",
    ("--max-bad", "2"): "max_bad=2.0 is not a share: give a number from 0 to 1",
    ("--max-bad", "nan"): "max_bad=nan is not a share: give a number from 0 to 1",
    ("--max-pixels", "0"): "max_pixels=0 is not a limit: give a whole number of at least 1",
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.items(), ids=" ".join)
def test_a_value_outside_its_range_is_named_with_what_is_allowed(
    coterie: Command, photos: Path, arguments: tuple[str, str], sentence: str
) -> None:
    done = coterie("cluster", photos, *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(sentence)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("arguments", [("--seed", "-1"), ("--seed", "4294967296"), ("--max-pixels", "many")])
def test_a_number_that_is_none_is_wrong_usage(coterie: Command, photos: Path, arguments: tuple[str, str]) -> None:
    done = coterie("cluster", photos, *arguments)
    assert (done.code, done.out) == (2, "")
    assert f"Invalid value for '{arguments[0]}'" in done.err
    assert list(Path().iterdir()) == []


def test_more_groups_than_images_are_refused_before_any_features_are_computed(
    coterie: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*args: object, **kwargs: object) -> None:
        raise AssertionError("features were computed")

    monkeypatch.setattr("coterie.clusterer.make_extractor", computed)
    for method in ("gdl", "kmeans"):
        done = coterie("cluster", photos, "-k", "61", "--method", method)
        assert done.code == 2
        assert done.error == "-k 61 is more than the 60 images that were read; ask for at most that many"
    assert list(Path().iterdir()) == []


def test_one_group_is_made_with_a_note(coterie: Command, photos: Path) -> None:
    for method in ("gdl", "kmeans"):
        done = coterie("cluster", photos, "-k", "1", "--method", method, "--out", method, "--map", "pca")
        assert done.code == 0
        assert "found 1 group by" in done.out
        assert done.err.startswith("note: -k 1 puts every image into one group\n")
        assert info(Path(method))["clusters"] == {"n": 1, "sizes": [60]}


def test_fewer_groups_than_asked_for_are_said_and_counted(coterie: Command, photos: Path) -> None:
    Path("same").mkdir()
    for number in range(10):
        for kind in "ab":
            shutil.copy(photos / f"{kind}/{kind}00.png", f"same/{kind}{number}.png")
    done = coterie("cluster", "same", "-k", "5", "--method", "kmeans", "--map", "pca", "--strict")
    assert done.code == 3
    assert "found 2 groups by kmeans" in done.out
    assert "note: only 2 of the 5 clusters have an image" in done.err
    about = info(Path("same-groups"))
    assert about["clusters"] == {"n": 2, "sizes": [10, 10]}
    assert {"ClusterCountWarning", "DuplicateImagesWarning"} == {entry["kind"] for entry in about["warnings"]}
    assert {line[1] for line in rows(Path("same-groups/assignments.csv"))[1:]} == {"0", "1"}


def test_a_folder_without_images_is_named_with_what_was_looked_for(coterie: Command, run: Path) -> None:
    Path("bare").mkdir()
    for number in range(2):
        for command in (("cluster", "bare"), ("check", "bare"), ("predict", run, "bare")):
            done = coterie(*command)
            assert (done.code, done.out) == (2, "")
            others = f"{number} other file" + ("" if number == 1 else "s")
            assert done.error == (
                f"found 0 images under bare (looked for .jpg .png .gif .webp .bmp .tif ...; {others})"
            )
        Path("bare/notes.txt").write_text("no image")
    assert [path.name for path in Path().iterdir()] == ["bare"]


def test_one_image_is_too_few_to_group(coterie: Command, photos: Path) -> None:
    Path("one").mkdir()
    shutil.copy(photos / "a/a00.png", "one")
    done = coterie("cluster", "one")
    assert (done.code, done.error) == (2, "read 1 of 1 images under one, and at least 2 are needed")
    Path("one/bad.png").write_bytes(b"")
    done = coterie("cluster", "one")
    assert done.error == "read 1 of 2 images under one, and at least 2 are needed (bad.png: empty)"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_are_treated_as_the_documentation_says(coterie: Command, own_run: Path) -> None:
    Path("photos/loop").symlink_to(".")
    Path("photos/gone.png").symlink_to("nowhere.png")
    Path("photos/file.png").symlink_to("a/a00.png")
    Path("more").mkdir()
    shutil.copy("photos/a/a01.png", "more/m.png")
    Path("photos/more").symlink_to("../more")
    assert coterie("cluster", "photos", "--out", "plain", *QUICK).code == 0
    assert rows(Path("plain/skipped.csv"))[1:] == [
        ["gone.png", "dangling link"],
        ["loop", "link to a folder, not followed"],
        ["more", "link to a folder, not followed"],
    ]
    assert coterie("cluster", "photos", "--out", "followed", "--follow-links", *QUICK).code == 0
    assert rows(Path("followed/skipped.csv"))[1:] == [["gone.png", "dangling link"], ["loop", "link loop"]]
    counts = [info(Path(out))["images"]["n"] for out in ("plain", "followed")]
    assert counts == [61, 62]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_what_may_not_be_read_is_skipped_or_named(coterie: Command, own_run: Path) -> None:
    Path("photos/a/a00.png").chmod(0)
    done = coterie("cluster", "photos", "--out", "again", *QUICK)
    assert done.code == 0
    assert rows(Path("again/skipped.csv"))[1:] == [["a/a00.png", "no permission"]]
    Path("photos/b").chmod(0)
    done = coterie("cluster", "photos", "--out", "stopped", *QUICK)
    Path("photos/b").chmod(0o700)
    assert done.code == 2
    assert "photos/b" in done.error


def test_a_folder_that_changed_is_decoded_again_and_the_changes_are_counted(coterie: Command, own_run: Path) -> None:
    command = ("cluster", "photos", "--map", "pca", "-k", "3", "--force", "--out")
    assert "decoded" not in coterie(*command, "one").out
    assert "(decoded by an earlier run)" in coterie(*command, "two").out
    Path("photos/a/a00.png").unlink()
    os.utime("photos/a/a01.png", ns=(1, 1))
    shutil.copy("photos/a/a02.png", "photos/a/new.png")
    shutil.copy("photos/b/b02.png", "photos/b/new.png")
    done = coterie(*command, "three")
    assert done.code == 0
    assert (
        "note: decoded again, because the images under photos changed since they were read "
        "(2 added, 1 removed, 1 changed)\n"
    ) in done.err
    assert "decoded by an earlier run" not in done.out
    assert info(Path("three"))["images"]["n"] == 61
    assert [line[0] for line in rows(Path("three/assignments.csv"))[1:3]] == ["a/a01.png", "a/a02.png"]


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("file", "file is a file; give --out a folder"),
        ("file/run", "cannot write to file/run: it, or a part of its path, is a file; choose another folder."),
    ],
)
def test_an_output_folder_that_cannot_be_is_found_before_the_images_are_read(
    coterie: Command, photos: Path, out: str, sentence: str
) -> None:
    Path("file").write_text("mine")
    done = coterie("cluster", photos, "--out", out, *QUICK)
    assert (done.code, done.out, done.error) == (1, "", sentence)
    assert Path("file").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_read_only_output_folder_is_found_before_the_images_are_read(coterie: Command, photos: Path) -> None:
    Path("locked").mkdir(mode=0o500)
    done = coterie("cluster", photos, "--out", "locked/run", *QUICK)
    assert (done.code, done.out) == (1, "")
    assert "read-only or you have no permission" in done.error


def test_a_disk_that_fills_up_while_a_run_is_written_leaves_no_finished_run(
    coterie: Command, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("coterie.cli.run_writer.write_npz", full)
        done = coterie("cluster", "photos", "--out", "again", *QUICK)
    assert done.code == 1
    assert "No space left on device" in done.error
    assert coterie("view", "again").code == 2
    assert coterie("cluster", "photos", "--out", "again", *QUICK).code == 0


def test_a_second_run_in_one_folder_names_the_first(coterie: Command, photos: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from coterie.files.lock import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with python_process("-c", code, "taken") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        before = snapshot(Path("taken"))
        done = coterie("cluster", photos, "--out", "taken", *QUICK)
        assert done.code == 1
        assert done.error.startswith(f"taken is in use by another run (process {first.pid} on ")
        assert snapshot(Path("taken")).keys() == before.keys()
        first.kill()
    assert coterie("cluster", photos, "--out", "taken", *QUICK).code == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["path,class", "Filename;Category", "image\tlabel"])
def test_classes_are_read_however_a_spreadsheet_wrote_them(
    coterie: Command, run: Path, encoding: str, end: str, header: str
) -> None:
    separator = next(c for c in ",;\t" if c in header)
    names = [line[0] for line in rows(run / "assignments.csv")[1:]]
    lines = [f"{name}{separator}{name[0]}" for name in names[:40]]
    text = end.join([header, *lines, lines[0], f"nowhere.png{separator}x", ""])
    Path("classes.csv").write_bytes(text.encode(encoding))
    done = coterie("evaluate", run, "--classes", "classes.csv")
    assert done.code == 0
    table = dict(line.split() for line in done.out.splitlines())
    assert (table["matched"], table["without_class"], table["unused_rows"]) == ("40", "20", "1")
    assert table["accuracy"] == "1.0000"


def test_classes_that_contradict_themselves_are_refused(coterie: Command, run: Path) -> None:
    Path("classes.csv").write_text("path,class\na/a00.png,1\na/a00.png,2\n")
    done = coterie("evaluate", run, "--classes", "classes.csv")
    assert done.code == 2
    assert done.error.startswith("classes.csv gives 'a/a00.png' two classes, '1' and '2'")
