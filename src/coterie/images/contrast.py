"""What sets groups of images apart where all of them show the same scene: the mean of a group less that of all images.

A pixel that tells the groups apart, and that nobody would find among strokes that differ more, stands out in such a
picture, since what differs within every group alike cancels in its mean.
"""

import numpy as np
from numpy.typing import NDArray

MOST = 10_000  # images, evenly spread, that means are taken of
AT_ONCE = 1_000
GREY = 127  # where a group is as bright as all images


def set_apart(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[NDArray[np.uint8], float]:
    """(pictures (k, c, h, w), strength): the mean of the images of each of the k groups less the mean of all, of at
    most 10,000 of ``images`` (n, c, h, w) with ``labels`` (n,) in 0..k-1.

    A picture is 127 where there is no difference, brighter where the group is; the largest difference of all groups,
    ``strength`` in 0..1 of full brightness, is 0 or 254. A group without an image among those looked at is all 127.
    """
    k, step = int(labels.max()) + 1, -(-len(images) // MOST)
    images, labels = images[::step], labels[::step]
    sums, counts = np.zeros((k, *images.shape[1:])), np.bincount(labels, minlength=k)
    for start in range(0, len(images), AT_ONCE):
        part, own = np.asarray(images[start : start + AT_ONCE]), labels[start : start + AT_ONCE]
        for label in np.unique(own):
            sums[label] += part[own == label].sum(axis=0, dtype=np.float64)
    means = sums / np.maximum(counts, 1)[:, None, None, None]
    apart = np.where(counts[:, None, None, None] > 0, means - sums.sum(axis=0) / len(images), 0) / 255
    strength = float(np.abs(apart).max())
    pictures = np.rint(GREY + GREY * apart / (strength or 1)).astype(np.uint8)
    return pictures, strength
