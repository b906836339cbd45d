"""Small images of a few kinds, and settings with which JULE is done in a tenth of a second."""

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

K = 3
FAST: dict[str, Any] = {
    "eta": 0.9, "epochs": 1, "rounds": 1, "round_epochs": 1, "batch_size": 30, "n_runs": 1, "device": "cpu"
}  # fmt: skip


def patterns(each: int = 30, k: int = K, *, noise: float = 40.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 (n, 12, 12), classes (n,)): ``k`` random patterns under noise, ``each`` times each, in random order."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 256, (k, 12, 12))
    classes = rng.permutation(np.repeat(np.arange(k), each))
    images = kinds[classes] + rng.normal(0, noise, (len(classes), 12, 12))
    return np.clip(images, 0, 255).astype(np.uint8), classes


def noise(n: int = 90) -> np.ndarray:
    """(n, 12, 12) images that no two have anything in common."""
    return np.random.default_rng(9).integers(0, 256, (n, 12, 12), dtype=np.uint8)


def schedule(n: int, k: int, eta: float) -> list[int]:
    """The clusters left after every period, by exact arithmetic (jule.md B1)."""
    left = [n]
    while len(left) == 1 or left[-1] > k:
        merge = ceil(Fraction(str(eta)) * left[-1])
        left.append(left[-1] - min(merge, left[-1] - k))
    return left[1:]
