"""Odd blocks for the best of rows and columns: any order, no room, no numbers, equal keys."""

import numpy as np
import pytest

from coterie.graphs.best_k import empty_heaps, keep_best_of_columns, keep_best_of_rows

NOBODY = -1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_order_in_which_blocks_come_does_not_matter_where_no_keys_are_equal(dtype: type) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.permutation(40 * 500).reshape(40, 500).astype(dtype)
    answers = []
    for order in (range(0, 500, 100), range(400, -1, -100)):
        heaps = empty_heaps(40, 9, dtype)
        assert heaps[0].dtype == dtype
        for c in order:
            keep_best_of_rows(matrix[:, c : c + 100], np.zeros(100, dtype), c, *heaps, np.full(40, NOBODY))
        answers.append(np.sort(heaps[1], axis=1))
    assert (answers[0] == answers[1]).all()
    assert (answers[0] == np.sort(np.argsort(matrix, axis=1)[:, :9], axis=1)).all()


def test_columns_outside_the_given_range_are_left_alone() -> None:
    heaps = empty_heaps(10, 3, np.float32)
    block = np.random.default_rng(0).random((8, 10)).astype(np.float32)
    keep_best_of_columns(block, np.zeros(8, np.float32), 0, *heaps, 2, 7)
    untouched = [0, 1, 7, 8, 9]
    assert np.isinf(heaps[0][untouched]).all()
    assert (heaps[1][untouched] == -1).all()
    assert np.isfinite(heaps[0][2:7]).all()


def test_a_heap_with_room_left_says_so_by_infinity_and_minus_one() -> None:
    heaps = empty_heaps(2, 5, np.float32)
    keep_best_of_rows(np.array([[3, 1], [2, 2]], np.float32), np.zeros(2, np.float32), 7, *heaps, np.array([8, NOBODY]))
    assert sorted(heaps[1][0].tolist()) == [-1, -1, -1, -1, 7]
    assert sorted(heaps[1][1].tolist()) == [-1, -1, -1, 7, 8]
    assert np.isinf(heaps[0][:, 0]).all()


def test_keys_that_are_no_numbers_or_infinite_are_never_kept() -> None:
    heaps = empty_heaps(1, 3, np.float32)
    keys = np.array([[np.nan, np.inf, 4, -np.inf, np.nan, 2]], np.float32)
    keep_best_of_rows(keys, np.zeros(6, np.float32), 0, *heaps, np.array([NOBODY]))
    assert sorted(heaps[1][0].tolist()) == [2, 3, 5]


def test_of_equal_keys_the_first_that_came_stays() -> None:
    heaps = empty_heaps(1, 3, np.float32)
    keep_best_of_rows(np.ones((1, 200), np.float32), np.zeros(200, np.float32), 0, *heaps, np.array([1]))
    assert sorted(heaps[1][0].tolist()) == [0, 2, 3]
