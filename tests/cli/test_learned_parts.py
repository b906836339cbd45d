"""What a run folder has of a method that generates images: pictures that belong to the groups they stand for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coterie.cli.learned_parts import MOST_ALTERNATIVES, N_PICTURED, SIDE, write_learned_parts
from coterie.files.group_pictures import read_group_pictures
from coterie.images.store import open_images
from coterie.methods.answers import Answer

N = 60


def model(k: int = 3, n_others: int = 1, shape: tuple[int, ...] = (1, 8, 8)) -> Any:
    """A fitted method: groups by the row of an image modulo k, and as many other answers, each with drawings."""
    rows = np.arange(N)
    sure = ((rows * 7) % N / N).astype(np.float32)
    others = {f"run-{i + 2}": Answer((rows // (i + 2)) % 2, sure) for i in range(n_others)}
    samples = {name: np.full((2, 8, *shape), i, np.uint8) for i, name in enumerate(others)}
    return SimpleNamespace(
        answers_={"head": Answer(rows % k, sure), **others}, assigned_="head", alternative_samples_=samples,
        samples_=np.arange(k, dtype=np.uint8)[:, None, None, None, None] * np.ones((k, 8, *shape), np.uint8),
    )  # fmt: skip


def store(shape: tuple[int, ...] = (8, 8)) -> Any:
    """Images of one grey each, by which each is known again: that of row i is 2 i, up to a corner."""
    images = np.ones((N, *shape), np.uint8) * (2 * np.arange(N, dtype=np.uint8)).reshape(-1, *[1] * len(shape))
    images[:, 0, 0] = 255
    return open_images(images)


def test_the_images_of_a_group_are_the_surest_of_it(tmp_path: Path) -> None:
    fitted = model()
    write_learned_parts(tmp_path, fitted, store())
    found = read_group_pictures(tmp_path / "group-pictures.npz")
    assert list(found) == ["head", "run-2"]
    for name, own in found.items():
        labels, sure = fitted.answers_[name]
        for label in range(labels.max() + 1):
            rows = own.of_group(label)[:, 0, 4, 4] // 2
            expected = sorted(np.flatnonzero(labels == label), key=lambda row: -sure[row])[:N_PICTURED]
            assert rows.tolist() == expected
    assert np.array_equal(found["head"].drawn, fitted.samples_)
    assert found["run-2"].drawn.max() == 0


def test_what_is_large_is_shrunk_and_of_many_groups_and_answers_some_are_kept(tmp_path: Path) -> None:
    write_learned_parts(tmp_path, model(50, 6, (3, 200, 100)), store((200, 100, 3)))
    found = read_group_pictures(tmp_path / "group-pictures.npz")
    assert list(found) == ["head", *(f"run-{i + 2}" for i in range(MOST_ALTERNATIVES))]
    own = found["head"]
    assert own.apart.shape == (40, 3, 2 * SIDE, SIDE)
    assert own.images.shape == (own.counts.sum(), 3, SIDE, SIDE // 2)
    assert own.drawn.shape == (40, 8, 3, SIDE, SIDE // 2)


@pytest.mark.parametrize("missing", ["samples_", "answers_"])
def test_a_method_that_generates_nothing_has_no_pictures(missing: str, tmp_path: Path) -> None:
    fitted = model()
    del fitted.samples_
    if missing == "answers_":
        del fitted.answers_
    write_learned_parts(tmp_path, fitted, store())
    assert not (tmp_path / "group-pictures.npz").exists()
