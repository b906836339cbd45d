"""The approximate searches: recall on 5,000 points, exact ranking, complete rows; and which search runs by itself."""

import os
import sys
import types

import numpy as np
import pytest

from coterie.errors import ConfigError, GraphWarning, MissingExtraError, SlowPathWarning
from coterie.graphs import neighbors as room
from coterie.graphs.approximate import Index, build_index
from coterie.graphs.knn import Neighbors, nearest_neighbors
from coterie.graphs.neighbors import find_neighbors, measure_recall

K = 15


class Given(Index):
    """An index that finds what it was given: ``levels`` of candidates, each looking further than the one before."""

    def __init__(self, *levels: np.ndarray) -> None:
        self.levels = list(levels)

    def search(self, rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.levels[0][rows]
        return found

    def look_further(self) -> bool:
        if len(self.levels) == 1:
            return False
        self.levels.pop(0)
        return True


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(50, 24)).repeat(100, axis=0) * 1.5 + rng.normal(size=(5000, 24))).astype(np.float32)


@pytest.fixture(scope="module")
def truth(features: np.ndarray) -> Neighbors:
    return nearest_neighbors(features, K)


@pytest.fixture
def stub_nndescent(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynndescent takes some 30 s to compile in every process, so here a stand-in finds all but one in fifty."""

    class NNDescent:
        def __init__(self, data: np.ndarray, n_neighbors: int, random_state: int) -> None:
            rng = np.random.default_rng(random_state)
            found = nearest_neighbors(data, n_neighbors - 1).indices
            found[rng.random(found.shape) < 1 / 50] = -1
            itself = np.arange(len(data))[:, None]
            order = rng.permuted(np.tile(np.arange(n_neighbors), (len(data), 1)), axis=1)
            self.neighbor_graph = (np.take_along_axis(np.hstack([itself, found]), order, axis=1), None)

    monkeypatch.setitem(sys.modules, "pynndescent", types.SimpleNamespace(NNDescent=NNDescent))


@pytest.fixture
def as_installed(request: pytest.FixtureRequest) -> None:
    if request.getfixturevalue("method") == "nndescent":
        request.getfixturevalue("stub_nndescent")


def assert_ranked(found: Neighbors, features: np.ndarray) -> None:
    """Complete, without itself, nearest first, and at true distances."""
    X = features.astype(np.float64)
    assert (found.indices >= 0).all()
    assert (found.indices != np.arange(len(X))[:, None]).all()
    assert (np.sort(found.indices, axis=1)[:, 1:] != np.sort(found.indices, axis=1)[:, :-1]).all()
    assert (np.diff(found.sq_distances, axis=1) >= 0).all()
    for row in range(0, len(X), 97):
        wanted = ((X[row] - X[found.indices[row]]) ** 2).sum(axis=1)
        np.testing.assert_allclose(found.sq_distances[row], wanted, rtol=1e-12)


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize(("method", "least"), [("ivf", 0.97), ("hnsw", 0.99), ("nndescent", 0.97)])
def test_an_approximate_search_finds_nearly_all_neighbours_and_says_how_many(
    method: str, least: float, features: np.ndarray, truth: Neighbors
) -> None:
    found = find_neighbors(features, K, method=method)
    assert_ranked(found, features)
    true_share = (found.sq_distances <= truth.sq_distances[:, -1:]).mean()
    assert true_share >= least
    assert found.recall == pytest.approx(true_share, abs=0.01)
    # where a row was found whole, it is the exact row, in the same order
    whole = (np.sort(found.indices, axis=1) == np.sort(truth.indices, axis=1)).all(axis=1)
    assert whole.mean() > 0.5
    assert (found.indices[whole] == truth.indices[whole]).all()
    assert (found.sq_distances[whole] == truth.sq_distances[whole]).all()


def test_the_flat_search_of_faiss_agrees_with_ours_to_the_bit(features: np.ndarray, truth: Neighbors) -> None:
    found = find_neighbors(features, K, method="faiss")
    assert (found.indices == truth.indices).all()
    assert (found.sq_distances == truth.sq_distances).all()
    assert found.recall == 1.0


@pytest.mark.skipif(os.environ.get("COTERIE_SLOW_TESTS") != "1", reason="compiles for 30 s: COTERIE_SLOW_TESTS=1")
def test_the_real_nndescent_finds_nearly_all_neighbours(features: np.ndarray) -> None:
    found = find_neighbors(features, K, method="nndescent")
    assert_ranked(found, features)
    assert found.recall > 0.97


@pytest.mark.parametrize("method", ["ivf", "hnsw", "faiss"])
def test_the_same_seed_gives_the_same_neighbours(method: str, features: np.ndarray) -> None:
    one, two = (find_neighbors(features[:1500], K, method=method, seed=3) for _ in range(2))
    assert (one.indices == two.indices).all()


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("method", ["exact", "faiss", "ivf", "hnsw", "nndescent"])
def test_many_duplicates_get_complete_rows_and_full_recall_from_every_search(method: str) -> None:
    rng = np.random.default_rng(1)
    copies = np.repeat(rng.normal(size=(30, 6)), 60, axis=0).astype(np.float32)
    found = find_neighbors(copies, K, method=method)
    assert_ranked(found, copies)
    assert (found.sq_distances == 0).all()
    assert found.recall == 1.0


@pytest.mark.parametrize("method", ["exact", "faiss", "ivf", "hnsw"])
def test_fewer_rows_than_neighbours_are_clipped_by_every_search(method: str) -> None:
    few = np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32)
    found = find_neighbors(few, 20, method=method)
    assert found.indices.shape == (6, 5)
    assert_ranked(found, few)


def test_rows_of_which_an_approximate_search_finds_too_few_are_searched_exactly(
    monkeypatch: pytest.MonkeyPatch, features: np.ndarray, truth: Neighbors
) -> None:
    candidates = np.hstack([np.arange(len(features))[:, None], truth.indices])
    candidates[::3, 3:] = -1
    monkeypatch.setattr(room, "build_index", lambda *_: Given(candidates))
    found = find_neighbors(features, K, method="ivf")
    assert (found.indices == truth.indices).all()


@pytest.mark.parametrize("method", ["exact", "faiss", "ivf", "hnsw", "nndescent"])
def test_every_search_refuses_rows_that_are_not_finite(method: str) -> None:
    features = np.zeros((50, 3), np.float32)
    features[7, 1] = np.nan
    with pytest.raises(ConfigError, match="first: 7"):
        find_neighbors(features, 5, method=method)


def test_a_search_that_misses_a_tenth_of_the_neighbours_warns_with_its_recall(
    monkeypatch: pytest.MonkeyPatch, features: np.ndarray
) -> None:
    blind = Given(np.random.default_rng(0).integers(0, len(features), (len(features), 3 * K)))
    monkeypatch.setattr(room, "build_index", lambda *_: blind)
    with pytest.warns(GraphWarning, match="search='ivf' found only"):
        assert find_neighbors(features, K, method="ivf").recall < 0.2


def test_a_search_looks_further_until_its_recall_is_enough_and_no_further(
    monkeypatch: pytest.MonkeyPatch, features: np.ndarray, truth: Neighbors
) -> None:
    few, enough, all_of_them = truth.indices.copy(), truth.indices.copy(), truth.indices
    few[:, 3:], enough[::50, -1] = -1, -1
    index = Given(few, enough, all_of_them)
    monkeypatch.setattr(room, "build_index", lambda *_: index)
    found = find_neighbors(features, K, method="ivf")
    assert len(index.levels) == 2
    assert found.recall > 0.99


@pytest.mark.parametrize("method", ["ivf", "hnsw"])
def test_a_search_of_faiss_looks_further_up_to_everything_and_then_says_so(method: str, features: np.ndarray) -> None:
    index, rows = build_index(features, K, method, 0), np.arange(50)
    before, steps = index.search(rows), 0
    while index.look_further():
        steps += 1
        assert steps < 20
    assert steps >= 3
    last = index.search(rows)
    assert last.shape == before.shape == (50, K)
    true = nearest_neighbors(features, K - 1).indices[rows]
    found = [len(set(a) & set(b)) for a, b in zip(last, true, strict=True)]
    assert np.mean(found) > 0.999 * (K - 1)


def test_rows_are_searched_in_blocks_with_the_same_answer(
    monkeypatch: pytest.MonkeyPatch, features: np.ndarray
) -> None:
    whole = find_neighbors(features, K, method="ivf")
    monkeypatch.setattr(room, "BLOCK", 999)
    parts = find_neighbors(features, K, method="ivf")
    assert (parts.indices == whole.indices).all()
    assert (parts.sq_distances == whole.sq_distances).all()


def test_recall_is_the_share_of_true_neighbours(features: np.ndarray, truth: Neighbors) -> None:
    spoilt = truth.sq_distances.copy()
    spoilt[:, -3:] = np.inf
    assert measure_recall(features, truth) == 1.0
    assert measure_recall(features, truth._replace(sq_distances=spoilt)) == pytest.approx(1 - 3 / K)


@pytest.mark.parametrize("method", ["fast", "", None, 3, ["exact"]])
def test_an_unknown_search_is_refused_with_the_list_of_searches(method: object) -> None:
    with pytest.raises(ConfigError, match="expected one of auto, exact, faiss, ivf, hnsw, nndescent"):
        find_neighbors(np.zeros((5, 2), np.float32), 2, method=method)  # type: ignore[arg-type]


def test_auto_is_exact_up_to_the_stated_number_and_the_first_installed_search_above(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed: set[str] = {"faiss", "pynndescent"}
    monkeypatch.setattr(room, "find_spec", lambda name: name if name in installed else None)
    assert room._choose(room.EXACT_UP_TO) == "exact"
    assert room._choose(room.EXACT_UP_TO + 1) == "ivf"
    installed.remove("faiss")
    assert room._choose(room.EXACT_UP_TO + 1) == "nndescent"
    installed.clear()
    with pytest.warns(SlowPathWarning, match=r"200,001 images will take long.*coterie\[faiss\]"):
        assert room._choose(room.EXACT_UP_TO + 1) == "exact"


@pytest.mark.parametrize(
    ("method", "package", "extra"),
    [("ivf", "faiss", "faiss"), ("faiss", "faiss", "faiss"), ("nndescent", "pynndescent", "map")],
)
def test_a_search_whose_package_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, method: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"coterie\[{extra}\]"):
        find_neighbors(np.zeros((9, 2), np.float32), 2, method=method)
