"""Exact neighbours beside brute force in float64, where float32 alone would be wrong, and on wrong input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.errors import ConfigError
from coterie.graphs import knn
from coterie.graphs.knn import Neighbors, nearest_neighbors, rank, search
from oracles import plain_graphs


def points(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def assert_exact(found: Neighbors, features: np.ndarray, k: int) -> None:
    indices, distances = plain_graphs.knn(features, k)
    np.testing.assert_allclose(found.sq_distances, distances, rtol=1e-12)
    assert (found.indices == indices).all()


@pytest.mark.parametrize(("n", "d", "k"), [(2, 1, 1), (30, 1, 7), (300, 5, 20), (120, 64, 119), (50, 3, 12)])
def test_neighbours_are_those_of_brute_force_in_order(n: int, d: int, k: int) -> None:
    features = points(n, d)
    assert_exact(nearest_neighbors(features, k), features, k)


@pytest.mark.parametrize("side", [1, 20, 37, 300, 301])
def test_blocks_of_any_size_give_the_same_neighbours(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = points(301, 6)
    monkeypatch.setattr(knn, "SIDE", side)
    assert_exact(nearest_neighbors(features, 10), features, 10)


@pytest.mark.parametrize("rows", [37, 90])  # many queries and few are searched in two ways
def test_blocks_of_any_size_find_the_same_rows_of_another_set(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, queries = points(301, 6), points(90, 6, seed=1)
    whole = search(queries, features, 10)
    monkeypatch.setattr(knn, "ROWS", rows)
    monkeypatch.setattr(knn, "SIDE", 41)
    monkeypatch.setattr(knn, "COLUMNS", 64)
    blocked = search(queries, features, 10)
    assert (blocked.indices == whole.indices).all()
    assert (blocked.sq_distances == whole.sq_distances).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_any_number_of_threads_gives_the_same_neighbours(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, before = points(203, 4), torch.get_num_threads()
    monkeypatch.setattr(knn, "SIDE", 64)
    try:
        torch.set_num_threads(threads)
        assert_exact(nearest_neighbors(features, 9), features, 9)
        assert (search(features, features, 1).indices[:, 0] == np.arange(203)).all()
    finally:
        torch.set_num_threads(before)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 24).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n + 3), st.integers(0, 10**6))))
def test_rows_drawn_from_few_values_have_neighbours_as_near_as_brute_force(
    case: tuple[int, int, int],
) -> None:
    n, k, seed = case
    features = np.random.default_rng(seed).integers(0, 3, (n, 2)).astype(np.float32)
    found = nearest_neighbors(features, k)
    _, distances = plain_graphs.knn(features, min(k, n - 1))
    assert (found.sq_distances == distances).all()
    assert (found.indices != np.arange(n)[:, None]).all()


def test_exact_duplicates_are_neighbours_of_each_other_and_never_of_themselves() -> None:
    features = np.repeat(points(8, 4), 12, axis=0)
    found = nearest_neighbors(features, 11)
    assert (found.sq_distances == 0).all()
    assert (found.indices // 12 == np.arange(96)[:, None] // 12).all()
    assert all(len(set(row)) == 11 and i not in row for i, row in enumerate(found.indices.tolist()))


def test_more_than_a_block_of_copies_of_one_row_gives_neighbours_at_distance_zero() -> None:
    features = np.ones((150, 5), np.float32)
    found = nearest_neighbors(features, 20)
    assert (found.sq_distances == 0).all()
    assert (found.indices >= 0).all()
    assert (found.indices != np.arange(150)[:, None]).all()


def test_more_neighbours_than_there_are_others_are_clipped() -> None:
    assert nearest_neighbors(points(6, 2), 20).indices.shape == (6, 5)
    assert search(points(3, 2), points(6, 2), 20).indices.shape == (3, 6)


@pytest.mark.parametrize(
    ("what", "features"),
    [
        ("an offset of a thousand", points(400, 8) * 0.1 + 1000),
        ("an offset of ten thousand", points(400, 8) * 0.1 + 10_000),
        ("two blobs far apart", points(400, 2) + np.repeat([[1e4], [-1e4]], 200, axis=0)),
        ("one outlier", np.concatenate([points(399, 3), np.full((1, 3), 1e6)])),
        ("huge values", points(400, 8) * 1e19),
        ("values at the end of float32", points(400, 8) * 5e37),
        ("tiny values", points(400, 8) * 1e-25),
        ("columns of different size", points(400, 4) * [1e-3, 1, 1e3, 1e6]),
    ],
)  # fmt: skip
def test_neighbours_are_exact_wherever_the_features_lie(
    what: str, features: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knn, "SIDE", 150)
    features = features.astype(np.float32)
    assert_exact(nearest_neighbors(features, 10), features, 10)


def test_moving_and_scaling_all_features_keeps_the_neighbours() -> None:
    features = np.round(points(300, 6) * 64) / 64  # so that the moved rows differ by exactly as much
    before = nearest_neighbors(features, 8)
    moved = nearest_neighbors(features * 4 + 512, 8)
    assert (moved.indices == before.indices).all()
    assert (moved.sq_distances == 16 * before.sq_distances).all()


def test_search_finds_the_nearest_rows_of_another_set_itself_included() -> None:
    features = points(200, 5)
    found = search(features[40:60], features, 4)
    assert (found.indices[:, 0] == np.arange(40, 60)).all()
    assert (found.sq_distances[:, 0] == 0).all()
    assert (found.indices[:, 1:] == nearest_neighbors(features, 3).indices[40:60]).all()


def test_an_answer_does_not_depend_on_the_other_queries() -> None:
    features, queries = points(150, 5), points(12, 5, seed=1) * [[1]] * 3
    together = search(queries, features, 6)
    for i, query in enumerate(queries):
        alone = search(query[None], features, 6)
        assert (alone.indices[0] == together.indices[i]).all()


def test_ranking_puts_missing_candidates_last_at_an_infinite_distance() -> None:
    features = points(10, 3)
    ranked = rank(features[:1], features, np.array([[7, -1, 3, -1]]), 4)
    d = ((features[0].astype(float) - features[[3, 7]]) ** 2).sum(axis=1)
    assert ranked.indices[0].tolist() == [[3, 7], [7, 3]][int(d[1] < d[0])] + [-1, -1]
    np.testing.assert_allclose(ranked.sq_distances[0], [*sorted(d), np.inf, np.inf])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused_by_number(value: float) -> None:
    features = points(20, 3)
    features[[4, 11], 1] = value
    with pytest.raises(ConfigError, match=r"^2 rows of the features are not finite \(first: 4, 11\)"):
        nearest_neighbors(features, 3)
    with pytest.raises(ConfigError, match="first: 4, 11"):
        search(features, points(5, 3), 3)


def test_new_images_with_another_number_of_features_are_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match="have 4 features and the model was fitted on 3"):
        search(points(5, 4), points(5, 3), 2)


@pytest.mark.parametrize(("n", "k"), [(1, 5), (5, 0), (5, -1), (0, 1)])
def test_too_few_rows_or_neighbours_are_refused(n: int, k: int) -> None:
    with pytest.raises(ConfigError, match="at least 1 in at least 2"):
        nearest_neighbors(points(n, 2), k)


def test_arrays_that_are_read_only_float64_or_strided_are_taken_and_left_as_they_are() -> None:
    features = points(60, 8)
    wanted = nearest_neighbors(features[:, ::2].copy(), 5)
    frozen = features.astype(np.float64)
    frozen.flags.writeable = False
    for given_array in (features[:, ::2], frozen[:, ::2], np.asfortranarray(features[:, ::2])):
        before = given_array.copy()
        assert (nearest_neighbors(given_array, 5).indices == wanted.indices).all()
        assert (given_array == before).all()
    frozen32 = features[:, ::2].copy()
    frozen32.flags.writeable = False
    assert (nearest_neighbors(frozen32, 5).indices == wanted.indices).all()
