"""The bounds between ACC, ARI and NMI against every grouping there is, for few images."""

from itertools import permutations, product

import numpy as np
import pytest

from coterie.metrics import ari_range, check_triple, nmi_minimum

SIZES = [(2, 2), (2, 5), (2, 9), (3, 2), (3, 3), (3, 4), (4, 2)]


def every_table(k: int, n: int) -> np.ndarray:
    """(t, k, k): every way to put k classes of n images each into at most k clusters."""
    rows = [row for row in product(range(n + 1), repeat=k) if sum(row) == n]
    return np.array(list(product(rows, repeat=k)), dtype=float)


def best_naming(tables: np.ndarray) -> np.ndarray:
    k = tables.shape[1]
    named = [tables[:, np.arange(k), list(order)].sum(1) for order in permutations(range(k))]
    return np.max(named, axis=0) / tables[0].sum()


def pairs(counts: np.ndarray) -> np.ndarray:
    return counts * (counts - 1) / 2


def rand_index(tables: np.ndarray) -> np.ndarray:
    """Adjusted for chance; 1 where both groupings are one cluster."""
    both = pairs(tables).sum((1, 2))
    rows, columns = pairs(tables.sum(2)).sum(1), pairs(tables.sum(1)).sum(1)
    chance = rows * columns / pairs(tables[0].sum())
    return (both - chance) / ((rows + columns) / 2 - chance)


def information(tables: np.ndarray) -> np.ndarray:
    """NMI by the arithmetic mean, the smaller of the two."""
    shares = tables / tables[0].sum()
    rows, columns = shares.sum(2), shares.sum(1)
    entropies = [entropy(rows), entropy(columns), entropy(shares.reshape(len(shares), -1))]
    return 2 * (entropies[0] + entropies[1] - entropies[2]) / (entropies[0] + entropies[1])


def entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_no_grouping_of_few_images_lies_outside_the_bounds(k: int, n: int) -> None:
    tables = every_table(k, n)
    accs, aris, nmis = best_naming(tables), rand_index(tables), information(tables)
    assert accs.min() >= 1 / k - 1e-12
    for acc in np.unique(accs):
        here = accs == acc
        low, high = ari_range(float(acc), k, n)
        assert low - 1e-9 <= aris[here].min()
        assert aris[here].max() <= high + 1e-9
        assert nmis[here].min() >= nmi_minimum(float(acc), k) - 1e-9


@pytest.mark.parametrize(("k", "n"), SIZES)
def test_the_largest_ari_is_reached_and_one_beyond_is_called_impossible(k: int, n: int) -> None:
    tables = every_table(k, n)
    accs, aris = best_naming(tables), rand_index(tables)
    for errors in range(1, n + 1):
        acc = 1 - errors / (k * n)
        if acc > 1 - 1 / k and (found := aris[np.isclose(accs, acc)]).size:
            high = ari_range(acc, k, n)[1]
            assert found.max() == pytest.approx(high, abs=1e-9)
            assert not check_triple(acc, ari=min(1.0, high + 0.01), k=k, n_per_class=n, rounding=1e-6).feasible


@pytest.mark.parametrize(("k", "n"), [(3, 4), (3, 5)])
def test_the_smallest_ari_is_reached_where_its_table_has_whole_images(k: int, n: int) -> None:
    tables = every_table(k, n)
    acc = 1 - (k - 1) / (k * n)  # one image of each class but the first, all into its cluster
    least = rand_index(tables)[np.isclose(best_naming(tables), acc)].min()
    assert least == pytest.approx(ari_range(acc, k, n)[0], abs=1e-9)
