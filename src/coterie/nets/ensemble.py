"""Several networks as one: their embeddings side by side."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Images (b, c, h, w) to (b, m d): the embeddings of ``m`` networks, each divided by the square root of m.

    The squared distance of two images is then the mean of what the networks say, and rows of length 1 stay so.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings of ``images`` (b, c, h, w)."""
        return torch.cat([member(images) for member in self.members], dim=1) / math.sqrt(len(self.members))
