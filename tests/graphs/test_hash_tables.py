"""The pooled hash tables beside Python dictionaries, under random operations."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.graphs.hash_tables import Tables, find, find_or_add, make_tables, release, remove, reserve
from oracles.kernel_state import entries

N_TABLES = 3
Dicts = list[dict[int, tuple[float, float]]]

# few distinct keys, so that they collide, wrap around the end of a region, and are removed again
operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "add", "remove", "remove", "release", "grow"]),
        st.integers(0, N_TABLES - 1),
        st.one_of(st.integers(0, 40), st.integers(0, 2**31 - 1)),
    ),
    max_size=150,
)


def add(tables: Tables, table: int, key: int, value: float) -> Tables:
    tables = reserve(tables, table, 1)
    index = find_or_add(tables, table, np.int32(key))
    tables.values[index, 0] += value
    tables.values[index, 1] -= value
    return tables


def apply(tables: Tables, dicts: Dicts, operation: str, table: int, key: int, value: float) -> Tables:
    if operation == "add":
        before = dicts[table].get(key, (0.0, 0.0))
        dicts[table][key] = (before[0] + value, before[1] - value)
        return add(tables, table, key, value)
    if operation == "remove":
        dicts[table].pop(key, None)
        remove(tables, table, np.int32(key))
    elif operation == "release":
        dicts[table].clear()
        release(tables, table)
    else:
        return reserve(tables, table, key % 60)
    return tables


def contents(tables: Tables) -> Dicts:
    found: Dicts = [{} for _ in range(len(tables.start))]
    for table, key, values in zip(*entries(tables), strict=True):
        found[int(table)][int(key)] = (float(values[0]), float(values[1]))
    return found


def regions_overlap(tables: Tables) -> bool:
    """Whether two tables, or a table and a free region, share a slot of the pool."""
    taken = np.zeros(len(tables.keys), int)
    for start, bits in zip(tables.start, tables.bits, strict=True):
        if bits:
            taken[start : start + (1 << bits)] += 1
    for bits, first in enumerate(tables.free.tolist()):
        region = first
        while region >= 0:
            taken[region : region + (1 << bits)] += 1
            region = int(tables.values[region, 0])
    return bool((taken > 1).any() or taken[int(tables.top[0]) :].any())


@settings(deadline=None, max_examples=150)
@given(operations, st.lists(st.integers(0, 12), min_size=N_TABLES, max_size=N_TABLES))
def test_tables_hold_what_dictionaries_hold_after_any_operations(
    steps: list[tuple[str, int, int]], expected: list[int]
) -> None:
    tables, dicts = make_tables(np.array(expected), width=2), [{} for _ in range(N_TABLES)]
    for number, (operation, table, key) in enumerate(steps):
        tables = apply(tables, dicts, operation, table, key, float(number + 1))
        assert len(dicts[table]) == tables.entries[table]
    assert contents(tables) == dicts
    assert not regions_overlap(tables)
    for table, known in enumerate(dicts):
        for _, _, key in steps:
            index = find(tables, table, np.int32(key))
            assert (index >= 0) == (key in known)
            assert index < 0 or tuple(tables.values[index]) == known[key]


def test_a_new_key_starts_at_zero_in_a_region_that_another_table_gave_up() -> None:
    tables = make_tables(np.array([4, 0]), width=2)
    for key in range(4):
        tables = add(tables, 0, key, 7.0)
    release(tables, 0)
    tables = reserve(tables, 1, 4)
    for key in range(4):
        assert tables.values[find_or_add(tables, 1, np.int32(key))].tolist() == [0.0, 0.0]


def test_a_table_takes_thousands_of_keys_and_is_never_more_than_three_fifths_full() -> None:
    tables = make_tables(np.array([0, 1]), width=2)
    for key in range(3000):
        tables = add(tables, 0, key * 7919, 1.0)
        assert tables.entries[0] <= 0.6 * 2 ** tables.bits[0]
    assert len(contents(tables)[0]) == 3000


def test_room_that_was_expected_needs_no_growth() -> None:
    for expected in range(1, 70):
        tables = make_tables(np.array([expected]), width=1)
        bits, pool = int(tables.bits[0]), len(tables.keys)
        for key in range(expected):
            find_or_add(tables, 0, np.int32(key))
        grown = reserve(tables, 0, 0)
        assert (int(grown.bits[0]), len(grown.keys)) == (bits, pool)


def test_removing_every_key_in_any_order_leaves_an_empty_table() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = make_tables(np.array([40]), width=2)
        keys = rng.choice(200, 40, replace=False)
        for key in keys:
            tables = add(tables, 0, int(key), 1.0)
        left = set(keys.tolist())
        for key in rng.permutation(keys):
            remove(tables, 0, np.int32(key))
            left.remove(int(key))
            assert set(contents(tables)[0]) == left


def test_nothing_is_found_in_or_taken_from_a_table_without_a_region() -> None:
    tables = make_tables(np.array([0, 3]), width=2)
    assert find(tables, 0, np.int32(5)) == -1
    remove(tables, 0, np.int32(5))
    release(tables, 0)
    assert tables.entries.tolist() == [0, 0]
