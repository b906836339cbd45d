"""Many small hash tables in one pool of memory: integer key -> a row of floats.

The linkage keeps one table per cluster and merges them small into large. Python dictionaries and numba's own are too
slow for that (jule.md E6), so all tables lie in two arrays, each in a region whose capacity is a power of two, never
more than 60 % full, probed linearly. A region that is given up goes to a list of free regions of its size.
"""

from typing import NamedTuple

import numpy as np

from coterie.graphs.compiled import Integer, compiled

EMPTY = np.int32(-1)
MIN_BITS = 2
_FIBONACCI = 2654435769  # 2^32 / golden ratio: spreads consecutive ids over the table


class Tables(NamedTuple):
    """``n`` tables over one pool.

    keys (pool,) int32, -1 where empty; values (pool, w) float64; start, bits, entries (n,) int64: where a table's
    region begins, the logarithm of its capacity (0: no region), how many keys it holds; free (32,) int64: first free
    region of each size, -1 for none; top (1,) int64: first slot of the pool never used.
    """

    keys: np.ndarray
    values: np.ndarray
    start: np.ndarray
    bits: np.ndarray
    entries: np.ndarray
    free: np.ndarray
    top: np.ndarray


def make_tables(expected: np.ndarray, width: int) -> Tables:
    """Empty tables with room for ``expected`` (n,) entries each, before any of them has to grow."""
    tables = reserve_tables(expected, width)
    _place_all(tables)
    return tables


def reserve_tables(expected: np.ndarray, width: int) -> Tables:
    """Tables that will have room for ``expected`` (n,) entries each once ``place_at_top`` has given each its region.

    The pool is only reserved, not written to: memory that no table comes to use is never taken from the machine.
    """
    bits = np.maximum(MIN_BITS, np.ceil(np.log2(np.maximum(expected, 1) / 0.6))).astype(np.int64)
    bits[expected == 0] = 0
    used = int(np.where(bits > 0, 1 << bits, 0).sum())
    pool = used + used // 4 + 1024  # room for the first mergers to grow without a copy of the whole pool
    return Tables(
        keys=np.empty(pool, np.int32),
        values=np.empty((pool, width)),
        start=np.zeros(len(expected), np.int64),
        bits=bits,
        entries=np.zeros(len(expected), np.int64),
        free=np.full(32, -1, np.int64),
        top=np.zeros(1, np.int64),
    )


@compiled
def place_at_top(tables: Tables, table: Integer) -> None:
    """Gives ``table`` the first region never used, and empties it. ``reserve_tables`` has seen to the room."""
    capacity = np.int64(1) << tables.bits[table]
    tables.start[table] = tables.top[0]
    tables.keys[tables.top[0] : tables.top[0] + capacity] = EMPTY
    tables.top[0] += capacity


@compiled
def _place_all(tables: Tables) -> None:
    for table in range(len(tables.bits)):
        if tables.bits[table] > 0:
            place_at_top(tables, table)


@compiled
def shrink_at_top(tables: Tables, table: Integer) -> None:
    """Makes the region of the last table placed as small as its entries allow."""
    bits = np.int64(MIN_BITS)
    while tables.entries[table] > 0.6 * (np.int64(1) << bits):
        bits += 1
    if bits >= tables.bits[table]:
        return
    start, stop = tables.start[table], tables.start[table] + (np.int64(1) << tables.bits[table])
    keys, values = np.empty(tables.entries[table], np.int32), np.empty((tables.entries[table], tables.values.shape[1]))
    found = 0
    for index in range(start, stop):
        if tables.keys[index] != EMPTY:
            keys[found], values[found] = tables.keys[index], tables.values[index]
            found += 1
    tables.bits[table], tables.entries[table], tables.top[0] = bits, 0, start
    place_at_top(tables, table)
    for entry in range(found):
        tables.values[find_or_add(tables, table, keys[entry]), :] = values[entry]


@compiled
def first_slot(key: Integer, bits: Integer) -> Integer:
    spread = (np.int64(key) * _FIBONACCI) & 0xFFFFFFFF
    return spread >> (32 - bits)


@compiled
def find(tables: Tables, table: Integer, key: Integer) -> Integer:
    """The pool index of ``key`` in ``table``, or -1."""
    bits = tables.bits[table]
    if bits == 0:
        return np.int64(-1)
    start, mask = tables.start[table], (np.int64(1) << bits) - 1
    slot = first_slot(key, bits)
    while True:
        stored = tables.keys[start + slot]
        if stored == key:
            return start + slot
        if stored == EMPTY:
            return np.int64(-1)
        slot = (slot + 1) & mask


@compiled
def find_or_add(tables: Tables, table: Integer, key: Integer) -> Integer:
    """The pool index of ``key`` in ``table``; a new key starts with zeros. The table must have room (``reserve``)."""
    bits = tables.bits[table]
    start, mask = tables.start[table], (np.int64(1) << bits) - 1
    slot = first_slot(key, bits)
    while True:
        stored = tables.keys[start + slot]
        if stored == key:
            return start + slot
        if stored == EMPTY:
            tables.keys[start + slot] = key
            tables.values[start + slot, :] = 0.0
            tables.entries[table] += 1
            return start + slot
        slot = (slot + 1) & mask


@compiled
def remove(tables: Tables, table: Integer, key: Integer) -> None:
    """Takes ``key`` out of ``table`` if it is there."""
    index = find(tables, table, key)
    if index >= 0:
        remove_at(tables, table, index)


@compiled
def remove_at(tables: Tables, table: Integer, index: Integer) -> None:
    """Takes out the entry of ``table`` at ``index``, which ``find`` gave, and closes the gap so that no probe stops
    early.
    """
    bits = tables.bits[table]
    start, mask = tables.start[table], (np.int64(1) << bits) - 1
    gap = index - start
    slot = (gap + 1) & mask
    while tables.keys[start + slot] != EMPTY:
        wanted = first_slot(tables.keys[start + slot], bits)
        # the entry may move back into the gap unless its own first slot lies behind the gap
        if ((slot - wanted) & mask) >= ((slot - gap) & mask):
            tables.keys[start + gap] = tables.keys[start + slot]
            tables.values[start + gap, :] = tables.values[start + slot, :]
            gap = slot
        slot = (slot + 1) & mask
    tables.keys[start + gap] = EMPTY
    tables.entries[table] -= 1


@compiled
def release(tables: Tables, table: Integer) -> None:
    """Empties ``table`` and gives its region to the free list."""
    bits = tables.bits[table]
    if bits == 0:
        return
    start = tables.start[table]
    tables.keys[start : start + (np.int64(1) << bits)] = EMPTY
    # a free region remembers the next one of its size in its first value
    tables.values[start, 0] = tables.free[bits]
    tables.free[bits] = start
    tables.bits[table] = 0
    tables.entries[table] = 0


@compiled
def reserve(tables: Tables, table: Integer, extra: Integer) -> Tables:
    """``tables`` in which ``table`` has room for ``extra`` more keys; the pool may be a larger copy of the old one."""
    need, bits = tables.entries[table] + extra, tables.bits[table]
    if bits > 0 and need <= 0.6 * (np.int64(1) << bits):
        return tables
    larger = np.int64(max(MIN_BITS, bits))
    while need > 0.6 * (np.int64(1) << larger):
        larger += 1
    if tables.free[larger] < 0 and tables.top[0] + (np.int64(1) << larger) > len(tables.keys):
        tables = _larger_pool(tables, np.int64(1) << larger)
    region = _take_region(tables, larger)
    _move_table(tables, table, region, larger)
    return tables


@compiled
def _take_region(tables: Tables, bits: Integer) -> Integer:
    region = tables.free[bits]
    if region >= 0:
        tables.free[bits] = np.int64(tables.values[region, 0])
        return region
    region = tables.top[0]
    tables.top[0] += np.int64(1) << bits
    tables.keys[region : tables.top[0]] = EMPTY
    return region


@compiled
def _move_table(tables: Tables, table: Integer, region: Integer, bits: Integer) -> None:
    old_start, old_bits, old_count = tables.start[table], tables.bits[table], tables.entries[table]
    tables.start[table], tables.bits[table], tables.entries[table] = region, bits, 0
    if old_bits == 0:
        return
    for index in range(old_start, old_start + (np.int64(1) << old_bits)):
        if tables.keys[index] != EMPTY:
            tables.values[find_or_add(tables, table, tables.keys[index]), :] = tables.values[index, :]
    tables.keys[old_start : old_start + (np.int64(1) << old_bits)] = EMPTY
    tables.values[old_start, 0] = tables.free[old_bits]
    tables.free[old_bits] = old_start
    assert tables.entries[table] == old_count


@compiled
def _larger_pool(tables: Tables, extra: Integer) -> Tables:
    old = len(tables.keys)
    pool = old + max(extra, old // 4)
    keys = np.empty(pool, np.int32)
    values = np.empty((pool, tables.values.shape[1]))
    keys[: tables.top[0]] = tables.keys[: tables.top[0]]
    values[: tables.top[0]] = tables.values[: tables.top[0]]
    return Tables(keys, values, tables.start, tables.bits, tables.entries, tables.free, tables.top)
