"""What an epoch's line of metrics.jsonl says about the pseudo-graph and the pseudo-labels of DCCM."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from coterie.methods.correlations import pseudo_graph, similarities
from coterie.methods.snapshots import MOST

BINS = 10  # of the histogram of p; the paper's nine are those from .1 on (dccm.md E6)


class CorrelationFigures:
    """Figures of an epoch, gathered on the device chunk by chunk and step by step, so that a GPU is not waited for.

    n, d: images, and length of their features. terms: the names of the terms of the loss.

    Attributes:
        labels: (n,) int64, the pseudo-label of each image when its chunk was last asked.
        features: (m, d), the features of every ``step``-th image then.
        step: such that m is at most 2,000, as in a snapshot.
    """

    def __init__(self, n: int, d: int, terms: tuple[str, ...], device: torch.device) -> None:
        self.labels = torch.zeros(n, dtype=torch.int64, device=device)
        self.step = -(-n // MOST)
        self.features = torch.zeros(len(range(0, n, self.step)), d, device=device)
        self.terms = terms
        self._terms = torch.zeros(len(terms), device=device)
        self._chunks = torch.zeros(3 + BINS, device=device)  # images, confident, pairs linked of an image, histogram
        self._steps = 0

    def see(self, index: Tensor, features: Tensor) -> None:
        """The ``features`` (n, d) of the images ``index`` (n,) of a clean chunk."""
        shown = index % self.step == 0
        self.features[index[shown] // self.step] = features.detach().float()[shown]

    @torch.no_grad()
    def add_chunk(self, index: Tensor, z: Tensor, y: Tensor, confident: Tensor, threshold: float) -> None:
        """What is known of a clean chunk: images ``index`` (n,), z (n, k), y (n,), V (n,) and the graph's threshold."""
        self.labels[index] = y
        n = len(z)
        linked = (pseudo_graph(similarities(z), threshold).sum() - n) / max(n - 1, 1)
        bins = (z.max(1).values * BINS).long().clamp(max=BINS - 1)
        counts = torch.zeros(BINS, device=z.device).index_add_(0, bins, torch.ones(n, device=z.device))
        self._chunks += torch.cat([torch.stack([linked.new_tensor(n), confident.sum().float(), linked]), counts])

    @torch.no_grad()
    def add_step(self, terms: Mapping[str, Tensor]) -> None:
        """The terms of the loss of an update by name."""
        self._terms += torch.stack([terms[name] for name in self.terms])
        self._steps += 1

    def take(self) -> dict[str, Any]:
        """Since last time: the mean of each term, the share of images that are ``confident``, the share of pairs inside
        a chunk that are ``linked``, and the shares of images by the tenth that their largest probability lies in,
        ``top_probability``.
        """
        images, *sums = self._chunks.cpu().double().tolist()
        confident, linked, *counts = [value / max(images, 1) for value in sums]
        means = (self._terms / max(self._steps, 1)).cpu().double().tolist()
        self._chunks.zero_()
        self._terms.zero_()
        self._steps = 0
        shares = {"confident": confident, "linked": linked, "top_probability": counts}
        return dict(zip(self.terms, means, strict=True)) | shares

    def state_dict(self) -> dict[str, Any]:
        """The labels, the features and the sums so far."""
        return {
            "labels": self.labels, "features": self.features, "terms": self._terms, "chunks": self._chunks,
            "steps": self._steps,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.labels.copy_(state["labels"])
        self.features.copy_(state["features"])
        self._terms.copy_(state["terms"])
        self._chunks.copy_(state["chunks"])
        self._steps = int(state["steps"])
