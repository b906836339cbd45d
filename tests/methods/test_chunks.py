"""The order of updates: every chunk, every repetition, every view, and nothing out of range."""

from collections import Counter

import pytest
import torch

from coterie.methods.chunks import chunk_size, n_updates, sub_batches
from coterie.training.batches import plan_batches


def rows(n: int, size: int = 32, repeats: int = 10, views: int = 2, seed: int = 0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return list(sub_batches(n, size, repeats=repeats, views=views, generator=random))


def test_a_chunk_of_a_thousand_gives_the_620_updates_of_the_released_code() -> None:
    updates = rows(1000)
    assert len(updates) == 620
    assert all(update.shape == (32,) and update.dtype == torch.int64 for update in updates)


@pytest.mark.parametrize("n", [32, 33, 63, 500, 797, 999, 1001])
def test_a_shorter_chunk_is_used_to_its_end_and_not_beyond(n: int) -> None:
    updates = rows(n, repeats=3, views=1)
    assert len(updates) == 3 * (n // 32)
    assert min(int(update.min()) for update in updates) >= 0
    assert max(int(update.max()) for update in updates) < n


def test_a_chunk_smaller_than_a_batch_gives_nothing() -> None:
    assert rows(31) == []


def test_an_image_is_in_a_pass_at_most_once_and_the_views_of_a_batch_come_one_after_another() -> None:
    updates = rows(100, size=30, repeats=4, views=3)
    for view in range(0, len(updates), 3):
        assert torch.equal(updates[view], updates[view + 1])
        assert torch.equal(updates[view], updates[view + 2])
    for repeat in range(4):
        batches = updates[9 * repeat : 9 * repeat + 9 : 3]
        counts = Counter(torch.cat(batches).tolist())
        assert len(counts) == 90
        assert set(counts.values()) == {1}


def test_repetitions_have_orders_of_their_own_and_the_seed_decides_them() -> None:
    updates = rows(64, repeats=2, views=1)
    assert not torch.equal(updates[0], updates[2])
    assert all(torch.equal(a, b) for a, b in zip(updates, rows(64, repeats=2, views=1), strict=True))
    assert not torch.equal(updates[0], rows(64, repeats=2, views=1, seed=1)[0])


@pytest.mark.parametrize(
    ("n", "updates"), [(60_000, 37_200), (13_000, 8_060), (19_500, 19 * 620 + 15 * 20), (1_797, 620 + 24 * 20)]
)
def test_an_epoch_has_as_many_updates_as_its_chunks(n: int, updates: int) -> None:
    assert n_updates(n, 1000, 32, repeats=10, views=2) == updates


@pytest.mark.parametrize("n", [40, 1000, 1001, 1999, 2033, 3001])
def test_the_number_of_updates_is_that_of_the_runs_batches(n: int) -> None:
    plan = plan_batches(n, chunk_size(n, 1000))
    counted = sum(len(rows(part.stop - part.start, repeats=1, views=2)) for part in plan)
    assert n_updates(n, 1000, 32, repeats=1, views=2) == counted
