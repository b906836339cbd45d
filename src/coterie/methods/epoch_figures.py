"""What an epoch's line of metrics.jsonl says about the assignment (tcc.md section 17)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from coterie.training.processes import gather_rows, mean_over_processes

TERMS = ("loss_instance", "kl", "loss_cluster")


class EpochFigures:
    """Figures of an epoch, gathered batch by batch on the device, so that a GPU is not waited for.

    They are those of the whole batch, and the same in all processes, so that any of them could write a checkpoint.

    Attributes:
        labels: (n,) int64, the cluster with the largest pi when an image was last seen.
    """

    def __init__(self, n: int, k: int, device: torch.device) -> None:
        self.labels = torch.zeros(n, dtype=torch.int64, device=device)
        self._sums = torch.zeros(k + 6, device=device)
        self._batches = 0

    @torch.no_grad()
    def add(self, index: Tensor, log_pi: Tensor, r: Tensor, terms: Tensor) -> None:
        """The figures of one step: the images (b,), their log pi (b, k), the clusters r (k, d), terms of the loss (3,)
        as ``TERMS`` names them."""
        pi = log_pi.exp()
        top, cluster = pi.max(1)
        seen = gather_rows(torch.stack([index, cluster], dim=1))
        self.labels[seen[:, 0]] = seen[:, 1]
        k = len(r)
        between = (r @ r.T).sum() - r.square().sum()
        entropy = -(pi * log_pi).sum(1).mean()
        row = torch.stack([top.mean(), entropy, between / max(k * (k - 1), 1), *terms])
        self._sums += mean_over_processes(torch.cat([pi.mean(0), row]), len(index), len(seen))
        self._batches += 1

    def take(self) -> dict[str, float]:
        """The means over the batches since last time: max_pi, entropy_each and entropy_mean in nats, r_cosine, and the
        three terms of the loss."""
        means = (self._sums / max(self._batches, 1)).cpu().double()
        self._sums.zero_()
        self._batches = 0
        mean_pi, (top, entropy, cosine, *terms) = means[:-6], means[-6:].tolist()
        spread = -(mean_pi * mean_pi.clamp(min=1e-12).log()).sum()
        return {
            "max_pi": top, "entropy_each": entropy, "entropy_mean": float(spread), "r_cosine": cosine,
        } | dict(zip(TERMS, terms, strict=True))  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """The labels and the sums so far."""
        return {"labels": self.labels, "sums": self._sums, "batches": self._batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.labels.copy_(state["labels"])
        self._sums.copy_(state["sums"])
        self._batches = int(state["batches"])

    def sizes(self, k: int) -> list[int]:
        """Images in each of the k clusters, the largest first."""
        counts: list[int] = torch.bincount(self.labels, minlength=k).sort(descending=True).values.tolist()
        return counts
