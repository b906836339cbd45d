"""Every kind of source groups as the folder does."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.runner import Done, info, rows

Command = Callable[..., Done]
QUICK = ("-k", "3", "--map", "pca")


def names(photos: Path) -> list[str]:
    return sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))


def make_zip(photos: Path) -> str:
    return Path(shutil.make_archive("images", "zip", photos)).name


def make_tar(photos: Path) -> str:
    return Path(shutil.make_archive("images", "gztar", photos)).name


def make_list(photos: Path) -> str:
    shutil.copytree(photos, "images")
    Path("images/list.txt").write_text("\n".join(names(photos)) + "\n")
    return "images/list.txt"


def make_table(photos: Path) -> str:
    shutil.copytree(photos, "images")
    lines = [f"{number};{name}" for number, name in enumerate(names(photos))]
    Path("images/table.csv").write_bytes("\r\n".join(["number;path", *lines]).encode("utf-8-sig"))
    return "images/table.csv"


def pixels(photos: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(photos / name)) for name in names(photos)])


def make_npy(photos: Path) -> str:
    np.save("images.npy", pixels(photos))
    return "images.npy"


def make_npz(photos: Path) -> str:
    np.savez("images.npz", images=pixels(photos))
    return "images.npz"


@pytest.mark.parametrize(
    "make", [make_zip, make_tar, make_list, make_table, make_npy, make_npz], ids=lambda f: f.__name__
)
def test_every_source_gives_the_groups_of_the_folder(
    coterie: Command, photos: Path, run: Path, make: Callable[[Path], str]
) -> None:
    source = make(photos)
    before = Path(source).read_bytes()
    done = coterie("cluster", source, "--out", "out", *QUICK)
    assert done.code == 0, done.err
    ours, theirs = rows(Path("out/assignments.csv")), rows(run / "assignments.csv")
    assert [line[1:] for line in ours] == [line[1:] for line in theirs]
    numbered = source.endswith((".npy", ".npz"))
    assert [line[0].removeprefix("./") for line in ours[1:]] == (
        [str(i) for i in range(60)] if numbered else names(photos)
    )
    assert info(Path("out"))["source"] == source
    assert Path(source).read_bytes() == before
    assert coterie("predict", "out", source, "--out", "again.csv").code == 0
    assert [line[1] for line in rows(Path("again.csv"))] == [line[1] for line in ours]


def test_the_table_of_a_run_is_a_source(coterie: Command, own_run: Path) -> None:
    shutil.copy(own_run / "assignments.csv", "photos/some.csv")
    text = Path("photos/some.csv").read_text().splitlines()
    Path("photos/some.csv").write_text("\n".join(text[:31]) + "\n")
    assert coterie("cluster", "photos/some.csv", "--out", "out", "-k", "2", "--map", "pca").code == 0
    assert [line[0] for line in rows(Path("out/assignments.csv"))[1:]] == names(Path("photos"))[:30]


def test_one_image_is_a_source_for_predict(coterie: Command, photos: Path, run: Path) -> None:
    assert coterie("predict", run, photos / "b/b05.png").code == 0
    label = {line[0]: line[1] for line in rows(run / "assignments.csv")}["b/b05.png"]
    assert rows(Path("assignments.csv"))[1][:2] == ["b05.png", label]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "nowhere does not exist: give a folder, archive, manifest, array or image"),
        ("notes.docx", "notes.docx is not a source of images: give a folder, an image, or a file ending in"),
        ("images.zip", "archive images.zip is damaged or is not what its extension says"),
        ("images.npy", "images.npy"),
        ("list.txt", "manifest list.txt names no file"),
    ],
)
def test_a_source_that_is_none_is_one_sentence(coterie: Command, source: str, sentence: str) -> None:
    if source != "nowhere":
        Path(source).write_bytes(b"" if source == "list.txt" else b"nothing of the kind")
    for command in (("cluster", source), ("check", source)):
        done = coterie(*command)
        assert done.code == 2, done
        assert done.error.startswith(sentence)
    assert [path.name for path in Path().iterdir()] == ([] if source == "nowhere" else [source])
