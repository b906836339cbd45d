"""What images look like as a whole, as groups beside which UDC can look for something else (ours).

A generator that is told such a group of each image, and a critic that judges it as one of that group, leave the
cluster nothing to gain from what the groups have in common: within a group images differ little at large, and a small
thing that all groups share is what a cluster can stand for at no cost. The group is taken from the real image of the
batch and the cluster is drawn, so that the two are independent.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from coterie.errors import ConfigError, FewImagesWarning
from coterie.graphs.sampled import sampled_rows
from coterie.images.store import ImageStore

SIDE = 16  # pixels a side that are looked at, at most: a group is of what is large
LEARNED_FROM = 20_000  # images
AT_ONCE = 1000
FEWEST = 100  # images that a group is trained on, below which its last layer may learn too little; not measured


class Groups:
    """The group of every image, kept in checkpoints: a k-means that was made again elsewhere might number or round
    otherwise, and each group has a last layer of the critic that knows it.

    Attributes:
        of_images: (n,) int64 on the device.
    """

    def __init__(self, of_images: Tensor) -> None:
        self.of_images = of_images

    def state_dict(self) -> dict[str, Tensor]:
        """The groups."""
        return {"of_images": self.of_images}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.of_images.copy_(state["of_images"])


def pixel_groups(store: ImageStore, n_groups: int) -> Tensor:
    """(n,) int64 in 0..n_groups-1: k-means of the images of ``store``, shrunk to at most 16 x 16 pixels.

    They do not depend on the seed of a training. Means are of 20,000 images drawn evenly, where there are more. Raises
    ConfigError for more groups than there are different images.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    looks = _looks(store)
    learned_from = looks[sampled_rows(len(looks), LEARNED_FROM)] if len(looks) > LEARNED_FROM else looks
    means = KMeans(min(n_groups, len(learned_from)), n_init=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of images that repeat, which is said below
        groups = means.fit(learned_from).predict(looks)
    if (found := len(np.unique(groups))) < n_groups:
        raise ConfigError(f"beside is {n_groups} and the images fall into {found} groups; give beside={found} or fewer")
    return torch.from_numpy(groups).long()


def warn_of_small(groups: Tensor, n_groups: int) -> None:
    """FewImagesWarning where some of the ``n_groups`` have few of the images that are trained on, whose ``groups`` (m,)
    are given.
    """
    sizes = torch.bincount(groups, minlength=n_groups)
    if small := int((sizes < FEWEST).sum()):
        warnings.warn(
            f"{small} of the {n_groups} groups that clusters are drawn beside have fewer than {FEWEST} images to train "
            f"on (the smallest {int(sizes.min())}), and of those the critic may learn too little; give a smaller "
            "beside, or more images",
            FewImagesWarning,
            stacklevel=4,
        )


def groups_of_batches(real: Tensor, n_class: int) -> Tensor:
    """(n_critic + n_class + 1, b): to which groups the images of all batches of an iteration belong, when the real ones
    are of groups ``real`` (n_critic, b). Classifier and generator steps draw as those of the critic do, in turn.
    """
    steps = torch.arange(n_class + 1, device=real.device) % len(real)
    return torch.cat([real, real[steps]])


def _looks(store: ImageStore) -> np.ndarray:
    """(n, c h w) float32, in 0..1; read in parts, of which each is shrunk before the next."""
    size = min(SIDE, store.shape[1]), min(SIDE, store.shape[2])
    parts = []
    for rows in np.array_split(np.arange(len(store)), -(-len(store) // AT_ONCE)):
        pixels = torch.from_numpy(np.asarray(store.images[rows])).float() / 255
        parts.append(adaptive_avg_pool2d(pixels, size).flatten(1).numpy())
    return np.concatenate(parts)
