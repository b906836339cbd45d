"""A setting that the runs of a training share, or that each has for itself: several numbers are dealt out in turn."""

import math
from collections.abc import Iterable
from itertools import cycle, islice

import numpy as np

from coterie.errors import ConfigError
from coterie.parameters import check_number, check_whole

OneOrSeveral = float | str | Iterable[float]


def numbers_of(name: str, value: OneOrSeveral) -> list[float]:
    """The numbers of the parameter ``name``: one, or several as a sequence or as text with commas ("1,10").

    Raises ConfigError for anything else.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        parts = [value] if isinstance(value, int | float | np.number) else value
        found = [float(part) for part in (parts.split(",") if isinstance(parts, str) else parts)]
    except (TypeError, ValueError):
        found = []
    if not found:
        raise ConfigError(f'{name} is {value!r}; expected a number, or several such as "1,10", one for a run in turn')
    return [int(number) if math.isfinite(number) and number == int(number) else number for number in found]


def check_each(name: str, value: OneOrSeveral, n_runs: int, *, least: float = 0, whole: bool = False) -> None:
    """ConfigError unless the numbers of the parameter ``name`` are at most one for each run, ``least`` or more each,
    and whole where asked.
    """
    numbers = numbers_of(name, value)
    if len(numbers) > n_runs:
        raise ConfigError(f"{name} is {value!r}, {len(numbers)} numbers for {n_runs} runs; give more n_runs or fewer")
    for number in numbers:
        if whole:
            check_whole(name, number, least=int(least))
        else:
            check_number(name, number, least=least)


def dealt(values: Iterable[float], n_runs: int) -> list[float]:
    """(n_runs,): run i has the i-th of ``values``, after the last the first again."""
    return list(islice(cycle(values), n_runs))
