import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from coterie.errors import NoImagesError, SkippedImagesWarning, SourceError
from coterie.files.tables import escape_name, write_csv
from coterie.images.find import find_images
from coterie.images.formats import EXTENSIONS, has_image_extension
from coterie.images.store import open_images


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(source: object) -> list[str]:
    return [entry.name for entry in find_images(source).entries]  # type: ignore[arg-type]


def test_a_folder_is_walked_in_the_order_of_relative_names(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/z.jpg", "a.png", "a/b/c.TIFF", "B.png", "notes.txt", "a/more.csv")
    found = find_images(tmp_path)
    assert [entry.name for entry in found.entries] == ["B.png", "a.png", "a/b/c.TIFF", "a/z.jpg", "b.png"]
    assert found.n_other == 2
    assert found.entries[0].size == 1
    assert found.entries[0].mtime_ns == (tmp_path / "B.png").stat().st_mtime_ns


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ".DS_Store", ".git/a.png", ".hidden.png", "seen.png")
    found = find_images(tmp_path)
    assert [entry.name for entry in found.entries] == ["seen.png"]
    assert (found.skipped, found.n_other) == ([], 0)


def test_a_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    assert names(touch(tmp_path / ".cache", "a.png")) == ["a.png"]


@given(stem=st.text(min_size=1, max_size=20), extension=st.sampled_from(EXTENSIONS), upper=st.booleans())
def test_extensions_count_in_any_case(stem: str, extension: str, upper: bool) -> None:
    assert has_image_extension(stem + (extension.upper() if upper else extension))
    assert not has_image_extension(stem + extension + ".txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    stems=st.sets(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
        .filter(lambda stem: not stem.startswith("."))
        .map(lambda stem: stem + ".png"),
        min_size=1,
        max_size=8,
    )
)
def test_any_name_a_disk_can_hold_is_found_once(tmp_path_factory: pytest.TempPathFactory, stems: set[str]) -> None:
    folder = touch(tmp_path_factory.mktemp("names"), *stems)
    on_disk = {path.name for path in folder.iterdir()}  # some file systems fold names
    assert set(names(folder)) == on_disk
    assert names(folder) == sorted(on_disk)


def test_a_list_keeps_its_order_and_is_named_below_the_shared_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x/b.png", "x/y/a.png", "z.png")
    assert names([tmp_path / "x" / "b.png", str(tmp_path / "x" / "y" / "a.png")]) == ["b.png", "y/a.png"]
    assert names([tmp_path / "x" / "b.png", tmp_path / "z.png"]) == ["x/b.png", "z.png"]


def test_a_list_says_what_is_wrong_with_each_member(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "folder/b.png")
    found = find_images([tmp_path / n for n in ("a.png", "gone.png", "folder", "a.png")])
    assert [(item.name, item.reason) for item in found.skipped] == [
        ("gone.png", "missing"),
        ("folder", "is a folder"),
        ("a.png", "listed twice"),
    ]
    assert [entry.name for entry in found.entries] == ["a.png"]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(NoImagesError, match="found 0 images under the list"):
        find_images([])


def test_a_text_manifest_is_relative_to_itself(tmp_path: Path) -> None:
    touch(tmp_path, "lists/near.png", "far.png", "lists/no-extension")
    manifest = tmp_path / "lists" / "all.txt"
    manifest.write_bytes(b"\xef\xbb\xbfnear.png\r\n\r\n./no-extension\n" + os.fsencode(tmp_path / "far.png") + b"\n")
    assert names(manifest) == ["near.png", "no-extension", (tmp_path / "far.png").as_posix()]


@pytest.mark.parametrize(
    "text",
    [
        "id,Path\n1,b.png\n2,a.png\n",
        "filename;label\nb.png;3\na.png;4\n",
        "b.png\tx\na.png\ty\n",
        "what,ever\nb.png,1\na.png,2\n",
    ],
)
def test_a_csv_manifest_is_read_by_its_column_or_the_first(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "m.csv").write_text(text)
    assert names(tmp_path / "m.csv") == ["b.png", "a.png"]


def test_a_table_with_escaped_names_is_a_manifest(tmp_path: Path) -> None:
    odd = ["back\\slash.png", "new\nline.png", "plain.png"]
    touch(tmp_path, *odd)
    write_csv(tmp_path / "assignments.csv", ["path", "label"], [(escape_name(name), 0) for name in odd])
    assert names(tmp_path / "assignments.csv") == odd


@pytest.mark.parametrize("text", ["", "\n\n", "path\n"])
def test_a_manifest_without_names_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    (tmp_path / "m.txt").write_text(text.replace("path", ""))
    for name in ("m.csv", "m.txt"):
        with pytest.raises(SourceError, match="manifest"):
            find_images(tmp_path / name)


def test_a_manifest_of_missing_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("one.png\ntwo.png\n")
    with pytest.raises(NoImagesError, match=r"read 0 of 2 .*one\.png: missing"):
        open_images(tmp_path / "m.txt", cache=tmp_path / "cache")


def test_a_file_of_an_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    touch(tmp_path, "movie.mkv")
    with pytest.raises(SourceError, match=r"is not a source of images: .*\.zip .*\.csv"):
        find_images(tmp_path / "movie.mkv")


def test_a_manifest_can_name_the_images_of_a_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "m.txt").write_text("2.png\n0.png\nmissing.png\n")
    with pytest.warns(SkippedImagesWarning, match=r"skipped 1 of 3 images \(1 missing\)"):
        store = open_images(tmp_path / "m.txt", cache=tmp_path / "cache")
    assert store.names == ["2.png", "0.png"]
