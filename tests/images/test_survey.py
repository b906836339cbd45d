from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coterie.images.find import find_images
from coterie.images.survey import survey


def draw(folder: Path, *looks: tuple[int, int, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for i, (width, height, mode) in enumerate(looks):
        Image.new(mode, (width, height), 1).save(folder / f"{i:04}.tif")
    return folder


def test_headers_give_common_and_median_size_and_greyness(tmp_path: Path) -> None:
    seen = survey(find_images(draw(tmp_path / "a", (20, 10, "L"), (20, 10, "1"), (20, 10, "I;16"))), 10**6)
    assert (seen.common_size, seen.median_size, seen.working_size, seen.all_grey) == (
        (10, 20),
        (10, 20),
        (10, 20),
        True,
    )
    seen = survey(find_images(draw(tmp_path / "b", (20, 10, "L"), (30, 50, "RGB"), (40, 60, "P"))), 10**6)
    assert (seen.common_size, seen.median_size, seen.working_size, seen.all_grey) == (None, (50, 30), (224, 224), False)


def test_sizes_are_those_of_the_upright_images(tmp_path: Path) -> None:
    for form in ("jpg", "png"):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (20, 10)).save(tmp_path / f"turned.{form}", exif=exif)
    assert survey(find_images(tmp_path), 10**6).common_size == (20, 10)


def test_unreadable_files_are_passed_over(tmp_path: Path) -> None:
    draw(tmp_path / "a", (9, 9, "L"), (9, 9, "L"), (500, 500, "RGB"))
    (tmp_path / "a" / "bad.png").write_bytes(b"bad")
    seen = survey(find_images(tmp_path / "a"), max_pixels=10_000)
    assert (seen.common_size, seen.all_grey) == ((9, 9), True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "bad.png").write_bytes(b"bad")
    seen = survey(find_images(tmp_path / "b"), 10**6)
    assert (seen.median_size, seen.working_size, seen.all_grey) == ((0, 0), (224, 224), False)


def test_at_most_256_evenly_spaced_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(1000):
        (tmp_path / f"{i:04}.png").touch()
    asked: list[int] = []
    monkeypatch.setattr("coterie.images.survey.payloads", lambda found, wanted: asked.extend(wanted) or iter(()))
    survey(find_images(tmp_path), 10**6)
    assert len(asked) == 256
    assert (asked[0], asked[-1]) == (0, 999)
    assert set(np.diff(asked)) <= {3, 4}
