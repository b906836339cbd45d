import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coterie.images import thumbnails
from coterie.images.store import open_images
from coterie.images.thumbnails import chosen_images, tile_side, write_thumbnails


def tiles(folder: Path) -> list[np.ndarray]:
    index = json.loads((folder / "index.json").read_text())
    tile, out = index["tile"], []
    for t in range(index["n"]):
        sheet, place = divmod(t, index["rows"] * index["columns"])
        row, column = divmod(place, index["columns"])
        with Image.open(folder / f"sheet-{sheet:04d}.jpg") as image:
            assert image.width == index["columns"] * tile
            out.append(np.asarray(image.crop((column * tile, row * tile, (column + 1) * tile, (row + 1) * tile))))
    return out


def levels(n: int, side: int) -> np.ndarray:
    """Each image one grey of its own and one pixel of another."""
    images = np.repeat(np.arange(n) * 255 // n, side * side).reshape(n, side, side).astype(np.uint8)
    images[:, 0, 0] ^= 1
    return images


def test_every_image_has_its_tile_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "SHEET_SIDE", 64)
    write_thumbnails(open_images(levels(11, 8)), tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert index == {"tile": 32, "columns": 2, "rows": 2, "n": 11, "images": None}
    assert len(list(tmp_path.glob("sheet-*.jpg"))) == 3
    assert [round(tile.mean() / 255 * 11) for tile in tiles(tmp_path)] == list(range(11))


def test_tiny_images_are_enlarged_without_blur(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.choice([0, 255], (3, 8, 8)).astype(np.uint8)
    write_thumbnails(open_images(images), tmp_path)
    for tile, image in zip(tiles(tmp_path), images, strict=True):
        assert np.abs(tile.astype(int) - image.repeat(4, 0).repeat(4, 1)).max() < 60


@pytest.mark.parametrize(
    ("n", "height", "width", "tile"),
    [
        (100, 224, 224, 96), (2_000, 224, 224, 96), (2_001, 224, 224, 64), (10_001, 224, 224, 48),
        (50_000, 300, 200, 48),
        (100, 64, 64, 64), (100, 32, 32, 32), (100, 8, 8, 32), (100, 28, 28, 64), (100, 1, 1, 32),
    ],
)  # fmt: skip
def test_the_tile_follows_the_number_and_the_size_of_the_images(n: int, height: int, width: int, tile: int) -> None:
    assert tile_side(n, height, width) == tile


@given(n=st.integers(1, 200_000), must=st.lists(st.integers(0, 199_999), max_size=20))
def test_a_large_set_is_sampled_evenly_and_keeps_what_it_must(n: int, must: list[int]) -> None:
    chosen = chosen_images(n, must)
    assert len(chosen) <= 50_000
    assert (np.diff(chosen) > 0).all()
    if n > 50_000:
        assert set(chosen.tolist()) >= {i for i in must if i < n}
        assert np.diff(chosen).max() <= n // 40_000 + 1
    else:
        assert len(chosen) == n


def test_the_budget_is_kept_by_quality_and_then_by_size(tmp_path: Path) -> None:
    store = open_images(np.random.default_rng(0).integers(0, 256, (400, 64, 64, 3), dtype=np.uint8))
    sizes = []
    for budget in (40_000_000, 800_000, 200_000):
        folder = tmp_path / str(budget)
        write_thumbnails(store, folder, budget_bytes=budget)
        sizes.append(sum(path.stat().st_size for path in folder.glob("*.jpg")))
        assert sizes[-1] <= budget * 1.05
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_sample_lists_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MOST_TILES", 5)
    write_thumbnails(open_images(levels(20, 8)), tmp_path, must_have=[7])
    index = json.loads((tmp_path / "index.json").read_text())
    assert 7 in index["images"]
    assert [round(tile.mean() / 255 * 20) for tile in tiles(tmp_path)] == index["images"]


def test_images_that_are_not_square_keep_their_shape(tmp_path: Path) -> None:
    images = np.zeros((2, 200, 100, 3), np.uint8)
    images[:, 0, :2] = 1, 2, 3
    images[1] += 1
    write_thumbnails(open_images(images, background="white"), tmp_path)
    tile = tiles(tmp_path)[0]
    assert tile.shape == (96, 96, 3)
    assert tile[48, 5].min() > 240
    assert tile[48, 48].max() < 15
