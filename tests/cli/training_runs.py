"""What tests of trained runs share: the command, and what must be the same however often a run was cut off."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cli.runner import rows

TOY = ("--method", "toy", "-k", "3", "--epochs", "4", "--map", "pca")
STEPS = 16  # of a whole training: 60 images in batches of 16, four times
CLOCKS = {"seconds", "images_per_second"}
Hook = Callable[[Any, int, int], None]


def content(run: Path) -> dict[str, Any]:
    """Everything that a run has learned, without times."""
    figures = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    arrays = [np.load(run / f"{name}.npz", allow_pickle=False) for name in ("answers", "snapshots")]
    return {
        "table": rows(run / "assignments.csv"),
        "embedding": (run / "embedding.npy").read_bytes(),
        "model": (run / "model" / "model.safetensors").read_bytes(),
        "figures": [{name: value for name, value in record.items() if name not in CLOCKS} for record in figures],
        "arrays": [{name: array[name].tolist() for name in array.files} for array in arrays],
    }


def signal_at(epoch: int, step: int, number: int = signal.SIGTERM) -> Hook:
    """A hook of the toy that sends a signal after a step, both counted from 0."""

    def hook(run: Any, now: int, at: int) -> None:
        if (now, at) == (epoch, step):
            signal.raise_signal(number)

    return hook


def counting(steps: list[tuple[int, int]], then: Hook = lambda run, epoch, step: None) -> Hook:
    """A hook that notes every step that was trained."""

    def hook(run: Any, epoch: int, step: int) -> None:
        steps.append((epoch, step))
        then(run, epoch, step)

    return hook
