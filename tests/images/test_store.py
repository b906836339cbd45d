import errno
import json
import logging
import os
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coterie.errors import ImageOdditiesWarning, OutputError, SkippedImagesWarning, SlowPathWarning, StoreChangedError
from coterie.files import atomic
from coterie.images import cache, fill
from coterie.images.decode import decode
from coterie.images.find import Entry, find_images
from coterie.images.fingerprint import changes
from coterie.images.options import StoreOptions
from coterie.images.store import load_store, open_images


def save(path: Path, seed: int, size: tuple[int, ...] = (8, 8, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(10):
        save(tmp_path / "in" / f"{i}.png", i)
    return tmp_path / "in"


def places(tmp_path: Path) -> list[Path]:
    return sorted(path.parent for path in (tmp_path / "cache").rglob("store.json"))


def test_the_second_run_decodes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = open_images(folder, cache=tmp_path / "cache")
    monkeypatch.setattr("coterie.images.fill.decode_quietly", None)
    with caplog.at_level(logging.INFO):
        second = open_images(folder, cache=tmp_path / "cache")
    assert "reusing 10 decoded images" in caplog.text
    assert (first.reused, second.reused) == (False, True)
    assert np.array_equal(first.images, second.images)
    assert (first.names, first.options, first.fingerprint) == (second.names, second.options, second.fingerprint)
    assert isinstance(second.images, np.memmap)


def test_a_changed_folder_is_decoded_again_and_says_why(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_images(folder, cache=tmp_path / "cache")
    assert before.rebuilt_because is None
    (folder / "3.png").unlink()
    save(folder / "new.png", 77)
    save(folder / "newer.png", 78)
    save(folder / "5.png", 99)
    os.utime(folder / "5.png", ns=(1, 1))
    with pytest.raises(StoreChangedError, match="2 added, 1 removed, 1 changed"):
        before.check(find_images(folder))
    with pytest.raises(StoreChangedError, match="2 added, 1 removed, 1 changed"):
        load_store(places(tmp_path)[0], find_images(folder))
    with caplog.at_level(logging.INFO):
        after = open_images(folder, cache=tmp_path / "cache")
    assert "2 added, 1 removed, 1 changed" in (after.rebuilt_because or "")
    assert "2 added, 1 removed, 1 changed" in caplog.text
    assert len(after) == 11
    assert len(before.images) == 10  # the old map stays valid for whoever still reads it
    assert int(before.images.sum()) > 0


def test_each_set_of_options_has_its_own_store(folder: Path, tmp_path: Path) -> None:
    open_images(folder, cache=tmp_path / "cache")
    assert not open_images(folder, cache=tmp_path / "cache", grey=True).reused
    assert not open_images(folder, cache=tmp_path / "cache", size=4).reused
    assert open_images(folder, cache=tmp_path / "cache").reused
    assert len(places(tmp_path)) == 3


def test_images_of_one_small_size_keep_it_and_others_become_224(folder: Path, tmp_path: Path) -> None:
    assert open_images(folder, cache=tmp_path / "cache").shape == (3, 8, 8)
    save(folder / "other.png", 1, (9, 8, 3))
    assert open_images(folder, cache=tmp_path / "cache").shape == (3, 224, 224)
    shutil.rmtree(folder)
    for i in range(3):
        save(folder / f"{i}.png", i, (64, 65, 3))
    assert open_images(folder, cache=tmp_path / "cache").shape == (3, 224, 224)


def test_a_set_of_grey_images_is_stored_grey(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "in" / f"{i}.png", i, (8, 8))
    assert open_images(tmp_path / "in", cache=tmp_path / "cache").shape == (1, 8, 8)
    assert open_images(tmp_path / "in", cache=tmp_path / "cache", grey=False).shape == (3, 8, 8)
    save(tmp_path / "in" / "colour.png", 9)
    assert open_images(tmp_path / "in", cache=tmp_path / "cache").shape == (3, 8, 8)


def test_a_colour_image_that_turns_up_late_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.images.survey.LOOKED_AT", 2)
    for i in (0, 1, 2):
        save(tmp_path / "in" / f"{i}.png", i, (8, 8) if i != 1 else (8, 8, 3))
    with pytest.warns(ImageOdditiesWarning, match="1 colour image was read as grey, like the rest of the set"):
        assert open_images(tmp_path / "in", cache=tmp_path / "cache").oddities == {"colour read as grey": 1}
    open_images(tmp_path / "in", cache=tmp_path / "cache", grey=True)  # asked for: no warning


@pytest.mark.parametrize("bad", [{0}, {9}, {0, 1, 5}, {2, 3, 4, 7}, {1, 3, 5, 7}])
def test_bad_images_leave_no_hole(folder: Path, tmp_path: Path, bad: set[int]) -> None:
    for i in bad:
        (folder / f"{i}.png").write_bytes(b"bad")
    with pytest.warns(SkippedImagesWarning):
        store = open_images(folder, cache=tmp_path / "cache")
    assert store.names == [f"{i}.png" for i in range(10) if i not in bad]
    for name, pixels in zip(store.names, store.images, strict=True):
        assert np.array_equal(pixels, decode(folder / name)[0])
    assert store.file is not None
    assert np.load(store.file, allow_pickle=False).shape == (10 - len(bad), 3, 8, 8)


def test_gaps_close_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "BATCH_BYTES", 400)
    monkeypatch.setattr(fill, "BATCH_IMAGES", 3)
    for i in range(40):
        save(tmp_path / "in" / f"{i:02}.png", i)
        if i % 7 == 3:
            (tmp_path / "in" / f"{i:02}.png").write_bytes(b"")
    with pytest.warns(SkippedImagesWarning, match="6 empty"):
        store = open_images(tmp_path / "in", cache=tmp_path / "cache")
    for name, pixels in zip(store.names, store.images, strict=True):
        assert np.array_equal(pixels, decode(tmp_path / "in" / name)[0])


def test_threads_give_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "THREADED_FILE_BYTES", 0)
    for i in range(200):
        save(tmp_path / "in" / f"{i}.png", i)
    (tmp_path / "in" / "50.png").write_bytes(b"")
    with pytest.warns(SkippedImagesWarning):
        plain = open_images(tmp_path / "in", cache=tmp_path / "a")
    with pytest.warns(SkippedImagesWarning):
        threaded = open_images(tmp_path / "in", cache=tmp_path / "b", workers=4)
    assert np.array_equal(plain.images, threaded.images)
    assert plain.names == threaded.names


def test_batches_cover_the_store_in_order(folder: Path, tmp_path: Path) -> None:
    store = open_images(folder, cache=tmp_path / "cache")
    batches = list(store.batches(4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate(batches), store.images)
    assert np.array_equal(np.concatenate(list(open_images(store.images).batches(3))), store.images)


def test_an_interrupted_build_is_never_used(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = fill._decode_one

    def stop(index: int, payload: object, options: StoreOptions) -> object:
        if index == 5:
            raise KeyboardInterrupt
        return original(index, payload, options)  # type: ignore[arg-type]

    monkeypatch.setattr(fill, "_decode_one", stop)
    with pytest.raises(KeyboardInterrupt):
        open_images(folder, cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    monkeypatch.setattr(fill, "_decode_one", original)
    assert not open_images(folder, cache=tmp_path / "cache").reused


@pytest.mark.parametrize("damage", ["cut", "gone", "other", "garbage", "foreign", "field"])
def test_a_damaged_store_is_decoded_again(folder: Path, tmp_path: Path, damage: str) -> None:
    open_images(folder, cache=tmp_path / "cache")
    place = places(tmp_path)[0]
    pixels, index = next(place.glob("*.npy")), place / "store.json"
    if damage == "cut":
        os.truncate(pixels, 1000)
    elif damage == "gone":
        pixels.unlink()
    elif damage == "other":
        np.save(pixels, np.zeros((3, 3), np.float32))
    elif damage == "garbage":
        index.write_text("{")
    elif damage == "foreign":
        index.write_text("[]")
    else:
        index.write_text(
            json.dumps({key: value for key, value in json.loads(index.read_text()).items() if key != "bad"})
        )
    store = open_images(folder, cache=tmp_path / "cache")
    assert not store.reused
    assert store.rebuilt_because
    assert len(store) == 10


def test_many_runs_that_build_one_store_at_once_all_get_it(folder: Path, tmp_path: Path) -> None:
    stores: list[object] = []
    threads = [
        threading.Thread(target=lambda: stores.append(open_images(folder, cache=tmp_path / "cache"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 6
    assert all(np.array_equal(store.images, stores[0].images) for store in stores)  # type: ignore[attr-defined]
    assert open_images(folder, cache=tmp_path / "cache").reused
    assert not list((tmp_path / "cache").rglob("*.partial"))


def test_a_cache_that_cannot_be_written_is_replaced_for_the_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(SlowPathWarning, match="cannot be written"):
        store = open_images(folder, cache=tmp_path / "file" / "cache")
    assert store.file is not None
    place = store.file.parent
    assert len(store) == 10
    assert place.exists()
    del store
    assert not place.exists()


def test_a_full_disk_is_told_before_anything_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 37_000_000))
    with pytest.raises(OutputError, match=r"decoded images need 50 MB in .*, 37 MB free"):
        open_images(folder, cache=tmp_path / "cache")


def test_a_disk_that_fills_up_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("coterie.images.store.fill", full)
    with pytest.raises(OutputError, match="disk full"):
        open_images(folder, cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert atomic  # the sentence is its


def test_the_cache_is_found_through_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "ours"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_home(tmp_path / "given") == tmp_path / "given"
    assert cache.cache_home(None) == tmp_path / "ours"
    monkeypatch.delenv("COTERIE_CACHE")
    assert cache.cache_home(None) == tmp_path / "xdg" / "coterie"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_home(None) == tmp_path / ".cache" / "coterie"


def test_nothing_in_the_source_is_touched(folder: Path, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*")}
    open_images(folder, cache=tmp_path / "cache")
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*")}


def test_options_survive_being_written_as_json() -> None:
    options = StoreOptions((3, 5), "pad", True, "#102030", 1000)
    assert StoreOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_a_model_s_options_are_used_exactly(tmp_path: Path) -> None:
    save(tmp_path / "in" / "one.png", 1)
    store = open_images(tmp_path / "in", cache=tmp_path / "cache", options=StoreOptions((5, 6), "pad", False, "black"))
    assert store.shape == (3, 5, 6)
    assert len(store) == 1


STAMPS = st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=6)


@given(STAMPS, STAMPS)
def test_changes_count_every_difference_once(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> None:
    found = changes(
        [(name, *stamp) for name, stamp in old.items()], [Entry(name, *stamp, "") for name, stamp in new.items()]
    )
    assert found.added == len(new.keys() - old.keys())
    assert found.removed == len(old.keys() - new.keys())
    assert found.changed == sum(old[name] != new[name] for name in old.keys() & new.keys())
    assert bool(found) == (old != new)
