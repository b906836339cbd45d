"""Checkpoints as often as a test wants them, and what two equal trainings agree in."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

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


def assert_same_fit(one: Any, other: Any) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert one.answers_.keys() == other.answers_.keys()
    for name, answer in one.answers_.items():
        assert (answer.labels == other.answers_[name].labels).all(), name
        assert (answer.confidence == other.answers_[name].confidence).all(), name
    assert (one.embedding_ == other.embedding_).all()
    first, second = one.extractor_.tensors(), other.extractor_.tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []
    assert [shot.title for shot in one.snapshots_] == [shot.title for shot in other.snapshots_]
    for shot, again in zip(one.snapshots_, other.snapshots_, strict=True):
        assert (shot.positions == again.positions).all(), shot.title
        assert (shot.labels == again.labels).all(), shot.title
    assert figures(one) == figures(other)


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int) -> None:
    """The ``at``-th call of ``owner``'s function ``name`` from now on raises a MemoryError; those after it do not."""
    done, function = 0, getattr(owner, name)

    def failing(*given: Any) -> Any:
        nonlocal done
        done += 1
        if done == at:
            raise MemoryError
        return function(*given)

    monkeypatch.setattr(owner, name, failing)
