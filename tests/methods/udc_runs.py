"""A short training of UDC with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from coterie.methods.udc import UDC
from kills import kill_many
from methods.patterns import K, patterns
from methods.saving import EVERY_BATCH, assert_same_fit, saving

IMAGES, CLASSES = patterns(each=14, noise=30)
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "iterations": 7, "every": 3, "n_runs": 2, "batch_size": 6, "width": 2, "n_noise": 3,
    "n_critic": 2, "n_class": 1, "held_out": 0.2, "assign": "head", "device": "cpu",
}  # fmt: skip
EVERYTHING: dict[str, Any] = {
    "prior": "learned", "augment": "udc", "consistency": 0.5, "class_noise": 0.2, "schedule": "code", "every": 2,
    "checkpoint": "auto", "beside": 3,
}  # fmt: skip


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> UDC:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return UDC(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def train_with_everything(folder: Path | None) -> UDC:
    return train(folder, **EVERYTHING)


def assert_same(one: UDC, other: UDC) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert_same_fit(one, other)
    assert (one.head_weight_ == other.head_weight_).all()
    assert (one.samples_ == other.samples_).all()
    assert one.runs_ == other.runs_
    assert one.moments_ == other.moments_


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train_with_everything, assert_same, Path(sys.argv[1]), int(sys.argv[2]))
