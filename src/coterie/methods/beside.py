"""What images look like as a whole, as groups beside which UDC can look for something else (ours).

A generator that is told such a group of each image, and a critic that judges it as one of that group, leave the
cluster nothing to gain from what the groups have in common: within a group images differ little at large, and a small
thing that all groups share is what a cluster can stand for at no cost. So groups are few, coarse, and drawn with their
images: a cluster is independent of them by the way it is drawn.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from coterie.errors import ConfigError
from coterie.images.store import ImageStore

SIDE = 16  # pixels a side that are looked at, at most: a group is of what is large
LEARNED_FROM = 20_000  # images
AT_ONCE = 1000


def pixel_groups(store: ImageStore, n_groups: int) -> Tensor:
    """(n,) int64 in 0..n_groups-1: k-means of the images of ``store``, shrunk to at most 16 x 16 pixels.

    They are the same whatever the seed of a training. Means are of 20,000 images evenly spread, where there are more.
    Raises ConfigError for more groups than images.
    """
    from sklearn.cluster import KMeans

    n = len(store)
    if n_groups > n:
        raise ConfigError(f"beside is {n_groups} and there are {n} images; give at most as many groups as images")
    means = KMeans(n_groups, n_init=1, random_state=0)
    means.fit(_looks(store, np.arange(0, n, -(-n // LEARNED_FROM))))
    found = [means.predict(_looks(store, rows)) for rows in np.array_split(np.arange(n), -(-n // AT_ONCE))]
    return torch.from_numpy(np.concatenate(found)).long()


def groups_of_batches(real: Tensor, n_class: int) -> Tensor:
    """(n_critic + n_class + 1, b): to which groups the images of all batches of an iteration belong, when the real ones
    are of groups ``real`` (n_critic, b). Classifier and generator steps draw as those of the critic do, in turn.
    """
    steps = torch.arange(n_class + 1, device=real.device) % len(real)
    return torch.cat([real, real[steps]])


def _looks(store: ImageStore, rows: np.ndarray) -> np.ndarray:
    """(m, c h w) float32, in 0..1."""
    pixels = torch.from_numpy(np.asarray(store.images[rows])).float() / 255
    size = min(SIDE, store.shape[1]), min(SIDE, store.shape[2])
    return adaptive_avg_pool2d(pixels, size).flatten(1).numpy()
