"""AC-Zell and AC-PIC: transitions, affinities and every merger against dense algebra and loops, on small data."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from coterie.classical import PathIntegral, ZetaFunction
from coterie.classical.path_integral import gain_of_paths
from coterie.classical.transitions import MOST_EXACT, WalkLinkage, transition_matrix, wide_enough
from coterie.classical.walks import Gain, detour, joined, walks_within
from coterie.classical.zeta import gain_of_cycles
from coterie.errors import ConfigError
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.history import History
from coterie.graphs.knn import Neighbors, nearest_neighbors
from oracles import dense_walks
from oracles.plain_graphs import partition

MAKES = [PathIntegral, ZetaFunction]
makers = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.kind)
gains = pytest.mark.parametrize(
    ("gain", "wanted"), [(gain_of_paths, dense_walks.paths_gained), (gain_of_cycles, dense_walks.cycles_gained)]
)
all_series = pytest.mark.parametrize("series", ["leading", "exact"])


def cloud(n: int = 60, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def case(seed: int = 0, *, n: int = 60, k: int = 6) -> tuple[csr_matrix, np.ndarray]:
    """(P (n, n), initial clusters (n,)) of normal points."""
    found = nearest_neighbors(cloud(n, seed=seed), k)
    return transition_matrix(found, 1.0), nearest_neighbor_clusters(found.indices[:, 0])


def merged(history: History) -> list[frozenset[frozenset[int]]]:
    """The two clusters of every merger, as sets of images."""
    nodes = [frozenset(np.flatnonzero(history.initial == c).tolist()) for c in range(history.n_initial)]
    pairs = []
    for i, j in history.merges:
        pairs.append(frozenset([nodes[i], nodes[j]]))
        nodes.append(nodes[i] | nodes[j])
    assert [len(node) for node in nodes[history.n_initial :]] == history.size.tolist()
    return pairs


def test_transitions_are_those_of_the_definition() -> None:
    features = cloud(40)
    found = transition_matrix(nearest_neighbors(features, 5), 0.95).toarray()
    np.testing.assert_allclose(found, dense_walks.transitions(features, 5, 0.95), rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_the_scale_is_doubled_until_no_image_is_cut_off_from_its_nearest() -> None:
    squares = np.array([[1.0, 2.0]] * 99 + [[1000.0, 1001.0]])
    wide = wide_enough(squares, 1.0)
    assert np.log2(wide) == 3  # mean 11.5: 1000 / (11.5 * 8) is the first below ln 100,000 = 11.51
    assert np.exp(-1000 / (wide * squares.mean())) >= 1e-5 > np.exp(-1000 / (wide / 2 * squares.mean()))
    assert wide_enough(squares[:9], 0.3) == 0.3
    assert wide_enough(np.zeros((4, 2)), 1.0) == 1.0
    lone = Neighbors(np.tile([[1, 2]], (100, 1)), squares)
    assert transition_matrix(lone, 1.0).data.min() > 0


@gains
@pytest.mark.parametrize("z", [0.01, 0.5])
def test_what_a_cluster_gains_from_another_is_the_difference_of_dense_inverses(
    gain: Gain, wanted: dense_walks.Affinity, z: float
) -> None:
    P, _ = case()
    a, b = np.arange(20), np.arange(20, 33)
    steps = z * P.toarray()
    found = gain(walks_within(steps, a), detour(steps, walks_within(steps, a), walks_within(steps, b)))
    assert found == pytest.approx(wanted(P.toarray(), z, a.tolist(), b.tolist()), rel=1e-6 if z < 0.1 else 1e-10)


@gains
def test_clusters_with_edges_but_no_way_back_gain_exactly_nothing(gain: Gain, wanted: dense_walks.Affinity) -> None:
    P = np.eye(4)
    P[0, 2] = P[3, 1] = 1  # and no edge from 2 to 3
    P /= P.sum(axis=1, keepdims=True)
    one, two = (walks_within(0.3 * P, np.array(images)) for images in ([0, 1], [2, 3]))
    assert gain(one, detour(0.3 * P, one, two)) == 0.0
    assert wanted(P, 0.3, [0, 1], [2, 3]) == pytest.approx(0.0, abs=1e-15)


@makers
@all_series
@pytest.mark.parametrize("seed", [0, 1])
def test_every_merger_is_that_of_the_definition(make: type[WalkLinkage], series: str, seed: int) -> None:
    P, initial = case(seed)
    history = make(series=series)._link(P, initial)
    wanted = dense_walks.run(P.toarray(), 0.01, initial, dense_walks.AFFINITIES[make.kind, series], least=1e-13)
    assert merged(history) == [pair for _, pair in wanted]
    np.testing.assert_allclose(history.affinity, [affinity for affinity, _ in wanted], rtol=1e-6)


@makers
@all_series
def test_single_images_merge_as_the_definition_says_too(make: type[WalkLinkage], series: str) -> None:
    P, _ = case(2, n=30, k=4)
    history = make(series=series, z=0.2)._link(P, np.arange(30))
    wanted = dense_walks.run(P.toarray(), 0.2, np.arange(30), dense_walks.AFFINITIES[make.kind, series], least=1e-12)
    assert merged(history) == [pair for _, pair in wanted]


@makers
def test_the_leading_term_is_all_but_some_z_of_the_whole_series(make: type[WalkLinkage]) -> None:
    P, initial = case()
    for z in (0.001, 0.01):
        leading, exact = (make(series=series, z=z)._link(P, initial).affinity[:5] for series in ("leading", "exact"))
        assert (abs(exact / leading - 1) < 2 * z).all()
        assert (abs(exact / leading - 1) > z / 10).all()


@makers
def test_the_groups_of_the_leading_term_are_those_of_the_whole_series(make: type[WalkLinkage]) -> None:
    features = cloud(120, 4)
    one, two = (make(n_clusters=6, series=series).fit(features).labels_ for series in ("leading", "exact"))
    assert partition(one) == partition(two)


@makers
def test_with_the_leading_term_the_groups_do_not_depend_on_z(make: type[WalkLinkage]) -> None:
    features = cloud(90)
    assert (make(4).fit(features).labels_ == make(4, z=0.9).fit(features).labels_).all()


@makers
@all_series
def test_parts_without_an_edge_between_them_are_joined_by_their_means(make: type[WalkLinkage], series: str) -> None:
    middles = np.repeat([[0, 0], [100, 0], [1000, 0], [1100, 0], [1200, 0]], 12, axis=0)
    features = cloud(60, 2) + middles.astype(np.float32)
    model = make(2, n_neighbors=4, series=series).fit(features)
    assert partition(model.labels_) == partition(middles[:, 0] // 500)


@makers
def test_whole_series_of_too_many_images_are_refused_before_anything_is_computed(make: type[WalkLinkage]) -> None:
    told = "that grows with the cube of the 3,001 images: it takes at most 3,000; take series='leading'"
    with pytest.raises(ConfigError, match=told):
        make(2, series="exact").fit(np.zeros((MOST_EXACT + 1, 1), np.float32))


@makers
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"series": "all"}, "series is 'all'; expected one of leading, exact"),
        ({"z": 1.0}, "z is 1.0; expected a finite number above 0 and of at most 0.99"),
        ({"z": 0.0}, "z is 0.0"),
        ({"a": 0.0}, "a is 0.0"),
        ({"n_neighbors": 0}, "n_neighbors is 0"),
    ],
)
def test_settings_out_of_range_are_refused(make: type[WalkLinkage], settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make(2).set_params(**settings).fit(cloud(20))


@makers
def test_images_that_are_all_alike_and_two_images_have_an_answer_by_the_whole_series_too(
    make: type[WalkLinkage],
) -> None:
    assert make(3, series="exact").fit(np.ones((30, 4), np.float32)).n_clusters_ == 3
    assert sorted(make(2, series="exact").fit(cloud(2)).labels_) == [0, 1]
    assert (make(1, series="exact").fit(cloud(2)).labels_ == 0).all()


def test_a_detour_is_the_corner_of_the_inverse_of_both() -> None:
    P, _ = case(3)
    steps = 0.4 * P.toarray()
    a, b = np.arange(0, 60, 3), np.arange(1, 60, 3)
    one = walks_within(steps, a)
    found = detour(steps, one, walks_within(steps, b))
    both = walks_within(steps, np.concatenate([a, b]))
    corner = both.within[: len(a), : len(a)]
    np.testing.assert_allclose(found.walks, corner - one.within, atol=1e-12)


def test_the_walks_within_two_clusters_are_put_together_from_those_within_each() -> None:
    P, _ = case(4)
    steps = 0.4 * P.toarray()
    a, b = np.arange(0, 60, 3), np.arange(1, 60, 3)
    found = joined(steps, walks_within(steps, a), walks_within(steps, b))
    wanted = walks_within(steps, np.concatenate([a, b]))
    assert (found.members == wanted.members).all()
    np.testing.assert_allclose(found.within, wanted.within, atol=1e-12)
