"""Checks of the parameters that methods have, in the words every method uses."""

from typing import cast

import numpy as np

from coterie.errors import ConfigError

# Parameters that say where and how a training tells of itself: no part of its settings, nor of the model it ends with.
OF_THE_RUN = frozenset({"run_folder", "progress", "tensorboard"})


def check_n_clusters(n_clusters: object, *, auto: bool = False) -> None:
    """ConfigError unless ``n_clusters`` is a whole number of at least 1 (or "auto" where that is allowed)."""
    if not (auto and isinstance(n_clusters, str) and n_clusters == "auto"):
        check_whole("n_clusters", n_clusters, or_else=' or "auto"' if auto else "")


def check_several_clusters(n_clusters: object, method: str) -> None:
    """ConfigError unless ``n_clusters`` is a whole number of at least 2, which ``method`` needs to tell them apart."""
    check_n_clusters(n_clusters)
    if n_clusters == 1:
        raise ConfigError(f"n_clusters is 1, and {method} learns by telling clusters apart; ask for 2 or more")


def check_whole(name: str, value: object, *, least: int = 1, or_else: str = "") -> None:
    """ConfigError unless ``value`` is a whole number of at least ``least``; ``or_else`` names what else is allowed."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or cast("int", value) < least:
        raise ConfigError(f"{name} is {value!r}; expected a whole number of at least {least}{or_else}")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """ConfigError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")


def check_number(
    name: str, value: object, *, above: float = -np.inf, least: float = -np.inf, most: float = np.inf
) -> None:
    """ConfigError unless ``value`` is a finite number, larger than ``above`` and within ``least`` .. ``most``."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))
    if number and above < cast("float", value) and least <= cast("float", value) <= most:
        return
    bounds = [("above", above), ("of at least", least), ("of at most", most)]
    wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds if np.isfinite(bound))
    raise ConfigError(f"{name} is {value!r}; expected a finite number {wanted}".rstrip())
