"""What sets groups of images apart where all of them show the same scene: the mean of a group less that of all images.

A pixel that tells the groups apart, and that nobody would find among strokes that differ more, stands out in such a
picture, since what differs within every group cancels in its mean. What is left of that by chance is taken away.
"""

from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

MOST = 10_000  # images that means are taken of, where there are more
AT_ONCE = 1_000
GREY = 127  # where a group is as bright as all images


def set_apart(
    images: NDArray[np.uint8], labels: NDArray[np.int64], n_groups: int, side: int
) -> tuple[NDArray[np.uint8], float]:
    """(pictures (k, c, h, w), strength): by how much more than chance the mean of a group differs from that of all.

    images: (n, c, height, width), of which 10,000 are looked at where there are more. labels: (n,) in 0..K-1, of which
    the first ``n_groups`` have a picture. Of images of more than ``side`` pixels a pixel of the picture is the largest
    difference of those it stands for.

    Chance is so many standard errors, by the variance of a pixel within the groups, that of all pixels together half
    a one would differ by more if groups were drawn at random and brightness were normal. A picture is 127 where a group
    differs by no more, brighter where it is brighter; the largest difference of all, ``strength`` in 0..1 of full
    brightness, is 0 or 254.
    """
    k = int(labels.max()) + 1
    if len(images) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(len(images), MOST, replace=False))
        images, labels = images[rows], labels[rows]
    apart = _pooled(_beyond_chance(images, labels, k)[:n_groups], side)
    strength = float(np.abs(apart).max())
    pictures = np.rint(GREY + GREY * apart / (strength or 1)).astype(np.uint8)
    return pictures, strength


def _beyond_chance(images: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> np.ndarray:
    """(k, c, height, width): the mean of each group less that of all, as far as it is more than chance."""
    counts, sums, squares = _moments(images, labels, k)
    means = sums / np.maximum(counts, 1)
    within = (squares - (sums * means).sum(axis=0)) / max(len(images) - k, 1)  # pooled over the groups
    error = np.sqrt(np.maximum(within, 0) / np.maximum(counts, 1))
    apart = np.where(counts > 0, means - sums.sum(axis=0) / len(images), 0)
    chance = NormalDist().inv_cdf(1 - 0.25 / means.size)  # to either side
    found: np.ndarray = np.sign(apart) * np.maximum(np.abs(apart) - chance * error, 0)
    return found


def _pooled(apart: np.ndarray, side: int) -> np.ndarray:
    """``apart`` (k, c, h, w) with at most ``side`` pixels a side, each the largest difference, up or down, there."""
    size = _size(apart.shape[2:], side)
    up, down = (adaptive_max_pool2d(torch.from_numpy(sign * apart), size).numpy() for sign in (1, -1))
    found: np.ndarray = np.where(up >= down, up, -down)
    return found


def shrunk(images: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """``images`` (n, c, h, w) with at most ``most`` pixels a side, each the mean of those it stands for."""
    size = _size(images.shape[2:], most)
    if size == images.shape[2:] or not len(images):
        return images
    return adaptive_avg_pool2d(torch.from_numpy(images).float(), size).round().byte().numpy()


def _size(sides: tuple[int, ...], most: int) -> tuple[int, int]:
    """(height, width) of ``sides``, smaller where one of them is more than ``most``."""
    height, width = sides
    factor = min(1.0, most / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _moments(images: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> tuple[np.ndarray, ...]:
    """(counts (k, 1, 1, 1), sums (k, c, h, w), squares (c, h, w)) of pixels in 0..1, read in parts."""
    sums, squares = np.zeros((k, *images.shape[1:])), np.zeros(images.shape[1:])
    for start in range(0, len(images), AT_ONCE):
        part, own = np.asarray(images[start : start + AT_ONCE]) / 255, labels[start : start + AT_ONCE]
        squares += (part**2).sum(axis=0)
        for label in np.unique(own):
            sums[label] += part[own == label].sum(axis=0)
    return np.bincount(labels, minlength=k)[:, None, None, None], sums, squares
