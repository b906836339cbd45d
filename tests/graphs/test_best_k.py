"""The heaps that keep the k smallest of each row, beside a sort of the whole matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.best_k import WIDTH, empty_heaps, keep_best_of_columns, keep_best_of_rows

shapes = st.tuples(st.integers(1, 8), st.integers(1, 2 * WIDTH + 3), st.integers(1, 9), st.integers(0, 10**6))


def smallest(keys: np.ndarray, k: int) -> np.ndarray:
    """(r, k) the k smallest keys of each row, in order, infinite where there are fewer."""
    padded = np.concatenate([keys, np.full((len(keys), k), np.inf, keys.dtype)], axis=1)
    return np.sort(padded, axis=1)[:, :k]


def assert_kept(wanted: np.ndarray, keys: np.ndarray, indices: np.ndarray) -> None:
    """The heaps hold the smallest of ``wanted`` (r, c), each under its own column, the largest of them on top."""
    assert (np.sort(keys, axis=1) == smallest(wanted, keys.shape[1])).all()
    for r in range(len(keys)):
        used = indices[r] >= 0
        assert (used == np.isfinite(keys[r])).all()
        assert len(set(indices[r][used].tolist())) == used.sum()
        assert (wanted[r, indices[r][used]] == keys[r][used]).all()
    assert (keys[:, 0] == keys.max(axis=1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None, max_examples=60)
@given(shape=shapes)
def test_rows_keep_their_smallest_and_leave_themselves_out(dtype: type, shape: tuple[int, int, int, int]) -> None:
    r, c, k, seed = shape
    rng = np.random.default_rng(seed)
    block, offsets = rng.integers(-9, 9, (r, c)).astype(dtype), rng.integers(-3, 3, c).astype(dtype)
    itself = rng.integers(-1, c, r)
    keys, indices = empty_heaps(r, k, dtype)
    for begin in range(0, c, 50):
        keep_best_of_rows(block[:, begin : begin + 50], offsets[begin : begin + 50], begin, keys, indices, itself)
    wanted = block + offsets
    wanted[np.flatnonzero(itself >= 0), itself[itself >= 0]] = np.inf
    assert_kept(wanted, keys, indices)


@settings(deadline=None, max_examples=60)
@given(shape=shapes)
def test_columns_keep_the_smallest_of_the_transposed_block_in_any_parts(shape: tuple[int, int, int, int]) -> None:
    c, r, k, seed = shape  # c columns with heaps, r rows that come by
    rng = np.random.default_rng(seed)
    block, offsets = rng.integers(-9, 9, (r, c)).astype(np.float32), rng.integers(-3, 3, r).astype(np.float32)
    keys, indices = empty_heaps(c, k, np.float32)
    middle = int(rng.integers(0, c + 1))
    for begin in range(0, r, 50):
        for a, b in ((0, middle), (middle, c)):
            keep_best_of_columns(block[begin : begin + 50], offsets[begin : begin + 50], begin, keys, indices, a, b)
    assert_kept((block + offsets[:, None]).T.copy(), keys, indices)
