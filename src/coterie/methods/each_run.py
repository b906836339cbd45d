"""A setting that the runs of a training share, or that each has for itself: several numbers are dealt out in turn."""

from collections.abc import Sequence
from itertools import cycle, islice

from coterie.errors import ConfigError
from coterie.parameters import check_number, check_whole

OneOrSeveral = float | str | Sequence[float]


def numbers_of(name: str, value: OneOrSeveral) -> list[float]:
    """The numbers of the parameter ``name``: one, or several as a sequence or as text with commas ("1,10").

    Raises ConfigError for anything else.
    """
    if isinstance(value, int | float):
        return [_plain(value)]
    try:
        found = [_plain(float(part)) for part in (value.split(",") if isinstance(value, str) else value)]
    except (TypeError, ValueError):
        found = []
    if not found:
        raise ConfigError(f'{name} is {value!r}; expected a number, or several such as "1,10", one for a run in turn')
    return found


def check_each(name: str, value: OneOrSeveral, *, least: float, whole: bool = False) -> None:
    """ConfigError unless the numbers of the parameter ``name`` are ``least`` or more each, and whole where asked."""
    for number in numbers_of(name, value):
        if whole:
            check_whole(name, number, least=int(least))
        else:
            check_number(name, number, least=least)


def dealt(values: Sequence[float], n_runs: int) -> list[float]:
    """(n_runs,): run i has the i-th of ``values``, after the last the first again."""
    return list(islice(cycle(values), n_runs))


def _plain(number: float) -> float:
    """A whole number as such."""
    return int(number) if number == int(number) else number
