"""Orders of the images that bring members of a cluster into the same batch."""

import torch
from torch import Tensor

from coterie.training.batches import Order


def cluster_order(labels: Tensor, group: int = 5) -> Order:
    """An order in which up to ``group`` members of a cluster stand side by side, and such groups in random order.

    labels: (n,) int64 on the host. In a random order a batch of 100 of 70,000 images holds .2 pairs of the same cluster
    while clusters have four members (jule.md B4.6); here it holds over a hundred. Every image comes once.
    """

    def order(n: int, /, *, generator: torch.Generator) -> Tensor:
        shuffled = torch.randperm(n, generator=generator)
        own, by_cluster = labels[shuffled].sort(stable=True)
        place = torch.arange(n) - torch.searchsorted(own, own)  # among the members of its cluster
        _, group_of = torch.unique(own * n + place // group, return_inverse=True)
        n_groups = int(group_of.max()) + 1
        rank = torch.randperm(n_groups, generator=generator)[group_of]
        return shuffled[by_cluster][rank.argsort(stable=True)]

    return order
