"""Checkpoints as often as a test wants them, and what two equal trainings agree in."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from coterie.methods import runs as module
from coterie.training.run import Run

EVERY_BATCH = 1e-9  # seconds between checkpoints
CLOCKS = {"seconds", "images_per_second", "linkage_seconds"}


@contextmanager
def saving(save_every: float) -> Iterator[None]:
    """Inside, methods write a checkpoint after so many seconds; 0 after every epoch, EVERY_BATCH after each batch."""
    module.Run = partial(Run, save_every=save_every)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        module.Run = Run  # type: ignore[misc]


def figures(model: Any) -> list[dict[str, Any]]:
    """What a fitted ``model`` logged, without clocks."""
    return [{name: value for name, value in record.items() if name not in CLOCKS} for record in model.training_]
