"""The linkage kernel against the dense definition after every single merger (jule.md E4, E7: T1 to T4)."""

import numpy as np
import pytest

from coterie.graphs import linkage_kernel as kernel
from coterie.graphs.affinity import Graph
from coterie.graphs.hash_tables import Tables
from coterie.graphs.linkage import UPDATES, link
from oracles.dense_linkage import DenseLinkage, pq_tables, run, u_by_loops, u_table
from oracles.kernel_state import (
    graph_of,
    heap_bounds,
    knn_case,
    labels_of,
    members_of,
    pair_table,
    random_case,
    sample_tables,
)

TOLERANCE = 1e-12  # jule.md T1; weights are at most 1, sums at most about 100
RULES = [("exact", 0.0), ("size_ratio", 0.0), *[("constant_ratio", alpha) for alpha in (-0.2, 0.0, 0.1, 0.5)]]


def started(graph: Graph, initial: np.ndarray, rule: str = "exact") -> kernel.LinkageState:
    return kernel.start(graph.indptr, graph.indices, graph.weights, initial, UPDATES[rule])


def step(
    state: kernel.LinkageState, rule: str = "exact", alpha: float = 0.0
) -> tuple[kernel.LinkageState, tuple[float, int, int] | None]:
    """One merger: (affinity, the cluster that stays, the one that goes), or None when affinity has run out."""
    state, merges, affinity, _ = kernel.merge(state, 1, UPDATES[rule], float(alpha))
    return state, (float(affinity[0]), int(merges[0, 0]), int(merges[0, 1])) if len(merges) else None


def assert_invariants(state: kernel.LinkageState, W: np.ndarray) -> None:
    """I1 to I4 and I6 of jule.md E4."""
    labels, c = labels_of(state), len(state.size)
    values, present = pair_table(state)
    assert np.abs(values - u_table(W, labels, c)).max() < TOLERANCE  # I1
    for stored, wanted in zip(sample_tables(state), pq_tables(W, labels, c), strict=True):  # I2
        assert np.abs(stored - wanted).max() < TOLERANCE
    assert (present == present.T).all()  # I3
    assert not present.diagonal().any()
    for cluster in np.flatnonzero(state.size):  # I4
        members = members_of(state, cluster)
        assert len(members) == state.size[cluster]
        assert sorted(members) == np.flatnonzero(labels == cluster).tolist()
    directed = values / np.maximum(state.size, 1) ** 2
    affinity = np.triu(directed + directed.T, 1)
    assert (heap_bounds(state) >= affinity).all()  # I6: without this bound the top of the heap need not be the best


def follow(graph: Graph, W: np.ndarray, initial: np.ndarray) -> int:
    """Checks every merger against the dense definition; returns how many pairs the cross term alone has created."""
    state, dense, created = started(graph, initial), DenseLinkage(W, initial), 0
    assert_invariants(state, W)
    while True:
        best, before = dense.best()[0], dense.affinity()
        state, merger = step(state)
        if merger is None:
            assert best == 0.0
            return created
        affinity, stays, goes = merger
        assert abs(affinity - best) < TOLERANCE
        assert abs(affinity - before[stays, goes]) < TOLERANCE
        dense.merge(stays, goes)
        assert (labels_of(state) == dense.labels).all()
        assert_invariants(state, W)
        created += int(((dense.affinity()[stays] > 0) & (before[stays] == 0) & (before[goes] == 0)).sum())


@pytest.mark.parametrize("seed", range(20))
def test_every_table_entry_equals_the_dense_definition_after_every_merger_of_neighbour_graphs(seed: int) -> None:
    follow(*knn_case(seed, d=(1, 4, 16)[seed % 3]))


@pytest.mark.parametrize("seed", range(20))
def test_every_table_entry_equals_the_dense_definition_on_random_directed_graphs_with_hubs(seed: int) -> None:
    assert follow(*random_case(seed)) > 0, "the cross term alone created no pair, so the hard case was not looked at"


@pytest.mark.parametrize("seed", range(5))
def test_large_clusters_with_few_edges_between_them_merge_by_the_dense_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    initial = np.repeat(np.arange(12), 30)
    W = np.zeros((len(initial), len(initial)))
    for _ in range(40):  # one image of each cluster is linked both ways, so tables are far smaller than clusters
        i, j = rng.choice(12, 2, replace=False) * 30 + rng.integers(0, 3, 2)
        W[i, j], W[j, i] = rng.random(2)
    follow(graph_of(W), W, initial)


def test_the_invariants_hold_while_the_memory_of_the_tables_grows() -> None:
    def without_spare_room(tables: Tables) -> Tables:
        return tables._replace(keys=tables.keys[: tables.top[0]], values=tables.values[: tables.top[0]])

    graph, W, initial = random_case(0, n=200, k=10)
    state = started(graph, initial)
    state = state._replace(samples=without_spare_room(state.samples), pairs=without_spare_room(state.pairs))
    pools = [{len(state.samples.keys)}, {len(state.pairs.keys)}]
    while (merges := kernel.merge(state, 1))[1].size:
        state = merges[0]
        assert_invariants(state, W)
        pools[0].add(len(state.samples.keys))
        pools[1].add(len(state.pairs.keys))
    assert min(map(len, pools)) > 1


@pytest.mark.parametrize(("rule", "alpha"), RULES)
@pytest.mark.parametrize("make", [lambda seed: knn_case(seed, 4), random_case], ids=["neighbours", "random"])
def test_the_affinity_of_every_merger_is_the_dense_maximum_under_every_rule(
    rule: str, alpha: float, make: object
) -> None:
    for seed in range(4):
        graph, W, initial = make(seed)  # type: ignore[operator]
        state, dense = started(graph, initial, rule), DenseLinkage(W, initial, rule, alpha)
        power = 1 if rule == "size_ratio" else 2
        while True:
            best = dense.best()[0]
            state, merger = step(state, rule, alpha)
            if merger is None:
                assert best < TOLERANCE
                break
            affinity, stays, goes = merger
            assert affinity == pytest.approx(best, rel=1e-11, abs=TOLERANCE)
            assert affinity == pytest.approx(dense.affinity()[stays, goes], rel=1e-11, abs=TOLERANCE)
            dense.merge(stays, goes)
            directed = pair_table(state)[0] / np.maximum(state.size, 1) ** power
            np.testing.assert_allclose(directed, dense.directed, rtol=1e-10, atol=TOLERANCE)


def test_the_dense_oracle_equals_the_definition_in_plain_loops() -> None:
    _, W, _ = random_case(0, n=12, k=4)
    labels = np.arange(12) % 4
    U = u_table(W, labels, 4)
    for i in range(4):
        for j in range(4):
            if i != j:
                assert U[i, j] == pytest.approx(u_by_loops(W, labels, i, j), abs=1e-15)


@pytest.mark.parametrize(("rule", "alpha"), RULES)
def test_one_call_gives_the_same_history_as_many_single_mergers(rule: str, alpha: float) -> None:
    graph, _, initial = knn_case(3, 4)
    history = link(graph, initial, update=rule, alpha=alpha)
    state, affinities = started(graph, initial, rule), []
    while (stepped := step(state, rule, alpha))[1] is not None:
        state = stepped[0]
        affinities.append(stepped[1][0])
    assert affinities == history.affinity.tolist()


def toy_chain() -> np.ndarray:
    W = np.zeros((4, 4))
    W[0, 1], W[1, 0], W[1, 2], W[2, 1], W[2, 3], W[3, 2] = 0.5, 0.4, 0.3, 0.2, 0.6, 0.7
    return W


def test_the_toy_chain_merges_with_the_affinities_worked_out_by_hand() -> None:
    history = link(graph_of(toy_chain()), np.arange(4))
    np.testing.assert_allclose(history.affinity, [0.84, 0.4, 0.03], atol=1e-15)
    assert history.merges.tolist() == [[2, 3], [0, 1], [4, 5]]
    assert history.size.tolist() == [2, 2, 4]


def test_the_toy_chain_has_the_affinity_worked_out_by_hand_between_the_first_two_mergers() -> None:
    state, _ = step(started(graph_of(toy_chain()), np.arange(4)))
    values, _ = pair_table(state)
    stays = int(np.flatnonzero(state.size == 2)[0])
    assert values[1, stays] / 4 + values[stays, 1] == pytest.approx(0.06 / 4 + 0.06)


def cross_term_graph() -> np.ndarray:
    W = np.zeros((3, 3))
    W[1, 0], W[0, 2], W[1, 2], W[2, 1] = 0.5, 0.4, 0.9, 0.9
    return W


def test_the_exact_rule_creates_the_pair_that_only_the_cross_term_makes() -> None:
    history = link(graph_of(cross_term_graph()), np.arange(3))
    np.testing.assert_allclose(history.affinity, [1.62, 0.5 * 0.4 / 4])


@pytest.mark.parametrize(("rule", "alpha"), RULES[1:])
def test_the_approximations_never_create_a_pair_out_of_nothing(rule: str, alpha: float) -> None:
    history = link(graph_of(cross_term_graph()), np.arange(3), update=rule, alpha=alpha)
    assert len(history.affinity) == 1


@pytest.mark.parametrize(("rule", "alpha"), RULES)
def test_outgoing_affinities_add_up_at_a_merger(rule: str, alpha: float) -> None:
    graph, _, initial = knn_case(1, 4)
    state = started(graph, initial, rule)
    for _ in range(15):
        before = pair_table(state)[0]
        state, merger = step(state, rule, alpha)
        assert merger is not None
        _, stays, goes = merger
        summed = before[stays] + before[goes]
        summed[[stays, goes]] = 0.0
        np.testing.assert_allclose(pair_table(state)[0][stays], summed, rtol=1e-14)  # Eq. 2


def proportional(n_m: int, n_n: int) -> tuple[np.ndarray, np.ndarray]:
    """(W, initial) of clusters i (3), m, n: each image of i has the same weights to and from all of m and n."""
    labels = np.array([0] * 3 + [1] * n_m + [2] * n_n)
    W = np.zeros((len(labels), len(labels)))
    inside, others = labels == 0, labels > 0
    for s, (into, out) in enumerate([(0.1, 0.2), (0.3, 0.05), (0.02, 0.4)]):
        W[others, s], W[s, others] = into, out
    W[np.ix_(others, others)] = 5.0  # so that m and n merge first
    assert inside.sum() == 3
    return W, labels


def test_the_size_ratio_rule_is_exact_where_weights_are_proportional_to_sizes() -> None:
    W, labels = proportional(4, 2)
    exact, approximate = (link(graph_of(W), labels, update=rule) for rule in ("exact", "size_ratio"))
    np.testing.assert_allclose(exact.affinity, approximate.affinity, rtol=1e-14)
    assert exact.merges.tolist() == approximate.merges.tolist() == [[1, 2], [0, 3]]


def test_the_constant_ratio_rule_with_alpha_one_is_exact_where_two_equal_clusters_merge() -> None:
    W, labels = proportional(3, 3)
    exact = link(graph_of(W), labels)
    approximate = link(graph_of(W), labels, update="constant_ratio", alpha=1.0)
    np.testing.assert_allclose(exact.affinity, approximate.affinity, rtol=1e-14)


def test_among_equal_affinities_the_smaller_pair_of_clusters_merges_first() -> None:
    W = np.zeros((6, 6))
    for i, j in ((4, 5), (2, 3), (0, 1)):
        W[i, j] = W[j, i] = 0.5
    assert link(graph_of(W), np.arange(6)).merges.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(("rule", "alpha"), RULES)
def test_a_graph_of_nothing_but_ties_gives_one_history_however_its_edges_are_stored(rule: str, alpha: float) -> None:
    n = 24
    W = np.ones((n, n)) - np.eye(n)
    graph = graph_of(W)
    history = link(graph, np.arange(n), update=rule, alpha=alpha)
    backwards = np.concatenate([graph.indices[b:e][::-1] for b, e in zip(graph.indptr, graph.indptr[1:], strict=False)])
    again = link(graph._replace(indices=backwards), np.arange(n), update=rule, alpha=alpha)
    assert len(history.merges) == n - 1
    assert history.merges.tolist() == again.merges.tolist()
    assert history.merges[0].tolist() == [0, 1]


def test_the_first_mergers_of_a_neighbour_graph_are_those_of_a_dense_run_in_order() -> None:
    graph, W, initial = knn_case(7, 16)
    history = link(graph, initial)
    np.testing.assert_allclose(history.affinity, [affinity for affinity, _, _ in run(W, initial)], atol=TOLERANCE)
