"""Trainings of TCC that two processes share; a program, started once per process."""

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.errors import TrainingStopped
from coterie.methods.tcc import TCC
from coterie.methods.twins import Memory, Parts
from two import leave, meet

N = 61  # images; with batches of 15, two processes never have equal parts
SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 15, "dim": 8, "device": "cpu"}
# as the paper has it, so that no label depends on a rounding; every image is augmented and has its noise all the same
# (and at a rate at which 12 steps do not blow a rounding up: 4e-6 at .01, 2e-3 at .1)
PLAIN: dict[str, Any] = {"warm_up": 0, "teach": 0.0, "optimizer": "sgd", "lr": 0.01, "assign": "head"}
TAUGHT: dict[str, Any] = {"warm_up": 1, "relink": 1}
STOP_AT = 6  # of 12 steps


class Kept(TCC):
    """TCC that keeps what it trained, to be looked into."""

    kept: Parts

    def parts(self, *arguments: Any) -> Parts:
        self.kept = super().parts(*arguments)
        return self.kept


def stripes() -> np.ndarray:
    """Grey images (n, 16, 16) of three kinds of marks."""
    random = np.random.default_rng(0)
    images = np.zeros((N, 16, 16))
    images[0::3, 6:9, 2:14] = 220
    images[1::3, 2:14, 6:9] = 220
    images[2::3, 4:12, 4:12] = 220
    return (images + random.normal(0, 12, images.shape)).clip(0, 255).astype(np.uint8)


def train(folder: Path | None = None, **settings: Any) -> dict[str, Tensor]:
    """What a fit leaves behind: its answer, its networks, its queues and its figures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images of so few kinds deserve them
        model = Kept(3, **{**SETTINGS, "run_folder": folder, **settings}).fit(stripes())
    memory = model.kept.memory
    found: dict[str, Any] = {
        "embedding": model.embedding_, "labels": model.labels_, "prototypes": model.prototypes_,
        "confidence": model.confidence_, "student": model.student_.out, "cloud": model.snapshots_[-1].positions,
        "images": memory.images.keys, "ids": memory.images.ids, "pushed": memory.images.pushed,
        "clusters": memory.clusters.keys, "cluster ids": memory.clusters.ids,
    }  # fmt: skip
    found |= {f"net {name}": tensor for name, tensor in model.kept.bare.state_dict().items()}
    found |= {f"twin {name}": tensor for name, tensor in model.kept.twin.net.state_dict().items()}
    for figure in ("loss", "loss_instance", "kl", "loss_cluster", "max_pi", "entropy_mean", "r_cosine", "sizes"):
        found[f"figure {figure}"] = [record[figure] for record in model.training_]
    return {name: torch.as_tensor(value).clone() for name, value in found.items()}


def stopped(rank: int, folder: Path) -> None:
    """A training that a signal to the second process ends."""
    push, pushed = Memory.push, []

    def push_and_stop(self: Memory, *arguments: Any) -> None:
        push(self, *arguments)
        pushed.append(1)
        if rank == 1 and len(pushed) == STOP_AT:
            os.kill(os.getpid(), signal.SIGTERM)

    Memory.push = push_and_stop  # type: ignore[method-assign]
    try:
        train(folder, **TAUGHT)
    except TrainingStopped:
        assert len(pushed) == STOP_AT
    else:
        raise AssertionError("the training did not stop")
    finally:
        Memory.push = push  # type: ignore[method-assign]


def main(rank: int, world: int, folder: Path) -> None:
    meet(rank, world, folder)
    plain, straight = train(**PLAIN), train(folder / "straight", **TAUGHT)
    stopped(rank, folder / "stopped")
    resumed = train(folder / "stopped", **TAUGHT)
    named = [("plain", plain), ("straight", straight), ("resumed", resumed)]
    leave(rank, world, folder, {f"{name} {key}": value for name, found in named for key, value in found.items()})


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
