"""What an epoch's line of metrics.jsonl says about the pairs that were taught (DAC)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from coterie.methods.pair_objective import Update

NAMES = ("loss_pairs", "loss_auxiliary", "emptiness", "max_share", "together", "left_out")


class PairFigures:
    """Figures of an epoch, gathered update by update on the device, so that a GPU is not waited for.

    Attributes:
        scores: (n, k), what the network said of each clean image when its chunk was last asked.
    """

    def __init__(self, n: int, k: int, device: torch.device) -> None:
        self.scores = torch.zeros(n, k, device=device)
        self._sums = torch.zeros(len(NAMES), device=device)
        self._updates = 0

    @property
    def labels(self) -> Tensor:
        """(n,) int64, the cluster with the largest score of each image."""
        return self.scores.argmax(1)

    @torch.no_grad()
    def add(self, update: Update) -> None:
        """The figures of one update."""
        targets, weights = update.selection
        pairs = len(targets) * (len(targets) - 1)
        together = (targets.sum() - len(targets)) / pairs  # an image and itself are no pair
        left_out = (weights == 0).sum() / pairs
        surest = update.shares.max(1).values.mean()
        self._sums += torch.cat([update.terms.detach(), torch.stack([surest, together, left_out])])
        self._updates += 1

    def take(self) -> dict[str, float]:
        """The means over the updates since last time, by name; nothing where there was no update.

        together, left_out: shares of the pairs; max_share: the mean of the largest share of an image.
        """
        if not self._updates:
            return {}
        means = (self._sums / self._updates).cpu().double().tolist()
        self._sums.zero_()
        self._updates = 0
        return dict(zip(NAMES, means, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The scores and the sums so far."""
        return {"scores": self.scores, "sums": self._sums, "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.scores.copy_(state["scores"])
        self._sums.copy_(state["sums"])
        self._updates = int(state["updates"])
