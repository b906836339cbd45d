"""The sets that are made here: what they hold, how uneven they are, and that they are always the same."""

from pathlib import Path

import numpy as np
import pytest

from coterie.evidence.datasets import load
from coterie.evidence.made_sets import (
    EIGHT_CENTRES,
    MADE,
    USPS_COUNTS,
    WOMEN,
    eight_gaussians,
    genders,
    thinned,
    with_artifact,
)
from coterie.metrics import uniformity_index


def test_the_eight_blobs_are_where_and_as_wide_as_the_paper_says() -> None:
    points, classes = eight_gaussians(80_000, np.random.default_rng(0))
    assert points.dtype == np.float32
    for c, centre in enumerate(EIGHT_CENTRES):
        own = points[classes == c]
        assert len(own) == pytest.approx(10_000, rel=0.05)
        np.testing.assert_allclose(own.mean(axis=0), centre, atol=1e-3)
        np.testing.assert_allclose(own.std(axis=0), 0.014, rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(EIGHT_CENTRES, axis=1), 2**0.5, atol=1e-3)
    assert {(round(x), round(y)) for x, y in EIGHT_CENTRES} == {
        (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1),
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_pixel_of_an_image_is_its_class_and_nothing_else_changes(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3000, channels, 5, 4), dtype=np.uint8)
    before = images.copy()
    marked, classes = with_artifact(images)
    assert np.array_equal(images, before)
    assert [set(marked[classes == c][:, :, 0, 0].ravel()) for c in range(3)] == [{26}, {128}, {230}]
    marked[:, :, 0, 0] = images[:, :, 0, 0]
    assert np.array_equal(marked, images)
    np.testing.assert_allclose(np.bincount(classes), 1000, atol=100)
    assert np.array_equal(with_artifact(images)[1], classes)
    assert not np.array_equal(with_artifact(images, seed=1)[1], classes)


@pytest.mark.parametrize(
    ("name", "n", "ui"),
    [("usps-1500", 8900, 0.985), ("usps-1200", 8600, 0.991), ("usps-900", 8000, 0.998), ("usps-800", 7700, 0.999),
     ("usps-700", 7000, 1.0)],
)  # fmt: skip
def test_the_variants_of_usps_have_the_sizes_and_evenness_of_the_paper(name: str, n: int, ui: float) -> None:
    """Table I of the supplement."""
    counts = USPS_COUNTS[name]
    assert sum(counts) == n
    assert round(uniformity_index(np.repeat(np.arange(10), counts)), 3) == ui


def test_a_thinned_set_has_the_counts_asked_for_in_the_order_of_the_file() -> None:
    classes = np.random.default_rng(0).integers(0, 3, 100)
    rows = thinned(classes, (5, 9, 2))
    assert np.bincount(classes[rows]).tolist() == [5, 9, 2]
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, thinned(classes, (5, 9, 2)))
    assert not np.array_equal(rows, thinned(classes, (5, 9, 2), seed=1))


def test_four_of_forty_persons_are_women() -> None:
    assert len(WOMEN) == 4
    classes = genders(np.repeat(np.arange(40), 10))
    assert classes.sum() == 40
    assert set(np.flatnonzero(classes) // 10) == set(WOMEN)


@pytest.mark.parametrize("name", MADE)
def test_a_made_set_is_loaded_by_its_name(name: str, shared_data: Path) -> None:
    data, source = load(name, shared_data), load(MADE[name].source, shared_data)
    assert data.name == name
    assert data.n_clusters == MADE[name].k == len(np.unique(data.classes))
    assert data.images.shape[1:] == source.images.shape[1:]
    assert len(data.images) == len(data.classes)
    if name in USPS_COUNTS:
        assert tuple(np.bincount(data.classes)) == USPS_COUNTS[name]


def test_the_zeros_alone_have_an_artifact_too(shared_data: Path) -> None:
    data, digits = load("artifact-mnist-0", shared_data), load("mnist", shared_data)
    assert len(data.images) == (digits.classes == 0).sum() == 6903
    assert np.array_equal(data.images[:, :, 1:], digits.images[digits.classes == 0][:, :, 1:])
    assert min(np.bincount(data.classes)) > 2200


def test_an_artifact_is_set_after_images_were_made_smaller(shared_data: Path) -> None:
    data = load("artifact-mnist-test", shared_data, (14, 14))
    assert data.images.shape == (10_000, 1, 14, 14)
    assert set(data.images[:, 0, 0, 0]) == {26, 128, 230}
    faint = load("faint-mnist-test", shared_data, (14, 14))
    assert set(faint.images[:, 0, 0, 0]) == {64, 128, 191}
    assert np.array_equal(faint.classes, data.classes)
