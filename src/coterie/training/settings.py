"""A resumed run has the settings it was started with; what differs is named field by field."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from coterie.errors import ConfigError

# What may change between stop and resume: how long, how fast and on what, never what is learned.
MAY_CHANGE = frozenset({"epochs", "iterations", "lr", "precision", "device", "workers"})

Difference = tuple[str, Any, Any]  # field, before, now


def check_settings(before: Mapping[str, Any], now: Mapping[str, Any], may_change: Collection[str]) -> list[Difference]:
    """The permitted differences between two settings.

    Raises ConfigError that lists every other one, as "n_clusters was 10 and is now 12".
    """
    found = list(differences(before, now))
    refused = [item for item in found if item[0].split(".")[-1] not in may_change]
    if refused:
        raise ConfigError(
            f"the checkpoint was made with other settings: {describe(refused)}; "
            "give the same settings to go on, or another folder to start anew."
        )
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """(field, before, now) wherever two settings differ; fields of nested ones are joined by dots."""
    old, new = dict(_flat(plain_settings(before))), dict(_flat(plain_settings(now)))
    for field in sorted(old.keys() | new.keys()):
        if field not in old or field not in new or old[field] != new[field]:
            yield field, old.get(field, "not set"), new.get(field, "not set")


def describe(found: list[Difference]) -> str:
    """The differences as part of a sentence."""
    return ", ".join(f"{field} was {old!r} and is now {new!r}" for field, old, new in found)


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back, so that a tuple equals the list it was read as.

    Raises ConfigError when they hold something else than numbers, text, lists and dicts.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(settings), default=_plain_number))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"settings of a run are numbers, text, lists and dicts: {error}.") from error
    return plain


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):  # a grid search hands over NumPy's numbers
        return value.item()
    raise TypeError(f"{type(value).__name__} is none of them")


def scale_learning_rates(state: Any, ratio: float) -> Any:
    """State of an optimiser or a scheduler with its learning rates times ``ratio``; anything else comes back as it was.

    A state brings the old learning rate with it, which would undo the smaller one that a person asked for.
    """
    if not isinstance(state, dict):
        return state
    scaled = dict(state)
    if isinstance(groups := state.get("param_groups"), list):
        scaled["param_groups"] = [_scaled_group(group, ratio) for group in groups]
    for name in ("base_lrs", "_last_lr"):
        if isinstance(rates := state.get(name), list):
            scaled[name] = [rate * ratio for rate in rates]
    return scaled


def _scaled_group(group: dict[str, Any], ratio: float) -> dict[str, Any]:
    return {**group, **{name: group[name] * ratio for name in ("lr", "initial_lr") if name in group}}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
