"""A short training of DAC with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coterie.methods.dac import DAC
from kills import kill_many
from methods.patterns import K, patterns
from methods.saving import EVERY_BATCH, assert_same_fit, saving

IMAGES, CLASSES = patterns(each=17, noise=60)  # 51 images: chunks of 20, 20 and 11, the last of one batch and a rest
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "epochs": 4, "batch_size": 8, "chunk": 20, "repeats": 2, "views": 2, "maps": 4, "device": "cpu",
    "auxiliary": 1.0, "entropy": 0.5, "fresh_optimizer": True,
}  # fmt: skip
CHUNKS = 3
UPDATES = (2 + 2 + 1) * 2 * 2


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> DAC:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return DAC(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def assert_same(one: DAC, other: DAC) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert_same_fit(one, other)
    assert one.batch_spread_ == other.batch_spread_
    first, second = one.head_.tensors(), other.head_.tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train, assert_same, Path(sys.argv[1]), int(sys.argv[2]))
