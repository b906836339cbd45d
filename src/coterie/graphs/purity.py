"""How often the neighbours of an image are of its own class, where somebody who scores knows the classes."""

from collections.abc import Sequence

import numpy as np

from coterie.errors import ConfigError


def knn_purity(indices: np.ndarray, classes: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """(len(ks),) float64 in 0..1, purity@K for each K of ``ks``: among the K nearest neighbours of an image, the share
    that are of its class, as a mean over all images (jule.md D2).

    Args:
        indices: (n, m) int, the neighbours of each image, nearest first, itself not among them.
        classes: (n,) int.
        ks: each from 1 to m, in any order.

    Raises:
        ConfigError: the lengths differ, a K is out of range, or an image is its own neighbour.
    """
    indices, classes, counts = np.asarray(indices), np.asarray(classes), np.asarray(ks, np.int64)
    n, m = indices.shape
    if len(classes) != n:
        raise ConfigError(
            f"there are neighbours of {n:,} images and classes of {len(classes):,}; give both of the same"
        )
    if len(counts) and not 1 <= counts.min() <= counts.max() <= m:
        raise ConfigError(f"ks are {list(ks)}; expected whole numbers from 1 to the {m} neighbours that are given")
    if (indices == np.arange(n)[:, None]).any():
        raise ConfigError("an image is among its own neighbours, which would count as pure; leave it out")
    shares = (classes[indices] == classes[:, None]).mean(axis=0)  # of the first neighbours, of the second, ...
    purity: np.ndarray = np.cumsum(shares)[counts - 1] / counts
    return purity
