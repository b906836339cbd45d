"""Pictures of groups in a file: what is read is what was written, and nothing else is taken."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.errors import RunFolderError
from coterie.files.group_pictures import PARTS, GroupPictures, read_group_pictures, write_group_pictures
from coterie.files.run_folder import RunFolder

RNG = np.random.default_rng(0)


def pictures(k: int = 2, channels: int = 3) -> GroupPictures:
    drawn = RNG.integers(0, 256, (k, 4, channels, 6, 5), dtype=np.uint8)
    return GroupPictures(drawn[:, 0], 0.5, drawn[:, 1], np.array([k, *[0] * (k - 1)]), drawn)


def test_what_is_read_is_what_was_written_in_the_same_order(tmp_path: Path) -> None:
    written = {"linkage-of-run-2": pictures(3, 1), "head": pictures(2, 1)}
    write_group_pictures(tmp_path / "group-pictures.npz", written)
    found = read_group_pictures(tmp_path / "group-pictures.npz")
    assert list(found) == ["linkage-of-run-2", "head"]
    for name, own in written.items():
        for part in PARTS:
            assert np.array_equal(getattr(found[name], part), getattr(own, part))
    assert isinstance(found["head"].strength, float)


def test_the_images_of_a_group_are_those_that_are_counted() -> None:
    own = replace(pictures(3), counts=np.array([1, 0, 2]))
    assert [len(own.of_group(label)) for label in range(3)] == [1, 0, 2]
    assert np.array_equal(own.of_group(2), own.images[1:])


@pytest.mark.parametrize(
    "change",
    [
        {"apart": np.zeros((2, 1, 6, 5), np.uint8)},
        {"images": np.zeros((2, 2, 6, 5), np.uint8), "apart": np.zeros((2, 2, 6, 5), np.uint8)},
        {"apart": np.zeros((2, 3, 6, 5), np.float32)},
        {"drawn": np.zeros((1, 4, 3, 6, 5), np.uint8)},
        {"images": np.zeros((2, 6, 5), np.uint8)},
        {"images": np.zeros((1, 3, 6, 5), np.uint8)},
        {"counts": np.array([1, 2])},
        {"counts": np.array([3, -1])},
        {"counts": np.array([1.0, 1.0])},
        {"strength": np.zeros(2)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    write_group_pictures(tmp_path / "group-pictures.npz", {"head": replace(pictures(), **change)})
    with pytest.raises(ValueError, match=r"its pictures do not fit|not those that are counted"):
        read_group_pictures(tmp_path / "group-pictures.npz")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "group-pictures.npz").write_bytes(b"PK no archive")
    with pytest.raises(RunFolderError, match=r"group-pictures\.npz is missing or damaged"):
        _ = RunFolder(tmp_path, {}).group_pictures
