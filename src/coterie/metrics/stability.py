"""How far several groupings of the same images agree: over seeds, over the answers of one run, under augmentation.

What many runs find is less likely to be the chance of one. It is no proof: all of them may make the same mistake.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import groups
from coterie.metrics.external import ari


class Medoid(NamedTuple):
    """best: number of the grouping that agrees most with the others, the first of equals; agreement (r,): the mean
    adjusted Rand index of each with the others.
    """

    best: int
    agreement: np.ndarray


def pairwise_agreement(groupings: Sequence[ArrayLike]) -> np.ndarray:
    """(r, r) adjusted Rand index of each two of r ``groupings`` (n,) of the same images; 1 on the diagonal.

    Raises ConfigError when they differ in length, or there is none.
    """
    if not len(groupings):
        raise ConfigError("there are no groupings to compare; give at least one.")
    found = [groups(labels, "labels")[1] for labels in groupings]  # once each, not once a pair
    matrix = np.eye(len(found))
    for i, one in enumerate(found):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = ari(one, found[j])
    return matrix


def medoid(groupings: Sequence[ArrayLike]) -> Medoid:
    """The one of r ``groupings`` (n,) that agrees most with the others.

    Of two, both agree the same with the other, so that this says nothing: the first is given. A single one agrees with
    all there are: 1. Raises ConfigError as ``pairwise_agreement``.
    """
    matrix = pairwise_agreement(groupings)
    r = len(matrix)
    means = (matrix.sum(axis=1) - 1) / (r - 1) if r > 1 else np.ones(1)
    return Medoid(int(np.round(means, 9).argmax()), means)


def kept_share(labels: ArrayLike, changed: ArrayLike) -> float:
    """Share of images that keep their cluster, 0 to 1: ``labels`` (n,) of the images, ``changed`` (n,) of augmented
    variants of them, by the same model, so that equal numbers are the same cluster.

    How images are changed is the method's business: the augmentation it was trained with says least, since it was
    trained to keep that. Raises ConfigError when the lengths differ, or there is no image.
    """
    before, after = np.asarray(labels), np.asarray(changed)
    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ConfigError(f"labels and changed must be of the same images, got {before.shape} and {after.shape}.")
    return float((before == after).mean())
