"""Batches hold every image once, as floats on the device, whether the images lie there or are streamed."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import ConfigError
from coterie.training.batches import Resident, Streamed, in_turn, place_images, plan_batches
from coterie.training.run import Run
from coterie.training.sources import image_mark
from training.toy import IMAGES

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("n", "size", "drop", "sizes"),
    [
        (32, 10, False, [10, 10, 10, 2]),
        (32, 10, True, [10, 10, 10]),
        (31, 10, False, [10, 10, 11]),
        (31, 10, True, [10, 10, 10]),
        (30, 10, False, [10, 10, 10]),
        (3, 2, False, [3]),
        (3, 2, True, [2]),
        (3, 1, False, [1, 1, 1]),
        (1, 1, False, [1]),
        (2, 2, True, [2]),
    ],
)
def test_the_plan_has_full_batches_and_never_ends_with_one_image(
    n: int, size: int, drop: bool, sizes: list[int]
) -> None:
    plan = plan_batches(n, size, drop)
    assert [rows.stop - rows.start for rows in plan] == sizes
    assert plan[0].start == 0
    assert all(before.stop == after.start for before, after in pairwise(plan))


@pytest.mark.parametrize("size", [0, -3, 2.5, True, "10"])
def test_a_batch_size_that_is_no_number_of_images_is_refused(size: Any) -> None:
    with pytest.raises(ConfigError, match=r"batch_size=.* is not a number of images"):
        plan_batches(32, size)


@pytest.mark.parametrize("budget", [0, 10**9])
@pytest.mark.parametrize("kind", ["array", "map", "store", "tensor"])
def test_batches_are_the_images_from_0_to_1_with_their_index(tmp_path: Path, kind: str, budget: int) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    kinds = {"array": IMAGES, "map": mapped, "store": SimpleNamespace(images=mapped), "tensor": torch.tensor(IMAGES)}
    seen = []
    with Run(device="cpu", image_budget=budget) as run:
        for _ in run.epochs(1):
            for batch in run.batches(kinds[kind], 5):
                assert batch.clean.dtype == torch.float32
                expected = torch.tensor(IMAGES)[batch.index].float() / 255
                torch.testing.assert_close(batch.clean, expected, rtol=0, atol=1e-7)
                seen += batch.index.tolist()
    assert sorted(seen) == list(range(32))
    assert seen != list(range(32))


def test_streamed_and_resident_images_give_the_same_batches() -> None:
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    plan = plan_batches(32, 7)
    pairs = zip(
        Resident(torch.tensor(IMAGES), CPU).batches(order, plan),
        Streamed(IMAGES, CPU).batches(order, plan),
        strict=True,
    )
    for one, other in pairs:
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.clean, other.clean)


def test_a_stream_that_is_left_early_ends_its_thread() -> None:
    import threading

    before = threading.active_count()
    for _ in Streamed(IMAGES, CPU).batches(torch.arange(32), plan_batches(32, 2)):
        break
    assert threading.active_count() == before


def test_images_beyond_the_budget_are_streamed() -> None:
    assert isinstance(place_images(IMAGES, CPU, IMAGES.nbytes), Resident)
    assert isinstance(place_images(IMAGES, CPU, IMAGES.nbytes - 1), Streamed)


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES.astype(np.float32), IMAGES[:0], torch.zeros(3, 1, 2, 2)])
def test_images_of_another_kind_are_refused(images: Any) -> None:
    with Run(device="cpu") as run, pytest.raises(ConfigError, match=r"images are uint8 \(n, c, h, w\), not"):
        next(run.in_order(images, 4))


def test_every_epoch_has_an_order_of_its_own_unless_asked_otherwise() -> None:
    with Run(device="cpu") as run:
        orders = [torch.cat([b.index for b in run.batches(IMAGES, 8)]).tolist() for _ in run.epochs(3)]
        plain = [torch.cat([b.index for b in run.batches(IMAGES, 8, order=in_turn)]).tolist() for _ in run.epochs(1)]
    assert len({tuple(order) for order in orders}) == 3
    assert plain == [list(range(32))]


def test_a_pass_may_be_longer_or_shorter_than_the_images_when_its_order_is() -> None:
    def twice_some(n: int, /, *, generator: torch.Generator) -> torch.Tensor:
        return torch.randperm(n - 2, generator=generator).repeat(2)

    with Run(device="cpu") as run:
        for _ in run.epochs(1):
            sizes, seen = [], []
            for batch in run.batches(IMAGES, 20, order=twice_some):
                sizes.append(len(batch))
                seen += batch.index.tolist()
    assert sizes == [20, 20, 20]
    assert sorted(seen) == sorted([*range(30)] * 2)


def test_looking_in_order_draws_no_random_numbers_and_sees_every_image() -> None:
    with Run(device="cpu") as run:
        before = run.random.order.get_state()
        assert torch.cat([batch.index for batch in run.in_order(IMAGES, 100)]).tolist() == list(range(32))
        assert torch.equal(run.random.order.get_state(), before)


def test_a_pass_outside_an_epoch_or_inside_another_pass_is_refused() -> None:
    with Run(device="cpu") as run:
        with pytest.raises(ConfigError, match="batches belongs in an epochs loop"):
            next(run.batches(IMAGES, 4))
        for _ in run.epochs(1):
            for _ in run.batches(IMAGES, 16):
                with pytest.raises(ConfigError, match="one pass at a time: use in_order"):
                    next(run.batches(IMAGES, 4))


def test_a_pass_that_is_left_early_does_not_block_the_next() -> None:
    with Run(device="cpu") as run:
        for _ in run.epochs(1):
            for _ in run.batches(IMAGES, 4):
                break
            assert len(list(run.batches(IMAGES, 4))) == 8


def test_the_mark_of_images_tells_sets_apart() -> None:
    other = IMAGES.copy()
    other[7] += 1
    assert image_mark(IMAGES) == image_mark(torch.tensor(IMAGES)) != image_mark(other)
    assert image_mark(SimpleNamespace(images=IMAGES, fingerprint="abc")) == "32 x 1 x 8 x 8 abc"
