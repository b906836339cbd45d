"""The bounds between ACC, ARI and NMI: published anchors, and searches that try to break them."""

from itertools import pairwise, permutations
from math import comb, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from coterie.errors import ConfigError
from coterie.metrics import accuracy, ari, ari_range, check_triple, nmi, nmi_minimum


@pytest.mark.parametrize(("acc", "lowest"), [(0.906, 0.77), (0.883, 0.71), (0.984, 0.9635)])
def test_the_smallest_ari_equals_the_anchors_of_the_literature(acc: float, lowest: float) -> None:
    digits = 4 if lowest > 0.9 else 2
    assert round(ari_range(acc, 10)[0], digits) == lowest


def test_the_best_row_of_udc_on_mnist_is_impossible_and_its_usps_rows_lie_on_the_bound() -> None:
    impossible = check_triple(0.984, ari=0.951)
    assert not impossible.feasible
    assert impossible.reasons == ["ARI 0.951 is too low: with ACC 0.984 and 10 balanced classes it is at least 0.9624."]
    for acc, printed in ((0.981, 0.957), (0.985, 0.967)):
        found = check_triple(acc, ari=printed, n_per_class=700)
        assert found.feasible
        assert found.ari_range is not None
        assert printed == pytest.approx(found.ari_range[0], abs=0.0015)


def test_two_classes_leave_no_freedom() -> None:
    for acc in (0.5, 0.7, 1.0):
        low, high = ari_range(acc, 2)
        assert low == pytest.approx((2 * acc - 1) ** 2)
        assert high >= low - 1e-12
    assert ari_range(0.8, 2)[1] == pytest.approx(ari_range(0.8, 2)[0])


@pytest.mark.parametrize("k", [2, 3, 10, 200])
@pytest.mark.parametrize("n", [None, 2, 50])
def test_the_range_closes_at_one_and_rises_with_the_accuracy(k: int, n: int | None) -> None:
    assert ari_range(1.0, k, n) == pytest.approx((1.0, 1.0))
    grid = [ari_range(acc, k, n) for acc in np.linspace(1 / k, 1.0, 60)]
    assert all(low <= high + 1e-12 for low, high in grid)
    assert all(a[0] <= b[0] + 1e-12 for a, b in pairwise(grid))
    assert ari_range(1 / k, k)[0] == pytest.approx(0.0, abs=1e-12)


def test_the_smallest_ari_has_the_closed_form_of_its_proof() -> None:
    for k in (2, 3, 5, 10):
        for acc in np.linspace(1 / k, 1, 7):
            eta = k * (1 - acc)
            closed = (k - 1 - eta) ** 2 / ((k - 1) ** 2 + (k - 2) * eta**2 / 2)
            assert ari_range(acc, k)[0] == pytest.approx(closed, abs=1e-12)


def as_groups(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(table)
    counts = table[rows, columns]
    return np.repeat(rows, counts), np.repeat(columns, counts)


@pytest.mark.parametrize(("k", "n", "moved"), [(3, 20, 4), (4, 30, 9), (10, 90, 7)])
def test_the_table_of_the_proof_attains_the_smallest_ari(k: int, n: int, moved: int) -> None:
    table = np.diag([n] + [n - moved] * (k - 1))
    table[1:, 0] = moved
    classes, labels = as_groups(table)
    low, high = ari_range(accuracy(classes, labels), k, n)
    assert ari(classes, labels) == pytest.approx(low, abs=1e-12)
    assert high > low


@pytest.mark.parametrize(("k", "n", "moved"), [(2, 20, 7), (3, 20, 4), (10, 50, 33), (5, 10, 10)])
def test_one_leaking_class_attains_the_largest_ari(k: int, n: int, moved: int) -> None:
    table = np.diag([n - moved] + [n] * (k - 1))
    table[0, 1] = moved
    classes, labels = as_groups(table)
    assert ari(classes, labels) == pytest.approx(ari_range(accuracy(classes, labels), k, n)[1], abs=1e-12)


def every_table(k: int, n: int) -> np.ndarray:
    """(tables, k, k): that of every labelling of k classes of n images by at most k clusters, each table once."""
    labels = np.indices((k,) * (k * n)).reshape(k, n, -1)
    tables = np.stack([(labels == cluster).sum(axis=1) for cluster in range(k)], axis=1)
    return np.unique(tables.transpose(2, 0, 1), axis=0)


def plain_scores(table: np.ndarray) -> tuple[float, float, float, float]:
    """ACC over every naming, ARI over every two images, and NMI by the geometric and the arithmetic mean."""
    k, total = len(table), table.sum()
    acc = max(sum(table[i, name[i]] for i in range(k)) for name in permutations(range(k))) / total
    pairs = [sum(comb(int(m), 2) for m in counts) for counts in (table.ravel(), table.sum(1), table.sum(0))]
    both, of_classes, of_clusters = pairs
    chance, most = of_classes * of_clusters / comb(int(total), 2), (of_classes + of_clusters) / 2
    p = table / total
    shared = sum(p[i, j] * log(p[i, j] / p[i].sum() / p[:, j].sum()) for i, j in zip(*np.nonzero(p), strict=True))
    h_classes, h_clusters = (-sum(q * log(q) for q in p.sum(axis) if q > 0) for axis in (1, 0))
    geometric = shared / sqrt(h_classes * h_clusters) if h_clusters > 0 else 0.0
    return acc, (both - chance) / (most - chance), geometric, 2 * shared / (h_classes + h_clusters)


SMALL = [(2, 2), (2, 3), (2, 4), (2, 5), (3, 2), (3, 3), (4, 2)]


@pytest.mark.parametrize(("k", "n"), SMALL)
def test_no_labelling_at_all_of_few_images_is_called_impossible(k: int, n: int) -> None:
    tables = every_table(k, n)
    assert len(tables) == comb(n + k - 1, k - 1) ** k  # each class spread in every way
    for table in tables:
        acc, own_ari, *nmis = plain_scores(table)
        for own_nmi in nmis:
            assert check_triple(acc, own_nmi, own_ari, k, n, rounding=1e-9).reasons == [], table
            printed = (round(value, 3) for value in (acc, own_nmi, own_ari))
            assert check_triple(*printed, k, n).reasons == [], table


@pytest.mark.parametrize(("k", "n"), SMALL)
def test_some_labelling_of_few_images_attains_each_end_that_is_said_to_be_attained(k: int, n: int) -> None:
    found: dict[int, list[float]] = {}
    for table in every_table(k, n):
        acc, own_ari, *_ = plain_scores(table)
        found.setdefault(round((1 - acc) * k * n), []).append(own_ari)
    assert len(found) > 1
    for errors, aris in found.items():
        low, high = ari_range(1 - errors / (k * n), k, n)
        if errors % (k * (k - 1)) == 0:  # whole images for errors in one cluster, and for evenly spread ones
            assert min(aris) == pytest.approx(low, abs=1e-12)
        if errors <= n:
            assert max(aris) == pytest.approx(high, abs=1e-12)


def table_ari(x: np.ndarray) -> float:
    """ARI of a table whose rows all have the same sum, from squares."""
    total = x.sum()
    square = lambda counts: ((counts**2).sum() - total) / 2  # noqa: E731
    both, rows, columns, pairs = square(x), square(x.sum(1)), square(x.sum(0)), total * (total - 1) / 2
    return float((both - rows * columns / pairs) / ((rows + columns) / 2 - rows * columns / pairs))


def climb(k: int, n: int, errors: int, sign: int, rng: np.random.Generator) -> float:
    """Smallest (sign 1) or largest (sign -1) ARI a random search finds with ``errors`` images off a best naming."""
    x = start(k, n, errors, rng)
    best = table_ari(x)
    heat = 0.02
    for _ in range(1500):
        y = step(x, rng)
        if y is None or linear_sum_assignment(y, maximize=True)[0].size != k:
            continue
        if y[linear_sum_assignment(y, maximize=True)].sum() != np.trace(y):
            continue
        value = table_ari(y)
        if sign * (value - table_ari(x)) < heat * rng.random():
            x = y
            best = min(best, value) if sign > 0 else max(best, value)
        heat *= 0.995
    return best


def start(k: int, n: int, errors: int, rng: np.random.Generator) -> np.ndarray:
    """A table with ``errors`` images off the diagonal, one by one at random; the diagonal stays a best naming."""
    x = np.diag([float(n)] * k)
    while errors:
        i, j = rng.integers(0, k, 2)
        if i != j and x[i, i] > 0:
            y = x.copy()
            y[i, i] -= 1
            y[i, j] += 1
            if y[linear_sum_assignment(y, maximize=True)].sum() == np.trace(y):
                x, errors = y, errors - 1
    return x


def step(x: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Moves a few errors within a row, or hands them from one class to another: the trace and the row sums stay."""
    k, y = len(x), x.copy()
    i, j, a, b = rng.integers(0, k, 4)
    if a == i or b == j or x[i, a] == 0:
        return None
    amount = float(rng.integers(1, int(x[i, a]) + 1))
    if i != j:  # class i gets its images back, class j loses as many
        if x[j, j] < amount:
            return None
        y[i, i] += amount
        y[j, j] -= amount
    y[i, a] -= amount
    y[j, b] += amount
    return y


@pytest.mark.parametrize(("k", "n"), [(2, 12), (3, 10), (4, 12), (5, 8), (10, 10)])
def test_no_search_finds_an_ari_outside_the_range(k: int, n: int) -> None:
    rng = np.random.default_rng(k)
    for share in (0.03, 0.1, 0.2, 0.3, 0.45):
        errors = max(1, round(share * k * n))
        low, high = ari_range(1 - errors / (k * n), k, n)
        found_low, found_high = climb(k, n, errors, 1, rng), climb(k, n, errors, -1, rng)
        assert low - 1e-9 <= found_low <= found_high <= high + 1e-9


def test_the_search_is_strong_enough_to_reach_the_bounds() -> None:
    rng = np.random.default_rng(0)
    low, high = ari_range(1 - 6 / 40, 4, 10)
    assert min(climb(4, 10, 6, 1, rng) for _ in range(3)) == pytest.approx(low, abs=1e-9)
    assert max(climb(4, 10, 2, -1, rng) for _ in range(3)) == pytest.approx(ari_range(1 - 2 / 40, 4, 10)[1], abs=1e-9)
    assert high > low


@settings(max_examples=200)
@given(st.integers(2, 6), st.integers(2, 8), st.data())
def test_every_real_grouping_of_balanced_classes_lies_in_the_range(k: int, n: int, data: st.DataObject) -> None:
    classes = np.repeat(np.arange(k), n)
    noise = data.draw(st.lists(st.integers(0, 3 * k), min_size=k * n, max_size=k * n))
    labels = np.where(np.array(noise) < k, noise, classes)
    acc = accuracy(classes, labels)
    low, high = ari_range(acc, k, n)
    assert low - 1e-9 <= ari(classes, labels) <= high + 1e-9
    for average in ("geometric", "arithmetic"):
        assert nmi(classes, labels, average) >= nmi_minimum(acc, k) - 1e-9  # type: ignore[arg-type]
    assert check_triple(acc, nmi(classes, labels), ari(classes, labels), k, n, rounding=1e-9).feasible


@settings(max_examples=100)
@given(st.integers(3, 6), st.integers(2, 5), st.data())
def test_merged_and_split_classes_lie_in_the_range(k: int, n: int, data: st.DataObject) -> None:
    classes = np.repeat(np.arange(k), 2 * n)
    halves = np.array(data.draw(st.lists(st.integers(0, k - 1), min_size=2 * k, max_size=2 * k)))
    labels = np.repeat(halves, n)
    low, high = ari_range(accuracy(classes, labels), k, 2 * n)
    assert low - 1e-9 <= ari(classes, labels) <= high + 1e-9


def test_evenly_spread_errors_attain_the_smallest_nmi() -> None:
    k = 5
    table = np.full((k, k), 3) + np.diag([28] * k)
    classes, labels = as_groups(table)
    assert nmi(classes, labels) == pytest.approx(nmi_minimum(accuracy(classes, labels), k), abs=1e-12)
    assert nmi_minimum(0.958, 10) == pytest.approx(0.884, abs=5e-4)  # udc.md section 9
    assert nmi_minimum(1.0, 10) == 1.0
    assert nmi_minimum(0.1, 10) == pytest.approx(0.0, abs=1e-12)


def test_triples_that_are_too_good_or_too_poor_say_so() -> None:
    assert "too high" in check_triple(0.80, ari=0.97).reasons[0]
    assert "too high" in check_triple(0.95, ari=0.93).reasons[0]
    assert "NMI 0.7 is too low" in check_triple(0.95, nmi=0.7).reasons[0]
    assert len(check_triple(0.95, nmi=0.7, ari=0.5).reasons) == 2
    assert "below 1/10" in check_triple(0.05).reasons[0]
    assert check_triple(0.95, nmi=0.90, ari=0.895).feasible
    assert check_triple(1.0, 1.0, 1.0).feasible
    assert check_triple(0.0999, ari=0.0, k=10).feasible


def test_each_score_has_the_rounding_of_its_own_digits() -> None:
    own = {"acc": 0.0005, "nmi": 0.005, "ari": 0.0005}
    assert not check_triple(0.984, 0.98, 0.951, rounding=own).feasible
    assert check_triple(0.984, 0.98, 0.951, rounding=0.005).feasible


def test_rounding_gives_the_benefit_of_the_doubt() -> None:
    exact = ari_range(0.9, 10)[0]
    assert not check_triple(0.9, ari=exact - 0.003).feasible
    assert check_triple(0.9, ari=exact - 0.003, rounding=0.005).feasible
    edge = check_triple(0.8999, ari=0.9, k=10, rounding=0.0005)  # the interval holds the end of the exact bound
    assert edge.feasible == (0.9 - 0.0005 <= 1 - 7 / 16 / (9 + 0.4 * 7 / 8))


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: ari_range(0.05, 10), "between 1/k"),
        (lambda: ari_range(1.01, 10), "between 1/k"),
        (lambda: ari_range(float("nan"), 10), "between 1/k"),
        (lambda: ari_range(0.9, 1), "k must be at least 2"),
        (lambda: ari_range(0.9, 10, 1), "n_per_class"),
        (lambda: nmi_minimum(2.0, 10), "between 1/k"),
        (lambda: check_triple(98.4), r"\.984, not 98\.4"),
        (lambda: check_triple(0.9, nmi=float("nan")), "nmi must be"),
    ],
)
def test_arguments_out_of_range_are_refused(call: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        call()  # type: ignore[operator]
