import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.errors import SkippedImagesWarning
from coterie.images.find import find_images
from coterie.images.store import open_images

NAMES = ["b/2.png", "a.png", "c.jpg", "b/1.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    (tmp_path / "in" / "readme.txt").write_text("text")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"")
    return tmp_path / "in"


def packed(folder: Path, ending: str) -> Path:
    path = folder.parent / f"packed{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [*NAMES, "readme.txt", ".hidden.png"]:
                archive.write(folder / name, name)
            archive.writestr("__MACOSX/._a.png", b"resource fork")
        return path
    mode = {".tar": "w", ".tgz": "w:gz", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}[ending]
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name in [*NAMES, "readme.txt", ".hidden.png"]:
            archive.add(folder / name, name)
    return path


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_archive_gives_the_same_store_as_its_folder(folder: Path, ending: str) -> None:
    source = packed(folder, ending)
    plain = open_images(folder, cache=folder.parent / "cache", size=12)
    store = open_images(source, cache=folder.parent / "cache", size=12)
    assert store.names == plain.names == sorted(NAMES)
    assert np.array_equal(store.images, plain.images)
    assert find_images(source).n_other == 1
    assert open_images(source, cache=folder.parent / "cache", size=12).reused


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_members_that_start_from_the_current_folder_are_named_as_in_a_folder(folder: Path, ending: str) -> None:
    path = folder.parent / f"dotted{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in NAMES:
                archive.writestr(f"./{name}", (folder / name).read_bytes())
    else:
        with tarfile.open(path, "w") as tar:
            tar.add(folder, ".")
    store = open_images(path, cache=folder.parent / "cache", size=12)
    assert store.names == sorted(NAMES)
    assert np.array_equal(store.images, open_images(folder, cache=folder.parent / "cache", size=12).images)


def test_an_encrypted_member_is_skipped(folder: Path) -> None:
    source = packed(folder, ".zip")
    data = bytearray(source.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    source.write_bytes(data)
    with pytest.warns(SkippedImagesWarning, match="1 encrypted"):
        assert len(open_images(source, cache=folder.parent / "cache")) == 3


def test_a_damaged_member_costs_only_itself(folder: Path) -> None:
    source = packed(folder, ".zip")
    data = bytearray(source.read_bytes())
    start = data.index(b"c.jpg") + len("c.jpg")
    data[start + 20 : start + 60] = b"\0" * 40
    source.write_bytes(data)
    with pytest.warns(SkippedImagesWarning, match="1 damaged in the archive"):
        assert open_images(source, cache=folder.parent / "cache").names == ["a.png", "b/1.png", "b/2.png"]


def test_a_name_that_appears_twice_is_read_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for value in (1, 2, 3):
            buffer = io.BytesIO()
            Image.new("L", (4, 4), value).save(buffer, "PNG")
            member = tarfile.TarInfo("a.png" if value < 3 else "b.png")
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)
    found = find_images(tmp_path / "twice.tar")
    assert [(item.name, item.reason) for item in found.skipped] == [("a.png", "listed twice")]
