"""What the page draws and says of where a network looked."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.report import write_page
from coterie.report.attention import attention_data
from coterie.report.words import words
from report.run_maker import blobs, looked, make_run, records


def made(folder: Path, **parts: Any) -> RunFolder:
    images, labels, *_ = blobs(40, 3)
    return RunFolder.open(make_run(folder, images, labels, records=records(2), **parts))


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def test_a_run_without_attention_draws_and_says_nothing_of_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert attention_data(run) is None
    assert words(run)["learned"]["attention"] is None
    assert 'id="looks"' not in write_page(run).read_text(encoding="utf-8")


def test_maps_shares_and_circle_keep_their_values(tmp_path: Path) -> None:
    looks = looked(40, 3)
    found = attention_data(made(tmp_path, attention=looks))
    assert found is not None
    assert unpacked(found["images"], "<i4").tolist() == looks["images"].tolist()
    assert (found["map_shape"], found["k"]) == ([6, 6], 3)
    np.testing.assert_allclose(unpacked(found["maps"], "u1") / 255, looks["maps"].ravel(), atol=0.002)
    np.testing.assert_allclose(unpacked(found["shares"], "<u2") / 10_000, looks["shares"].ravel(), atol=1e-4)
    np.testing.assert_allclose(unpacked(found["circle"], "<i2") / 30_000, looks["circle"].ravel(), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "place"),
    [([1, 8, 8], [0, 0, 1, 1]), ([1, 30, 20], [12 / 64, 2 / 64, 40 / 64, 60 / 64]), ([3, 200, 100], [0.25, 0, 0.5, 1])],
)
def test_the_overlay_covers_the_image_and_not_the_rest_of_its_thumbnail(
    shape: list[int], place: list[float], tmp_path: Path
) -> None:
    found = attention_data(made(tmp_path, attention=looked(40, 3), info={"images": {"n": 40, "shape": shape}}))
    assert found is not None
    assert found["place"] == pytest.approx(place)


def test_the_page_says_what_is_seen_and_what_is_not(tmp_path: Path) -> None:
    learned = words(made(tmp_path / "with", attention=looked(40, 3)))["learned"]["attention"]
    assert learned["title"] == "Where it looked"
    assert learned["sentence"].startswith("Red is where the network looked most")
    assert "each of 3 clusters" in learned["sentence"]
    blind = looked(40, 3) | {"maps": np.zeros((9, 0, 0), np.float32)}
    run = made(tmp_path / "without", attention=blind)
    assert words(run)["learned"]["attention"]["title"] == "What it said"
    html = write_page(run).read_text(encoding="utf-8")
    assert 'id="looks"' in html
    assert 'id="looks-overlay"' not in html.split("<script", 1)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.array([40] * 9)},
        {"images": np.arange(5)},
        {"maps": np.zeros((9, 6))},
        {"shares": np.zeros(9)},
        {"circle": np.zeros((3, 3))},
        {"circle_images": np.array([0.5])},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_are_refused_with_the_file(changes: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"attention\.npz does not fit the 40 images"):
        _ = made(tmp_path, attention=looked(40, 3) | changes).attention


def test_a_part_that_is_absent_or_damaged_is_refused(tmp_path: Path) -> None:
    looks = looked(40, 3)
    del looks["circle"]
    with pytest.raises(RunFolderError, match=r"attention\.npz is missing or damaged"):
        _ = made(tmp_path / "absent", attention=looks).attention
    run = made(tmp_path / "damaged", attention=looked(40, 3))
    (run.path / "attention.npz").write_bytes(b"PK")
    with pytest.raises(RunFolderError, match=r"attention\.npz is missing or damaged"):
        _ = run.attention
