"""A short training of DCCM with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coterie.methods.dccm import DCCM
from kills import kill_many
from methods.patterns import K, patterns
from methods.saving import EVERY_BATCH, assert_same_fit, saving

IMAGES, CLASSES = patterns(each=14, noise=60)
# chunks of 16, 16 and 10 images; the last is shorter than the others and longer than a batch
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "epochs": 3, "chunk": 16, "repeats": 2, "batch_size": 8, "maps": 4, "n_features": 8,
    "mi_width": 8, "mi_places": 4, "use_original_terms": True, "label_threshold": 0.5, "device": "cpu",
}  # fmt: skip


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> DCCM:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return DCCM(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def assert_same(one: DCCM, other: DCCM) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert_same_fit(one, other)
    assert one.batch_spread_ == other.batch_spread_
    first, second = one.head_.tensors(), other.head_.tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train, assert_same, Path(sys.argv[1]), int(sys.argv[2]))
