"""A short training of JULE with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from coterie.methods.jule import JULE
from kills import kill_many
from methods.patterns import K, patterns
from methods.saving import EVERY_BATCH, assert_same_fit, saving

IMAGES, _ = patterns(each=14, noise=60)
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "eta": 0.2, "epochs": 2, "rounds": 2, "round_epochs": 1, "batch_size": 14, "device": "cpu",
    "n_nearest": 3, "sampler": "clusters", "bn_extract": "train", "augment": "mice", "n_runs": 1,
}  # fmt: skip


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> JULE:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return JULE(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train, assert_same_fit, Path(sys.argv[1]), int(sys.argv[2]))
