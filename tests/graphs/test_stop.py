"""The sized stop beside plain loops: when it stops, who adopts a fragment, which size wins; always k labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.affinity import Graph, affinity_graph
from coterie.graphs.components import merge_by_centroid, nearest_neighbor_clusters
from coterie.graphs.history import History, cut, followed_by, history_of
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.linkage import link
from coterie.graphs.stop import PARTS, Stop, last_moment, mean_inside, sized_stop
from oracles import plain_stop
from oracles.kernel_state import dense_of, graph_of, random_case
from oracles.plain_graphs import partition

Case = tuple[History, Graph, np.ndarray]


def random_merges(rng: np.random.Generator, initial: np.ndarray, *, zero: int = 0, until: int = 1) -> History:
    """A history of uneven random mergers down to ``until`` clusters, the last ``zero`` of them without affinity."""
    alive, size = list(range(int(initial.max()) + 1)), np.bincount(initial).tolist()
    survivors, sizes = [], []
    while len(alive) > until:
        # the largest merge often, so that fragments are left over
        stays = max(alive, key=lambda i: size[i]) if rng.random() < 0.5 else int(rng.choice(alive))
        goes = int(rng.choice([i for i in alive if i != stays]))
        alive.remove(goes)
        size[stays] += size[goes]
        survivors.append((stays, goes))
        sizes.append(size[stays])
    affinity = np.linspace(1.0, 0.1, len(sizes))
    if zero:
        affinity[-zero:] = 0.0
    return history_of(initial, np.array(survivors, np.int64).reshape(-1, 2), affinity, np.array(sizes, np.int64))


def random_stop_case(seed: int, n: int, c: int, *, density: float = 0.08, zero: int = 0) -> Case:
    """(history, graph, features) that have nothing to do with each other: the stop may rely on nothing."""
    rng = np.random.default_rng(seed)
    initial = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    W = rng.random((n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(W, 0.0)
    return random_merges(rng, initial, zero=min(zero, c - 1)), graph_of(W), rng.normal(size=(n, 3)).astype(np.float32)


def sizes_of(history: History) -> np.ndarray:
    return np.concatenate([np.bincount(history.initial), history.size])


def linked(features: np.ndarray, k: int = 8) -> tuple[History, Graph]:
    """The history of a linkage down to one cluster."""
    found = nearest_neighbors(features, k)
    graph = affinity_graph(found)
    history = link(graph, nearest_neighbor_clusters(found.indices[:, 0]))
    return followed_by(history, merge_by_centroid(features, cut(history, 1))), graph


# --- when it stops ---


@pytest.mark.parametrize("seed", range(12))
def test_the_last_moment_is_that_of_a_loop_that_counts_after_every_merger(seed: int) -> None:
    history, _, _ = random_stop_case(seed, n=60, c=25, zero=seed % 5)
    for min_size in (0.5, 1, 2, 3, 3.5, 5, 9, 20, 61):
        for k in (1, 2, 3, 4, 6, 10, 25):
            wanted = plain_stop.last_moment(history.initial, history.merges, history.affinity, k, min_size)
            assert last_moment(history, sizes_of(history), k, min_size) == wanted


def test_a_moment_before_the_count_is_highest_is_no_answer() -> None:
    # pairs become counted one by one: 0, 1, 2, 3 clusters of two images, then three become two and one
    initial = np.arange(6)
    survivors = np.array([[0, 1], [2, 3], [4, 5], [0, 2], [0, 4]])
    history = history_of(initial, survivors, np.linspace(1, 0.2, 5), np.array([2, 2, 2, 4, 6]))
    assert [last_moment(history, sizes_of(history), k, 2) for k in (1, 2, 3)] == [5, 4, 3]
    assert last_moment(history, sizes_of(history), 4, 2) is None
    # every third image on its own: two counted clusters exist once, on the way up
    grown = history_of(initial, np.array([[0, 1], [2, 3], [4, 5]]), np.ones(3), np.array([2, 2, 2]))
    assert last_moment(grown, sizes_of(grown), 2, 2) is None


def test_of_several_moments_with_the_right_count_the_last_is_taken() -> None:
    # after two clusters of three exist, single images keep joining them
    survivors = np.array([[0, 1], [0, 2], [3, 4], [3, 5], [0, 6], [3, 7], [0, 3]])
    history = history_of(np.arange(8), survivors, np.linspace(1, 0.1, 7), np.array([2, 3, 2, 3, 4, 4, 8]))
    assert last_moment(history, sizes_of(history), 2, 3) == 6


def test_mergers_without_affinity_are_only_looked_at_when_the_others_never_leave_that_many() -> None:
    survivors = np.array([[0, 1], [2, 3], [4, 5], [0, 6], [0, 2], [0, 4]])
    affinity = np.array([1, 0.9, 0.8, 0, 0, 0])
    history = history_of(np.arange(7), survivors, affinity, np.array([2, 2, 2, 3, 5, 7]))
    assert last_moment(history, sizes_of(history), 3, 2) == 3  # the fourth, without affinity, leaves three as well
    assert last_moment(history, sizes_of(history), 2, 2) == 5


# --- exactly k ---


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_history_and_graph_give_exactly_as_many_labels_as_asked_for(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    c = data.draw(st.integers(1, n))
    k = data.draw(st.integers(1, c))
    density = data.draw(st.sampled_from([0.0, 0.02, 0.2]))
    history, graph, features = random_stop_case(data.draw(st.integers(0, 10**6)), n, c, density=density, zero=k)
    min_size = data.draw(st.sampled_from([None, 0.3, 1, 2, 7.5, n, 10 * n]))
    given_features = features if data.draw(st.booleans()) else None
    stop = sized_stop(history, graph, k, min_size=min_size, features=given_features)
    sizes = np.bincount(stop.labels, minlength=k)
    assert len(sizes) == k
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    assert 0.0 <= stop.inside <= 1.0 + 1e-9
    assert stop.is_fragment.sum() == stop.n_fragment_images <= n - k
    assert (stop.n_fragments == 0) == (stop.n_fragment_images == 0)


@pytest.mark.parametrize("k", [1, 2, 3, 7, 20, 60])
def test_real_histories_give_exactly_as_many_labels_as_asked_for(k: int) -> None:
    features = np.random.default_rng(k).normal(size=(300, 4)).astype(np.float32)
    history, graph = linked(features, 6)
    assert np.unique(sized_stop(history, graph, k, features=features).labels).tolist() == list(range(k))


# --- the whole stop ---


def assert_is(stop: Stop, clusters: set[frozenset[int]], fragments: list[frozenset[int]]) -> None:
    assert partition(stop.labels) == clusters
    assert stop.n_fragments == len(fragments)
    assert set(np.flatnonzero(stop.is_fragment).tolist()) == {image for fragment in fragments for image in fragment}


@pytest.mark.parametrize("with_features", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_a_given_smallest_size_stops_and_adopts_as_a_plain_loop_does(seed: int, with_features: bool) -> None:
    history, graph, points = random_stop_case(seed, n=50, c=22, density=0.03)
    features, W, checked = points if with_features else None, dense_of(graph), 0
    for min_size in (2, 4, 6):
        for k in (1, 2, 3, 5):
            t = plain_stop.last_moment(history.initial, history.merges, history.affinity, k, min_size)
            if t is None:
                continue
            clusters, fragments = plain_stop.stopped(history.initial, history.merges, t, min_size, W, features)
            stop = sized_stop(history, graph, k, min_size=min_size, features=features)
            assert stop.min_size == min_size
            assert_is(stop, clusters, fragments)
            assert stop.inside == pytest.approx(plain_stop.mean_inside(W, stop.labels))
            checked += 1
    assert checked > 3


@pytest.mark.parametrize("seed", range(8))
def test_the_candidate_with_the_smallest_normalised_cut_wins_if_it_cuts_clearly_less_than_the_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.concatenate([rng.normal(size=(m, 2)) + 4 * i for i, m in enumerate((80, 60, 12, 6))])
    history, graph = linked(features.astype(np.float32), 6)
    W = dense_of(graph)
    for k in (2, 3, 4):
        shares = {}
        for part in PARTS:
            size = len(features) / k / part
            t = plain_stop.last_moment(history.initial, history.merges, history.affinity, k, size)
            if t is not None:
                clusters, _ = plain_stop.stopped(history.initial, history.merges, t, size, W, features)
                labels = np.empty(len(features), np.int64)
                for label, members in enumerate(clusters):
                    labels[list(members)] = label
                shares[size] = plain_stop.mean_inside(W, labels)
        stop = sized_stop(history, graph, k, features=features)
        first, best = next(iter(shares.values())), max(shares.values())
        expected = best if 1 - best < 0.9 * (1 - first) else first
        assert stop.inside == pytest.approx(expected, abs=1e-6)
        assert shares[stop.min_size] == pytest.approx(expected, abs=1e-6)


def test_a_smallest_size_too_large_for_k_is_halved_until_k_clusters_have_it() -> None:
    features = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    history, graph = linked(features)
    stop = sized_stop(history, graph, 4, min_size=1000, features=features)
    tried = 1000.0
    while last_moment(history, sizes_of(history), 4, tried) is None:
        tried = max(1.0, tried / 2)
    assert stop.min_size == tried < 1000


@pytest.mark.parametrize("k", [30, 59, 60])
def test_more_clusters_than_any_smaller_size_ever_leaves_are_the_plain_stop(k: int) -> None:
    rng = np.random.default_rng(3)
    history = random_merges(rng, np.arange(60))
    stop = sized_stop(history, graph_of(np.zeros((60, 60))), k, min_size=50)
    assert stop.min_size == 1
    assert stop.n_fragments == 0
    assert partition(stop.labels) == partition(cut(history, k))


def test_the_normalised_cut_is_that_of_plain_loops() -> None:
    for seed in range(6):
        _, W, _ = random_case(seed, n=40)
        labels = np.random.default_rng(seed).integers(0, 5, 40)
        labels[:5] = np.arange(5)
        assert mean_inside(graph_of(W), labels) == pytest.approx(plain_stop.mean_inside(W, labels), rel=1e-12)


def test_a_cluster_without_any_edge_keeps_nothing_inside() -> None:
    W = np.zeros((4, 4))
    W[0, 1] = W[1, 0] = 1.0
    assert mean_inside(graph_of(W), np.array([0, 0, 1, 1])) == 0.5
    assert mean_inside(graph_of(np.zeros((4, 4))), np.array([0, 0, 1, 1])) == 0.0


# --- who adopts a fragment ---

# clusters {0, 1, 2}, {3, 4, 5} and what is left of seven to ten images, in fragments of one
PAIRS = np.array([[0, 1], [0, 2], [3, 4], [3, 5]])


def small_stop(n: int, edges: dict[tuple[int, int], float], features: np.ndarray | None = None) -> list[frozenset[int]]:
    """The clusters {0, 1, 2, ...} and {3, 4, 5, ...} after the images from 6 on have joined one of them."""
    W = np.zeros((n, n))
    for (source, target), weight in ({(0, 1): 9.0, (1, 2): 9.0, (3, 4): 9.0, (4, 5): 9.0} | edges).items():
        W[source, target] = weight
    history = history_of(np.arange(n), PAIRS, np.ones(4), np.array([2, 3, 2, 3]))
    stop = sized_stop(history, graph_of(W), 2, min_size=3, features=features)
    assert stop.n_fragments == n - 6
    return sorted(partition(stop.labels), key=min)


def test_a_fragment_joins_by_the_weight_in_both_directions_together() -> None:
    # out: 0.5 to the first; in: 0.3 + 0.3 from the second
    first, second = small_stop(7, {(6, 0): 0.5, (3, 6): 0.3, (4, 6): 0.3})
    assert 6 in second
    first, second = small_stop(7, {(6, 0): 0.5, (3, 6): 0.3, (2, 6): 0.2})
    assert 6 in first


def test_fragments_that_know_only_fragments_follow_them() -> None:
    first, second = small_stop(9, {(6, 7): 1.0, (8, 7): 1.0, (8, 3): 0.1})  # 6 - 7 - 8 - second
    assert {6, 7, 8} <= second
    assert first == {0, 1, 2}


def test_a_fragment_does_not_wait_for_heavier_friends_among_the_fragments() -> None:
    first, second = small_stop(8, {(6, 7): 5.0, (6, 0): 0.1, (7, 3): 0.1})
    assert 6 in first
    assert 7 in second


def test_a_fragment_without_any_edge_goes_to_the_nearest_centroid() -> None:
    features = np.array([[0, 0], [1, 0], [2, 0], [10, 0], [11, 0], [12, 0], [9, 1], [-5, 0]], np.float32)
    first, second = small_stop(8, {}, features)
    assert 6 in second
    assert 7 in first


def test_a_fragment_without_any_edge_goes_to_the_largest_cluster_where_there_are_no_features() -> None:
    assert small_stop(8, {(6, 3): 1.0})[1] == {3, 4, 5, 6, 7}


def test_edges_that_weigh_nothing_adopt_nobody() -> None:
    n = 7
    rows, columns, weights = [0, 1, 3, 4, 6], [1, 2, 4, 5, 0], [9.0, 9.0, 9.0, 9.0, 0.0]
    graph = Graph(np.searchsorted(rows, np.arange(n + 1)), np.array(columns), np.array(weights), 1)
    history = history_of(np.arange(n), PAIRS, np.ones(4), np.array([2, 3, 2, 3]))
    features = np.array([[0], [0], [0], [10], [10], [10], [9]], np.float32)
    stop = sized_stop(history, graph, 2, min_size=3, features=features)
    assert stop.labels[6] == stop.labels[3]


def test_the_graph_history_and_features_stay_as_they_were() -> None:
    history, graph, features = random_stop_case(0, n=50, c=22)
    before = [array.copy() for array in (*history, *graph[:3], features)]
    sized_stop(history, graph, 3, features=features)
    for array, old in zip((*history, *graph[:3], features), before, strict=True):
        assert (array == old).all()


# --- why it is there ---


def groups_with_strays(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 100 that touch, and around them eight pairs of images, each a little way off."""
    rng = np.random.default_rng(seed)
    centers = np.array([[0.0, 0.0], [5.0, 0.0], [2.5, 4.35]])
    groups = np.repeat(centers, 100, axis=0) + rng.normal(size=(300, 2))
    angles = np.arange(8) * 2 * np.pi / 8
    places = centers.mean(axis=0) + 9 * np.column_stack([np.cos(angles), np.sin(angles)])
    pairs = np.repeat(places, 2, axis=0) + 0.02 * rng.normal(size=(16, 2))
    return np.concatenate([groups, pairs]).astype(np.float32), np.repeat([0, 1, 2], 100)


@pytest.mark.parametrize("seed", range(4))
def test_stray_pairs_use_up_the_places_of_the_plain_stop_but_not_of_the_sized_one(seed: int) -> None:
    features, classes = groups_with_strays(seed)
    history, graph = linked(features)
    assert np.bincount(cut(history, 3)).tolist() == [308, 4, 4]
    stop = sized_stop(history, graph, 3, features=features)
    agree = [np.bincount(stop.labels[:300][classes == c]).max() for c in range(3)]
    assert min(agree) >= 85
    assert (np.bincount(stop.labels) > 85).all()
    assert stop.is_fragment[300:].all()
