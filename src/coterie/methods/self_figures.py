"""What an epoch's line of metrics.jsonl says of a network that teaches itself."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

TERMS = ("loss_similarity", "loss_relation", "loss_entropy", "loss_entropy_attended", "loss_attention")


class SelfFigures:
    """Figures of an epoch, gathered on the device, so that a GPU is not waited for.

    Attributes:
        labels: (n,) int64, the cluster of each image when its targets were last made; of clean images, so no other look
            at them is needed to watch the clusters.
    """

    def __init__(self, n: int, k: int, device: torch.device) -> None:
        self.labels = torch.zeros(n, dtype=torch.int64, device=device)
        self._looked = torch.zeros(k + 2, device=device)
        self._steps = torch.zeros(len(TERMS), device=device)
        self._counts = [0, 0, 0]  # images looked at, chunks, steps

    @torch.no_grad()
    def add_targets(self, index: Tensor, q: Tensor, guarded: Tensor) -> None:
        """The images ``index`` (m,) of a chunk, what the network said of them (m, k), and whether the guard was up."""
        top, cluster = q.max(1)
        self.labels[index] = cluster
        self._looked += torch.cat([q.sum(0), top.sum()[None], guarded.float()[None]])
        self._counts[0] += len(index)
        self._counts[1] += 1

    @torch.no_grad()
    def add_step(self, terms: Tensor) -> None:
        """The parts of the loss (5,) of one update, as ``TERMS`` names them."""
        self._steps += terms
        self._counts[2] += 1

    def take(self) -> dict[str, float]:
        """Means since last time: max_share of an image; entropy_mean of the mean label, in nats (at most log k);
        guarded, the share of chunks without relations; and the parts of the loss, without weights."""
        images, chunks, steps = (max(count, 1) for count in self._counts)
        *shares, top, guarded = (self._looked.cpu().double() / images).tolist()
        mean = torch.tensor(shares, dtype=torch.float64)
        parts = (self._steps.cpu().double() / steps).tolist()
        found = {
            "max_share": top, "entropy_mean": float(-(mean * mean.clamp(min=1e-12).log()).sum()),
            "guarded": guarded * images / chunks,
        }  # fmt: skip
        self._looked.zero_()
        self._steps.zero_()
        self._counts = [0, 0, 0]
        return found | dict(zip(TERMS, parts, strict=True))

    def sizes(self, k: int) -> list[int]:
        """Images in each of the k clusters, the largest first."""
        counts: list[int] = torch.bincount(self.labels, minlength=k).sort(descending=True).values.tolist()
        return counts

    def state_dict(self) -> dict[str, Any]:
        """The labels, the sums so far and how many they are of."""
        return {"labels": self.labels, "looked": self._looked, "steps": self._steps, "counts": list(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.labels.copy_(state["labels"])
        self._looked.copy_(state["looked"])
        self._steps.copy_(state["steps"])
        self._counts = [int(count) for count in state["counts"]]
