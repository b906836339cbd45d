"""`coterie export`: folders of links or copies, a CSV or a Parquet file; originals stay where they are."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.runner import Done, kinds_by_group, rows, snapshot

Command = Callable[..., Done]


def groups(folder: Path) -> dict[str, Counter[str]]:
    """The first letters of the names in each folder."""
    return {place.name: Counter(path.name[0] for path in place.iterdir()) for place in sorted(folder.iterdir())}


@pytest.mark.parametrize("options", [(), ("--copy",)], ids=["links", "copies"])
def test_a_folder_for_every_group_leads_to_the_originals(
    coterie: Command, own_run: Path, options: tuple[str, ...]
) -> None:
    before = snapshot(Path("photos"))
    done = coterie("export", "run", "--to", "folders", *options)
    assert done == (0, "exported 60 images to run-export\n", "")
    found = groups(Path("run-export"))
    expected = kinds_by_group(own_run / "assignments.csv")
    assert found == {f"group-0{label}": Counter({next(iter(kinds)): 20}) for label, kinds in expected.items()}
    for path in Path("run-export").glob("*/*"):
        original = Path("photos") / path.name[0] / path.name
        assert path.is_symlink() == (not options)
        assert path.resolve() == (path.absolute() if options else original.resolve())
        assert path.read_bytes() == original.read_bytes()
    assert snapshot(Path("photos")) == before


def test_images_of_one_name_do_not_replace_each_other(coterie: Command, own_run: Path) -> None:
    for number, name in enumerate(["a00.png", "a01.png", "a02.png"]):
        for folder in ("x", "y"):
            Path("photos", folder + str(number)).mkdir()
            shutil.copy(f"photos/a/{name}", f"photos/{folder}{number}/same.png")
    (Path("photos") / "same-2.png").write_bytes(Path("photos/a/a05.png").read_bytes())
    assert coterie("cluster", "photos", "--out", "again", "-k", "3", "--map", "pca").code == 0
    assert coterie("export", "again", "--to", "folders", "--out", "out") == (0, "exported 67 images to out\n", "")
    targets = [path.resolve() for path in Path("out").glob("*/*")]
    assert len(targets) == len(set(targets)) == 67
    assert len(list(Path("out").glob("*/same*.png"))) == 7


def test_originals_that_are_gone_are_counted_and_left_out(coterie: Command, own_run: Path) -> None:
    for number in range(5):
        Path(f"photos/a/a0{number}.png").unlink()
    done = coterie("export", "run", "--to", "folders")
    assert done.code == 0
    assert done.out == "exported 55 images to run-export\n"
    assert done.err == "note: 5 originals are no longer where they were and were left out\n"


def test_without_the_image_folder_nothing_is_handed_over(coterie: Command, own_run: Path, photos: Path) -> None:
    text = (own_run / "run.json").read_text().replace(str(photos), "photos")
    (own_run / "run.json").write_text(text)
    shutil.rmtree("photos")
    done = coterie("export", "run", "--to", "folders")
    assert done.code == 2
    assert done.error == (
        "the originals of run are no longer at photos; put them back, or export csv or parquet instead"
    )
    assert not Path("run-export").exists()


def test_the_originals_are_found_from_any_folder(
    coterie: Command, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coterie("cluster", "photos", "--out", "here", "-k", "3", "--map", "pca").code == 0
    Path("deep/down").mkdir(parents=True)
    monkeypatch.chdir("deep/down")
    assert coterie("export", "../../here", "--to", "folders").out == "exported 60 images to here-export\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("images.npy", "images.npy is an array, so there are no files to hand over; export csv or parquet instead"),
        ("images.zip", "images.zip is an archive; unpack it yourself, or export csv or parquet instead"),
    ],
)
def test_images_that_are_no_files_of_their_own_are_not_exported_as_folders(
    coterie: Command, photos: Path, name: str, sentence: str
) -> None:
    if name.endswith(".npy"):
        np.save(name, np.stack([np.asarray(Image.open(path)) for path in sorted(photos.rglob("*.png"))]))
    else:
        shutil.make_archive("images", "zip", photos)
    assert coterie("cluster", name, "--out", "array", "-k", "3", "--map", "pca").code == 0
    done = coterie("export", "array", "--to", "folders")
    assert done.code == 2
    assert done.error.endswith(sentence)
    assert coterie("export", "array", "--to", "csv").code == 0


def test_a_csv_is_the_table_of_the_run(coterie: Command, run: Path) -> None:
    assert coterie("export", run, "--to", "csv").out == f"exported 60 images to {run.name}-export.csv\n"
    assert Path(f"{run.name}-export.csv").read_bytes() == (run / "assignments.csv").read_bytes()


def test_a_parquet_file_has_the_columns_of_the_table(coterie: Command, run: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert coterie("export", run, "--to", "parquet", "--out", "deep/groups.parquet").code == 0
    table = parquet.read_table("deep/groups.parquet").to_pydict()
    header, *lines = rows(run / "assignments.csv")
    assert list(table) == header
    assert table["path"] == [line[0] for line in lines]
    assert table["label"] == [int(line[1]) for line in lines]
    assert table["confidence"] == pytest.approx([float(line[2]) for line in lines])


@pytest.fixture
def with_answers(own_run: Path) -> Path:
    """A run whose answer "run-2" puts every other image into group 1."""
    np.savez(own_run / "answers.npz", **{"head": np.zeros(60, np.int64), "run-2": np.arange(60) % 2})
    return own_run


def test_another_answer_of_a_run_is_handed_over_by_its_name(coterie: Command, with_answers: Path) -> None:
    done = coterie("export", "run", "--to", "csv", "--answer", "run-2")
    assert done.code == 0, done.err
    header, *lines = rows(Path("run-export-run-2.csv"))
    assert header == ["path", "label"]  # whose confidence no run folder keeps
    names = [line[0] for line in rows(with_answers / "assignments.csv")[1:]]
    assert lines == [[name, str(i % 2)] for i, name in enumerate(names)]
    assert coterie("export", "run", "--to", "folders", "--answer", "run-2").code == 0
    assert [len(list(Path(f"run-export-run-2/group-0{label}").iterdir())) for label in (0, 1)] == [30, 30]


def test_the_chosen_answer_by_its_name_is_the_table_of_the_run(coterie: Command, with_answers: Path) -> None:
    about = json.loads((with_answers / "run.json").read_text())
    (with_answers / "run.json").write_text(json.dumps(about | {"answers": {"chosen": "head"}}))
    assert coterie("export", "run", "--to", "csv", "--answer", "head").code == 0
    assert Path("run-export-head.csv").read_bytes() == (with_answers / "assignments.csv").read_bytes()


def test_an_answer_that_a_run_has_not_is_refused_with_those_that_it_has(coterie: Command, with_answers: Path) -> None:
    done = coterie("export", "run", "--to", "csv", "--answer", "run-3")
    assert (done.code, done.error) == (2, "run has no answer 'run-3'; its answers are head, run-2")
    (with_answers / "answers.npz").unlink()
    done = coterie("export", "run", "--to", "csv", "--answer", "head")
    assert (done.code, done.error) == (
        2, "run has no answer 'head'; it has a single answer, so leave --answer out",
    )  # fmt: skip
    assert not list(Path().glob("*.csv"))


@pytest.mark.parametrize("to", ["folders", "csv", "parquet"])
def test_nothing_that_exists_is_replaced(coterie: Command, run: Path, to: str) -> None:
    for target in (Path("file"), Path("folder/file")):
        target.parent.mkdir(exist_ok=True)
        target.write_text("mine")
        out = target.parts[0]
        done = coterie("export", run, "--to", to, "--out", out)
        assert (done.code, done.error) == (1, f"{out} exists; give another --out")
        assert target.read_text() == "mine"


def test_groups_are_not_exported_among_the_images(coterie: Command, own_run: Path) -> None:
    before = snapshot(Path("photos"))
    done = coterie("export", "run", "--to", "folders", "--out", "photos/groups")
    assert done.code == 1
    assert "whose images are only read" in done.error
    assert snapshot(Path("photos")) == before


def test_a_file_system_without_links_is_told_about_copies(
    coterie: Command, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    done = coterie("export", "run", "--to", "folders")
    assert done.code == 1
    assert done.error.endswith("; this file system may not allow links: use --copy")
    assert coterie("export", "run", "--to", "folders", "--copy", "--out", "copies").code == 0


def test_an_unknown_target_names_the_known_ones(coterie: Command, run: Path) -> None:
    done = coterie("export", run, "--to", "excel")
    assert done.code == 2
    assert all(word in done.err for word in ("'folders'", "'csv'", "'parquet'"))
