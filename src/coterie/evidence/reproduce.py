"""A recipe run seed by seed into a folder that remembers which seeds are done.

The folder holds, for each seed, ``seed-0.json`` (the record), ``seed-0.npz`` (the labels of every answer, and the
embedding of a method that trains) and ``seed-0/`` (the checkpoints of such a method); and ``summary.json`` over all
seeds in it. The record is written last and completely or not at all, so a seed is done exactly when its record is
there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.protocol import FORMAT, FORMAT_VERSION, Circumstances, is_random, run_once
from coterie.evidence.recipe import Recipe
from coterie.evidence.summary import summarise
from coterie.files.atomic import probe_writable, remove_leftovers, write_json, write_npz
from coterie.files.lock import RunLock

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Reproduction:
    """What is asked: ``recipe`` with ``seeds`` on the set in the folder ``data``, into the folder ``out``."""

    recipe: Recipe
    seeds: tuple[int, ...]
    data: Path
    out: Path
    circumstances: Circumstances = field(default_factory=Circumstances)

    def record_of(self, seed: int) -> Path:
        """The file of the record of ``seed``."""
        return self.out / f"seed-{seed}.json"


class Done(NamedTuple):
    """A seed, its record, whether that was there already, and the summary of all seeds that are done so far."""

    seed: int
    record: dict[str, Any]
    kept: bool
    summary: dict[str, Any]


def first_seeds(recipe: Recipe, count: int) -> tuple[int, ...]:
    """The first ``count`` seeds of the recipe; beyond its own, it goes on counting from the largest."""
    beyond = range(max(recipe.seeds) + 1, max(recipe.seeds) + 1 + count - len(recipe.seeds))
    return (*recipe.seeds, *beyond)[:count]


def reproduce(asked: Reproduction) -> Iterator[Done]:
    """Each seed as soon as it is done; those with a record in ``out`` are not run again, and one that was cut off goes
    on where it stood. ``summary.json`` is current after each.

    A method without anything random runs once, as seed 0, whatever seeds are asked for.

    Raises:
        ConfigError: ``out`` holds seeds of another version of the recipe, or a file that is no record.
        SourceError: the set cannot be read from ``data``; it is only read when a seed has to run.
        OutputError: ``out`` cannot be written, or another process is at work in it.
    """
    recipe, seeds = asked.recipe, asked.seeds if is_random(asked.recipe) else (0,)
    there = records_of(asked)
    data: Dataset | None = None
    if any(seed not in there for seed in seeds):  # before a folder appears for a set that is not there
        data = load(recipe.data_set, asked.data, recipe.size)
    probe_writable(asked.out)
    with RunLock(asked.out):
        remove_leftovers(asked.out)
        there = records_of(asked)
        for seed in seeds:
            kept = seed in there
            if not kept:
                data = data or load(recipe.data_set, asked.data, recipe.size)
                there[seed] = run_seed(asked, data, seed)
            summary = summarise(recipe, [there[each] for each in sorted(there)])
            write_json(asked.out / SUMMARY, summary)
            yield Done(seed, there[seed], kept, summary)


def records_in(folder: Path) -> dict[int, dict[str, Any]]:
    """The record of every seed that ``folder`` holds, by seed; ConfigError for a file that should be one and is not."""
    paths = [path for path in folder.glob("seed-*.json") if path.stem.removeprefix("seed-").isdecimal()]
    return {int(path.stem.removeprefix("seed-")): _record(path) for path in paths}


def records_of(asked: Reproduction) -> dict[int, dict[str, Any]]:
    """The records in ``asked.out`` by seed; ConfigError when they are of another version of the recipe."""
    there = records_in(asked.out)
    for record in there.values():
        _refuse_other_recipe(asked, record)
    return there


def run_seed(asked: Reproduction, data: Dataset, seed: int) -> dict[str, Any]:
    """Runs ``seed`` on ``data`` and keeps its labels and its record, which is also given back.

    Whoever calls this holds the lock of ``asked.out``.
    """
    path = asked.record_of(seed)
    record, arrays = run_once(asked.recipe, data, seed, path.with_suffix(""), asked.circumstances)
    write_npz(path.with_suffix(".npz"), **arrays)
    write_json(path, record)
    return record


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): delete it to run that seed again") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(f"{path} is not the record of a seed: give --out another folder, or move that file away")
    if record.get("format_version") != FORMAT_VERSION:
        raise ConfigError(f"{path} was written by another release of coterie: give --out another folder")
    return record


def _refuse_other_recipe(asked: Reproduction, record: Mapping[str, Any]) -> None:
    """Seeds of two settings in one summary would be the mean of two different things."""
    before, recipe = record["recipe"], asked.recipe
    if before["digest"] == recipe.digest:
        return
    now = recipe.what_runs()
    changes = differences({key: before.get(key, {}) for key in now}, now)
    raise ConfigError(
        f"{asked.out} holds seeds of {before['name']} with other settings ({', '.join(changes)}): give --out another "
        "folder, or delete that one"
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Sequence[str]:
    """A phrase for each value that differs, keys of inner tables joined by dots."""
    found: list[str] = []
    for key in sorted({*before, *now}):
        old, new = before.get(key, "not set"), now.get(key, "not set")
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} was {old!r} and is now {new!r}")
    return found
