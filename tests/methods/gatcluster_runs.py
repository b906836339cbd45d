"""A short training of GATCluster with everything a resume can get wrong; also a program, to be killed from outside."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coterie.methods.gatcluster import GATCluster
from kills import kill_many
from methods.saving import EVERY_BATCH, assert_same_fit, saving

K = 3


def marks(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 (n, 12, 12), classes (n,)): a bar that lies, one that stands, and a block, under a little noise."""
    random = np.random.default_rng(seed)
    classes = np.arange(n) % K
    images = np.zeros((n, 12, 12))
    images[classes == 0, 5:7, 1:11] = 220
    images[classes == 1, 1:11, 5:7] = 220
    images[classes == 2, 3:9, 3:9] = 220
    return (images + random.normal(0, 12, images.shape)).clip(0, 255).astype(np.uint8), classes


IMAGES, CLASSES = marks()  # two chunks of 24 and one of 12 an epoch
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "epochs": 3, "batch_size": 8, "n_targets": 24, "target_batch_size": 7, "repeats": 2, "width": 2,
    "n_features": 4, "device": "cpu",
}  # fmt: skip


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> GATCluster:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return GATCluster(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def assert_same(one: GATCluster, other: GATCluster) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert_same_fit(one, other)
    if one.theta_ is not None and other.theta_ is not None:
        np.testing.assert_allclose(one.theta_, other.theta_, rtol=1e-5)  # shown, not learned from
    first, second = one._fitted_tensors(), other._fitted_tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(train, assert_same, Path(sys.argv[1]), int(sys.argv[2]))
