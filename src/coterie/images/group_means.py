"""What sets groups of images apart where all of them show the same scene: the mean of a group less that of all images.

A pixel that tells the groups apart, and that nobody would find among strokes that differ more, stands out in such a
picture, since what differs within every group cancels in its mean. What is left of that by chance is taken away.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

MOST = 10_000  # images, evenly spread, that means are taken of
AT_ONCE = 1_000
GREY = 127  # where a group is as bright as all images
CHANCE = 4.0  # standard errors of a group's mean, which 6 pixels of 100,000 differ by where groups are drawn at random


def set_apart(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[NDArray[np.uint8], float]:
    """(pictures (k, c, h, w), strength): by how much more than chance the mean of each of the k groups differs from
    that of all, in at most 10,000 of ``images`` (n, c, h, w) with ``labels`` (n,) in 0..k-1.

    Chance is 4 standard errors, by the variance of a pixel within the groups. A picture is 127 where a group differs by
    no more, brighter where it is brighter; the largest difference of all groups, ``strength`` in 0..1 of full
    brightness, is 0 or 254.
    """
    k, step = int(labels.max()) + 1, -(-len(images) // MOST)
    images, labels = images[::step], labels[::step]
    counts, sums, squares = _moments(images, labels, k)
    means = sums / np.maximum(counts, 1)
    within = (squares - (sums * means).sum(axis=0)) / max(len(images) - k, 1)  # pooled over the groups
    error = np.sqrt(np.maximum(within, 0) / np.maximum(counts, 1))
    apart = np.where(counts > 0, means - sums.sum(axis=0) / len(images), 0)
    apart = np.sign(apart) * np.maximum(np.abs(apart) - CHANCE * error, 0)
    strength = float(np.abs(apart).max())
    pictures = np.rint(GREY + GREY * apart / (strength or 1)).astype(np.uint8)
    return pictures, strength


def shrunk(images: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """``images`` (n, c, h, w) with at most ``most`` pixels a side, each the mean of those it stands for."""
    height, width = images.shape[2:]
    larger = max(height, width)
    if larger <= most or not len(images):
        return images
    size = (max(1, round(height * most / larger)), max(1, round(width * most / larger)))
    return adaptive_avg_pool2d(torch.from_numpy(images).float(), size).round().byte().numpy()


def _moments(images: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> tuple[np.ndarray, ...]:
    """(counts (k, 1, 1, 1), sums (k, c, h, w), squares (c, h, w)) of pixels in 0..1, read in parts."""
    sums, squares = np.zeros((k, *images.shape[1:])), np.zeros(images.shape[1:])
    for start in range(0, len(images), AT_ONCE):
        part, own = np.asarray(images[start : start + AT_ONCE]) / 255, labels[start : start + AT_ONCE]
        squares += (part**2).sum(axis=0)
        for label in np.unique(own):
            sums[label] += part[own == label].sum(axis=0)
    return np.bincount(labels, minlength=k)[:, None, None, None], sums, squares
