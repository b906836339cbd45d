"""What a method takes by the look of the images where a parameter says "auto", and why: for the run to tell."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

log = logging.getLogger(__name__)


class Taken(NamedTuple):
    """The ``name`` of what was taken, and why, as a sentence without its full stop."""

    name: str
    because: str


def taken(asked: str, automatic: tuple[str, str]) -> Taken:
    """``automatic``, a name and its reason, where ``asked`` is "auto"; else what was asked for."""
    return Taken(*automatic) if asked == "auto" else Taken(asked, "it was asked for")


def tell(chosen: Mapping[str, Taken]) -> None:
    """Says what was taken, by the parameter it stands for, before the training starts."""
    for parameter, (name, because) in chosen.items():
        log.info("%s %s: %s", parameter, name, because)
