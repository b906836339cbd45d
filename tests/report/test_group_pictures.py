"""Pictures of groups on the page: generated images, what sets a group apart, and the groups of other answers."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coterie.errors import RunFolderError
from coterie.files.group_pictures import GroupPictures, write_group_pictures
from coterie.files.run_folder import RunFolder
from coterie.report.group_pictures import drawn, other_groupings
from coterie.report.page import write_page
from report.run_maker import make_run

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 8, 8), dtype=np.uint8)
LABELS = np.arange(12) % 3
OTHER = np.arange(12) % 2  # the labels of another answer
RUNS = [{"run": run, "mean_rank": 1.0} for run in (1, 2, 3)]
ANSWERS: dict[str, Any] = {
    "chosen": "linkage", "because": "it says so",
    "answers": [{"name": "linkage", "n_clusters": 3, "ari": 1.0}, {"name": "run-2", "n_clusters": 2, "ari": 0.125}],
}  # fmt: skip


def generated(k: int = 3, channels: int = 1) -> np.ndarray:
    return RNG.integers(0, 256, (k, 4, channels, 8, 8), dtype=np.uint8)


def pictures(k: int) -> GroupPictures:
    drawn = generated(k)
    return GroupPictures(drawn[:, 0], 0.25, drawn[:, 1:].reshape(-1, 1, 8, 8), np.full(k, 3), drawn)


def opened(folder: Path, samples: np.ndarray | None = None, pictured: dict[str, GroupPictures] | None = None) -> Any:
    made = make_run(folder / "run", IMAGES, LABELS, info={"answers": ANSWERS})
    np.savez(made / "answers.npz", **{"linkage": LABELS, "run-2": OTHER})
    if samples is not None:
        np.savez(made / "samples.npz", samples=samples)
    if pictured is not None:
        write_group_pictures(made / "group-pictures.npz", pictured)
    return RunFolder.open(made)


def pixels(strip: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(strip["image"]))))


@pytest.mark.parametrize("channels", [1, 3])
def test_generated_images_of_a_cluster_stand_in_a_row(channels: int, tmp_path: Path) -> None:
    samples = generated(channels=channels)
    found = drawn(opened(tmp_path, samples))
    assert found is not None
    assert [row["label"] for row in found["rows"]] == [0, 1, 2]
    strip = found["rows"][1]["drawn"]
    assert (strip["width"], strip["height"]) == (4 * 32, 32)
    picture = pixels(strip).reshape(8, 32, channels)
    assert np.array_equal(picture[:, 16:24], samples[1, 2].transpose(1, 2, 0))
    assert (found["strength"], found["many"]) == ("", 3)


def test_a_run_that_generates_nothing_shows_nothing(tmp_path: Path) -> None:
    run = opened(tmp_path)
    assert drawn(run) is None
    assert other_groupings(run) == []
    text = write_page(run).read_text(encoding="utf-8")
    assert "What it generates" not in text
    assert "Other ways to group them" not in text


def test_generated_images_that_do_not_fit_the_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"samples\.npz does not hold images of the 3 clusters"):
        _ = opened(tmp_path, generated(k=2)).samples


def test_what_sets_a_group_apart_stands_before_what_is_drawn_of_it(tmp_path: Path) -> None:
    own = pictures(3)
    found = drawn(opened(tmp_path, generated(), {"linkage": own}))
    assert found is not None
    assert found["strength"] == "25.0%"
    assert np.array_equal(pixels(found["rows"][2]["apart"]), own.apart[2, 0])


def test_other_answers_stand_with_their_sizes_images_and_drawings(tmp_path: Path) -> None:
    own = pictures(2)
    run = opened(tmp_path, generated(), {"linkage": pictures(3), "run-2": own})
    (found,) = other_groupings(run)
    assert (found["name"], found["agreement"], found["strength"]) == ("run-2", "0.125", "25.0%")
    assert [row["size"] for row in found["rows"]] == ["6", "6"]
    assert np.array_equal(pixels(found["rows"][1]["images"])[:, 8:16], own.images[4, 0])
    assert np.array_equal(pixels(found["rows"][1]["drawn"])[:, :8], own.drawn[1, 0, 0])
    text = write_page(run).read_text(encoding="utf-8")
    assert "Other ways to group them" in text
    assert text.count('src="data:image/png;base64,') == 3 * 3 + 2 * 3


def test_a_group_without_an_image_has_none_to_show(tmp_path: Path) -> None:
    own = pictures(2)
    own = GroupPictures(own.apart, own.strength, own.images[:3], np.array([3, 0]), own.drawn)
    (found,) = other_groupings(opened(tmp_path, generated(), {"run-2": own}))
    assert found["rows"][1]["images"] is None


@pytest.mark.parametrize("pictured", [{"run-7": pictures(2)}, {"run-2": pictures(3)}, {"linkage": pictures(2)}])
def test_pictures_that_do_not_fit_the_answers_are_refused(pictured: dict[str, GroupPictures], tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"group-pictures\.npz does not fit the groups of"):
        other_groupings(opened(tmp_path, generated(), pictured))


def test_the_largest_of_many_groups_are_shown_and_the_page_says_so(tmp_path: Path) -> None:
    labels = np.arange(50)
    images = RNG.integers(0, 256, (50, 8, 8), dtype=np.uint8)
    made = make_run(
        tmp_path / "run", images, labels, info={"answers": {**ANSWERS, "runs": RUNS, "alternatives": [2, 3]}}
    )
    np.savez(made / "answers.npz", **{"linkage": labels, "run-2": labels[::-1]})
    np.savez(made / "samples.npz", samples=generated(50))
    write_group_pictures(made / "group-pictures.npz", {"linkage": pictures(40), "run-2": pictures(40)})
    run = RunFolder.open(made)
    assert [len(found["rows"]) for found in (drawn(run), *other_groupings(run)) if found] == [40, 40]
    text = write_page(run).read_text(encoding="utf-8")
    assert text.count("The 40 largest of 50 groups are shown.") == 2
    assert "the best by their figures first: 1 of 2." in text


@pytest.mark.parametrize("odd", ["text", ["x"], {"answers": 3}, {"answers": [{"name": ["x"], "ari": 1.0}]}, {}])
def test_odd_entries_of_answers_leave_the_pictures_in_place(odd: Any, tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", IMAGES, LABELS, info={"answers": odd})
    np.savez(made / "answers.npz", **{"run-2": OTHER})
    write_group_pictures(made / "group-pictures.npz", {"run-2": pictures(2)})
    (found,) = other_groupings(RunFolder.open(made))
    assert found["agreement"] == "–"
