"""Published figures: the tables of evidence/published/*.toml as cells, checked while they are read.

A file is the tables of one source; ``sets.toml`` is the image sets.

    paper = "DCCM"                              # short name, for every table that names no other
    cite = "who, what, where, when"

    [[tables]]
    table = "Table 2"                           # as its paper calls it
    where = "section 4.1"
    about = "what the table shows"
    sets = ["cifar-10", "stl-10"]
    sizes = ["32 x 32 x 3", "96 x 96 x 3"]      # of the images, one for each set
    scores = ["NMI", "ACC min", "ACC"]          # the columns of each set; min and max go with the column of that name
    split = "all"                               # the protocol, of the words in evidence/cells.py
    statistic = "median"
    runs = 10                                   # 0: not stated
    unlabelled = "none"
    nmi = "geometric"
    input = "pixels"
    percent = true                              # optional: 62.3 instead of .623
    digits = 3                                  # optional: decimals of the shares, by which they are rounded
    flags = ["memory"]                          # optional: on every cell

    [tables.rows]                               # set after set, in each the columns; nan: empty, "<0.3": below
    "DCCM" = [0.496, 0.600, 0.623, 0.376, 0.450, 0.482]

    [[tables.marks]]                            # what some cells have besides, or otherwise
    methods = ["DCCM"]                          # which; absent: all
    sets = ["stl-10"]
    flag = "re-run"
    note = "a sentence"
    size = "64 x 64 x 3"                        # any key of the protocol
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from importlib.resources import files
from math import isnan
from typing import Any, NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.cells import (
    CLASSES,
    FLAGS,
    NMI_MEANS,
    SCORES,
    SPLITS,
    STATISTICS,
    UNLABELLED,
    Cell,
    ImageSet,
    Protocol,
    Score,
    Source,
)

Table = dict[str, Any]
WORDS = {"split": SPLITS, "statistic": STATISTICS, "unlabelled": UNLABELLED, "nmi": NMI_MEANS}
PROTOCOL = {"split": str, "statistic": str, "runs": int, "unlabelled": str, "nmi": str, "input": str}
TABLE = PROTOCOL | {"table": str, "where": str, "about": str, "sets": list, "sizes": list, "scores": list, "rows": dict}
TABLE_TOO = {"paper": str, "cite": str, "percent": bool, "digits": int, "flags": list, "marks": list}
MARK = PROTOCOL | {"size": str, "methods": list, "sets": list, "flag": str, "note": str}
ENDS = {"min": "low", "max": "high"}


class PValues(NamedTuple):
    """A published table of p-values: rows[i][j] is of methods i and j, nan where there is none."""

    source: Source
    methods: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@cache
def published_sets() -> dict[str, ImageSet]:
    """Every image set of the published tables, by name."""
    return parse_sets(_texts()["sets"], "sets.toml")


@cache
def published_cells() -> tuple[Cell, ...]:
    """Every cell of every published table, file by file; tables that only repeat cells of others are left out."""
    found = [cell for name, text in _tables() for cell in parse_tables(text, f"{name}.toml", published_sets())]
    return tuple(cell for cell in found if "copy" not in cell.flags)


@cache
def published_p_values() -> tuple[PValues, ...]:
    """Every published table of p-values."""
    return tuple(found for name, text in _tables() for found in parse_p_values(text, f"{name}.toml"))


def parse_sets(text: str, where: str) -> dict[str, ImageSet]:
    """The sets in ``text``; ConfigError names ``where`` and the fault."""
    found = {}
    for name, table in _toml(text, where).items():
        place = f"published {where}, set {name}"
        _check_keys(table, {"title": str, "n": int, "k": int, "classes": str}, {"see": list, "counts": list}, place)
        _one_of(table["classes"], CLASSES, f"{place}: classes")
        counts = tuple(table.get("counts", ()))
        if counts and (sum(counts) != table["n"] or len(counts) != table["k"]):
            raise ConfigError(
                f"{place}: the counts of its classes do not add up to n = {table['n']} in k = {table['k']}"
            )
        see = tuple(table.get("see", ()))
        found[name] = ImageSet(name, table["title"], table["n"], table["k"], table["classes"], see, counts)
    for known in found.values():
        if missing := [name for name in known.see if name not in found]:
            raise ConfigError(f"published {where}, set {known.name}: see names {missing[0]}, which is no set there")
    return found


def parse_tables(text: str, where: str, sets: Mapping[str, ImageSet]) -> list[Cell]:
    """The cells in ``text``; ConfigError names ``where``, the table and the fault."""
    file = _file(text, where)
    cells: list[Cell] = []
    for table in file.get("tables", []):
        place = f"published {where}, {table.get('table', 'a table without a name')}"
        full = {"paper": file["paper"], "cite": file["cite"]} | table
        _check_table(full, sets, place)
        cells += _cells(full, place)
    return cells


def parse_p_values(text: str, where: str) -> list[PValues]:
    """The tables of p-values in ``text``; ConfigError when one is not square or symmetric, or is no probability."""
    file = _file(text, where)
    found = []
    for table in file.get("p_values", []):
        place = f"published {where}, {table.get('table', 'a table without a name')}"
        _check_keys(table, {"table": str, "where": str, "about": str, "methods": list, "rows": dict}, {}, place)
        rows = tuple(tuple(float(p) for p in row) for row in table["rows"].values())
        if list(table["rows"]) != table["methods"] or any(len(row) != len(rows) for row in rows):
            raise ConfigError(f"{place}: expected a row and a column for each of its methods, in their order")
        if any(not (isnan(p) and i == j) and not (0 <= p <= 1 and p == rows[j][i])
               for i, row in enumerate(rows) for j, p in enumerate(row)):  # fmt: skip
            raise ConfigError(f"{place}: expected probabilities, the same on both sides of the diagonal")
        source = Source(file["paper"], file["cite"], table["table"], table["where"], table["about"])
        found.append(PValues(source, tuple(table["methods"]), rows))
    return found


def _texts() -> dict[str, str]:
    found = [item for item in (files("coterie.evidence") / "published").iterdir() if item.name.endswith(".toml")]
    return {item.name.removesuffix(".toml"): item.read_text(encoding="utf-8") for item in sorted(found, key=str)}


def _tables() -> list[tuple[str, str]]:
    return [(name, text) for name, text in _texts().items() if name != "sets"]


def _file(text: str, where: str) -> Table:
    file = _toml(text, where)
    _check_keys(file, {"paper": str, "cite": str}, {"tables": list, "p_values": list}, f"published {where}")
    return file


def _toml(text: str, where: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"published {where} is not TOML: {error}") from error


def _check_table(table: Table, sets: Mapping[str, ImageSet], place: str) -> None:
    _check_keys(table, TABLE, TABLE_TOO, place)
    for key, words in WORDS.items():
        _one_of(table[key], words, f"{place}: {key}")
    for name in table["sets"]:
        _one_of(name, tuple(sets), f"{place}: sets")
    for flag in table.get("flags", []):
        _one_of(flag, tuple(FLAGS), f"{place}: flags")
    for column in table["scores"]:
        score, _, end = column.partition(" ")
        _one_of(score, tuple(SCORES), f"{place}: scores")
        _one_of(end, ("", *ENDS), f"{place}: scores, after {score}")
    if len(table["sizes"]) != len(table["sets"]):
        raise ConfigError(f"{place}: {len(table['sizes'])} sizes for {len(table['sets'])} sets; expected one for each")
    if not table["rows"]:
        raise ConfigError(f"{place}: it has no rows")
    for mark in table.get("marks", []):
        _check_mark(mark, table, f"{place}, a mark")


def _check_mark(mark: Table, table: Table, place: str) -> None:
    _check_keys(mark, {}, MARK, place)
    for key, words in WORDS.items():
        if key in mark:
            _one_of(mark[key], words, f"{place}: {key}")
    if "flag" in mark:
        _one_of(mark["flag"], tuple(FLAGS), f"{place}: flag")
    for key, known in (("methods", tuple(table["rows"])), ("sets", tuple(table["sets"]))):
        for name in mark.get(key, []):
            _one_of(name, known, f"{place}: {key}")
    if not set(mark) - {"methods", "sets"}:
        raise ConfigError(f"{place}: it marks nothing; expected a flag, a note or a key of the protocol")


def _cells(table: Table, place: str) -> Iterator[Cell]:
    width = len(table["scores"])
    for method, row in table["rows"].items():
        if len(row) != width * len(table["sets"]):
            raise ConfigError(
                f"{place}: the row {method} has {len(row)} cells; "
                f"expected {width} for each of {len(table['sets'])} sets"
            )
        for i, name in enumerate(table["sets"]):
            scores = _scores(table, row[i * width : (i + 1) * width], f"{place}, {method} on {name}")
            if scores:
                yield _marked(_cell(table, i, method, scores), table.get("marks", []))


def _cell(table: Table, i: int, method: str, scores: Mapping[str, Score]) -> Cell:
    protocol = Protocol(size=table["sizes"][i], **{key: table[key] for key in PROTOCOL})
    source = Source(*(table[key] for key in Source._fields))
    flags = tuple(table.get("flags", []))
    return Cell(table["sets"][i], method, scores, protocol, source, flags, digits=table.get("digits", 3))


def _marked(cell: Cell, marks: Sequence[Table]) -> Cell:
    for mark in marks:
        if cell.method not in mark.get("methods", [cell.method]) or cell.data_set not in mark.get(
            "sets", [cell.data_set]
        ):
            continue
        changes = {key: mark[key] for key in asdict(cell.protocol) if key in mark}
        flags = dict.fromkeys((*cell.flags, *([mark["flag"]] if "flag" in mark else [])))
        notes = dict.fromkeys((*cell.notes, *([mark["note"]] if "note" in mark else [])))
        cell = replace(cell, protocol=replace(cell.protocol, **changes), flags=tuple(flags), notes=tuple(notes))
    return cell


def _scores(table: Table, row: Sequence[Any], place: str) -> dict[str, Score]:
    found: dict[str, Score] = {}
    for column, printed in zip(table["scores"], row, strict=True):
        name, _, end = column.partition(" ")
        key, lowest = SCORES[name]
        value, is_below = _number(printed, f"{place}: {column}", percent=table.get("percent", False))
        if isnan(value):
            continue
        if not lowest <= value <= 1:
            raise ConfigError(f"{place}: {column} is {printed}; expected a share from {lowest:g} to 1")
        part = "high" if is_below else ENDS.get(end, "value")
        found[key] = found.get(key, Score())._replace(**{part: value})
    for key, score in found.items():
        given = [value for value in (score.low, score.value, score.high) if value is not None]
        if given != sorted(given):
            raise ConfigError(f"{place}: minimum, {table['statistic']} and maximum of {key} are not in order")
    return found


def _number(printed: Any, place: str, *, percent: bool) -> tuple[float, bool]:
    """The share, and whether only "below it" was printed."""
    is_below = isinstance(printed, str) and printed.startswith("<")
    if is_below or (isinstance(printed, int | float) and not isinstance(printed, bool)):
        with suppress(ValueError):
            value = float(printed[1:] if is_below else printed)
            return round(value / 100, 6) if percent else value, is_below
    raise ConfigError(f'{place} is {printed!r}; expected a number, nan, or a text such as "<0.3"')


def _check_keys(table: Any, required: Mapping[str, type], optional: Mapping[str, type], place: str) -> None:
    if not isinstance(table, dict):
        raise ConfigError(f"{place}: expected a table of keys, got {table!r}")
    known = {**required, **optional}
    _first(table, lambda key: key not in known, f"{place}: the key {{}} is unknown; expected {', '.join(known)}")
    _first(required, lambda key: key not in table, f"{place}: the key {{}} is missing")
    _first(table, lambda key: not _is_a(table[key], known[key]), f"{place}: the key {{}} has a value of the wrong kind")


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def _first(keys: Mapping[str, Any], is_wrong: Callable[[str], bool], sentence: str) -> None:
    if wrong := next((key for key in keys if is_wrong(key)), None):
        raise ConfigError(sentence.format(wrong))


def _one_of(value: str, words: Sequence[str], place: str) -> None:
    if value not in words:
        raise ConfigError(f"{place} is {value!r}; expected one of {', '.join(repr(word) for word in words)}")
