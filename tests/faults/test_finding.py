"""Rows 17 to 19, 21 to 24 and 49 of the fault list: names, links, permissions, empty folders and hostile archives."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.errors import (
    DuplicateImagesWarning,
    NoImagesError,
    SkippedImagesWarning,
    SourceError,
    TooManyBadImagesError,
)
from coterie.images import archives
from coterie.images.find import find_images
from coterie.images.store import open_images

ODD_NAMES = [
    "caf\u00e9.png", "\u5c71/\u5ddd.png", "\u202egnp.png", "new\nline.png", 'quo"te.png', "<script>.png",
    "a,b;c\td.png", " lead and trail .png", "per%20cent#?.png", "back\\slash.png",
]  # fmt: skip


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(seed))
    return folder


def reasons(skipped: list[object]) -> dict[str, str]:
    return {item.name: item.reason for item in skipped}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_names_in_any_script_come_through_unchanged(tmp_path: Path, kind: str) -> None:
    put(tmp_path / "in", *ODD_NAMES)
    source = tmp_path / "in"
    if kind == "zip":
        source = tmp_path / "in.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for seed, name in enumerate(ODD_NAMES):
                archive.writestr(name, png(seed))
    if kind == "tar":
        source = tmp_path / "in.tar"
        with tarfile.open(source, "w") as archive:
            archive.add(tmp_path / "in", arcname=".")
    store = open_images(source, cache=tmp_path / "cache")
    names = [name.removeprefix("./") for name in store.names]
    assert names == sorted(ODD_NAMES)
    again = open_images(source, cache=tmp_path / "cache")
    assert again.reused
    assert again.names == store.names


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has names that are not text")
def test_a_name_that_is_not_utf8_survives_the_store(tmp_path: Path) -> None:
    folder = put(tmp_path / "in", "a.png")
    try:
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(png(1))
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    for _ in range(2):
        store = open_images(folder, cache=tmp_path / "cache")
        assert [os.fsencode(name) for name in store.names] == [b"a.png", b"caf\xe9.png"]


def test_exact_copies_are_counted_whatever_their_format(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    for name in ("a.png", "b.bmp", "c.tif"):
        image.save(tmp_path / name)
    put(tmp_path, "d.png")
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "e.png")
    with pytest.warns(DuplicateImagesWarning, match="3 images are exact copies of others"):
        assert open_images(tmp_path, cache=tmp_path / "cache").duplicates == 3


def test_links_to_files_are_followed_and_to_folders_only_on_request(tmp_path: Path) -> None:
    put(tmp_path, "real/a.png", "elsewhere/b.png")
    root = put(tmp_path / "root", "c.png")
    (root / "link.png").symlink_to(tmp_path / "real" / "a.png")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    found = find_images(root)
    assert [entry.name for entry in found.entries] == ["c.png", "link.png"]
    assert reasons(found.skipped) == {"folder": "link to a folder, not followed"}
    assert [entry.name for entry in find_images(root, follow_links=True).entries] == [
        "c.png",
        "folder/b.png",
        "link.png",
    ]


def test_loops_and_dangling_links_are_skipped_with_their_reasons(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "deep/er/b.png")
    (tmp_path / "deep" / "er" / "up").symlink_to(tmp_path)
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "never.png")
    found = find_images(tmp_path, follow_links=True)
    assert [entry.name for entry in found.entries] == ["a.png", "deep/er/b.png"]
    assert reasons(found.skipped) == {"deep/er/up": "link loop", "self.png": "link loop", "gone.png": "dangling link"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_with_an_image_name_is_never_opened(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.warns(SkippedImagesWarning, match="1 not a regular file"):
        assert len(open_images(tmp_path, cache=tmp_path / "cache")) == 2


def test_a_file_without_permission_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.png", "b.png", "secret.png")
    original = Path.open

    def guarded(
        self: Path, *args: object, **options: object
    ) -> object:  # root may read everything, so chmod is no test
        if self.name == "secret.png":
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", guarded)
    with pytest.warns(SkippedImagesWarning, match="1 no permission"):
        store = open_images(tmp_path, cache=tmp_path / "cache")
    assert store.names == ["a.png", "b.png"]


def test_a_folder_without_permission_stops_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.png", "closed/b.png")
    original = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(SourceError, match=r"folder .*closed cannot be listed \(Permission denied\)"):
        find_images(tmp_path)


def test_a_folder_without_images_says_what_was_looked_for(tmp_path: Path) -> None:
    for i in range(312):
        (tmp_path / f"{i}.doc").touch()
    with pytest.raises(
        NoImagesError, match=r"found 0 images under .* \(looked for \.jpg \.png .*; 312 other files\)"
    ) as caught:
        open_images(tmp_path, cache=tmp_path / "cache")
    assert caught.value.exit_code == 2


def test_one_image_is_not_enough_to_group(tmp_path: Path) -> None:
    with pytest.raises(NoImagesError, match=r"read 1 of 1 images under .*at least 2 are needed"):
        open_images(put(tmp_path, "a.png"), cache=tmp_path / "cache")


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere does not exist: give a folder"):
        open_images(tmp_path / "nowhere")


def test_too_many_bad_images_stop_the_run_and_leave_no_store(tmp_path: Path) -> None:
    put(tmp_path / "in", *(f"{i}.png" for i in range(4)))
    for i in range(5):
        (tmp_path / "in" / f"bad{i}.png").write_bytes(b"bad")
    with pytest.raises(
        TooManyBadImagesError, match=r"could not read 5 of 9 .* max_bad=0.5 .*bad0.png: not an image; .*; \.\.\."
    ):
        open_images(tmp_path / "in", cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    with pytest.warns(SkippedImagesWarning):
        assert len(open_images(tmp_path / "in", cache=tmp_path / "cache", max_bad=0.6)) == 4


def test_a_file_that_vanishes_during_the_run_is_skipped(tmp_path: Path) -> None:
    folder = put(tmp_path / "in", "a.png", "b.png", "c.png")
    found = find_images(folder)
    (folder / "b.png").unlink()
    from coterie.images.fill import fill
    from coterie.images.options import StoreOptions

    filled = fill(tmp_path / "out.npy", found, StoreOptions((8, 8)), 0, False)
    assert filled.bad == {1: "vanished"}
    assert np.load(tmp_path / "out.npy").shape == (2, 3, 8, 8)


def hostile_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:

        def add(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", data: bytes = b"") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, len(data)
            archive.addfile(member, io.BytesIO(data))

        add("../../outside.png", data=png(1))
        add("/absolute.png", data=png(2))
        add("inside/fine.png", data=png(3))
        add("link.png", tarfile.SYMTYPE, "/etc/passwd")
        add("hard.png", tarfile.LNKTYPE, "inside/fine.png")
        add("device.png", tarfile.CHRTYPE)
        add("notes.txt", data=b"text")


def test_a_hostile_tar_is_read_in_memory_and_nothing_is_written(tmp_path: Path) -> None:
    room = tmp_path / "a" / "b"
    room.mkdir(parents=True)
    hostile_tar(room / "hostile.tar")
    before = set(tmp_path.rglob("*"))
    with pytest.warns(SkippedImagesWarning, match="2 link, 1 special file"):
        store = open_images(room / "hostile.tar", cache=room / "cache")
    assert sorted(store.names) == ["../../outside.png", "/absolute.png", "inside/fine.png"]
    assert reasons(store.skipped) == {"link.png": "link", "hard.png": "link", "device.png": "special file"}  # type: ignore[arg-type]
    assert store.n_other == 1
    written = set(tmp_path.rglob("*")) - before
    assert all((room / "cache") in (path, *path.parents) for path in written)
    assert not Path("/absolute.png").exists()


def test_a_hostile_zip_is_read_in_memory_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "a" / "hostile.zip"
    source.parent.mkdir()
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("../outside.png", png(1))
        archive.writestr("/absolute.png", png(2))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.warns(SkippedImagesWarning, match="1 link"):
        store = open_images(source, cache=tmp_path / "cache")
    assert store.names == ["../outside.png", "/absolute.png"]
    assert not (tmp_path / "outside.png").exists()


def test_archives_have_caps_on_members_and_on_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "bomb.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png(1))
        archive.writestr("b.png", png(2))
        archive.writestr("zeros.png", b"\0" * 2_000_000)  # 2 kB in the archive
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 1_000_000)
    with pytest.warns(SkippedImagesWarning, match="1 too large"):
        assert open_images(source, cache=tmp_path / "cache").names == ["a.png", "b.png"]
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(SourceError, match="holds more than 2 members"):
        find_images(source)


def test_a_member_larger_than_it_declares_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "liar.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png(1))
        archive.writestr("b.png", png(2))
        archive.writestr("liar.png", b"\0" * 100_000)
    data = source.read_bytes().replace((100_000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    source.write_bytes(data)
    with pytest.warns(SkippedImagesWarning, match="1 damaged in the archive"):
        assert len(open_images(source, cache=tmp_path / "cache")) == 2


@pytest.mark.parametrize(
    "name", ["broken.zip", "broken.tar", "broken.tar.gz", "broken.tar.xz", "broken.npy", "broken.npz"]
)
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not at all what the name says" * 50)
    with pytest.raises(SourceError, match=r"broken"):
        open_images(tmp_path / name, cache=tmp_path / "cache")


def test_a_truncated_tar_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        put(tmp_path / "in", *(f"{i}.png" for i in range(50)))
        archive.add(tmp_path / "in", arcname="in")
    data = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="is damaged"):
        find_images(tmp_path / "a.tar.gz")
