"""The watch over collapse: how many clusters are in use, and how far the labels are those of last time."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import CollapseWarning, ConfigError


class ClusterWatch:
    """Warns when the effective number of clusters stays below half of those asked for.

    The effective number is exp(H), H the entropy of the shares of the clusters: k when all are equal, 1 when one holds
    everything.
    """

    def __init__(self, patience: int = 3) -> None:
        self.patience = patience
        self._labels: np.ndarray | None = None
        self._low = 0

    def labels(self, labels: ArrayLike, k: int) -> dict[str, Any]:
        """Figures of ``labels`` (n,), ids 0..k-1: nonempty, effective; changed, the share unlike last time; agreement,
        the NMI with last time, which does not mind a cluster that has another id."""
        now = np.asarray(labels).astype(np.int64, copy=True)
        if now.ndim != 1 or not len(now) or now.min() < 0 or now.max() >= k:
            raise ConfigError(f"labels are (n,) ids from 0 to {k - 1}, not {now.shape} with other values.")
        figures = self.counts(np.bincount(now, minlength=k), k)
        if self._labels is not None and self._labels.shape == now.shape:
            figures["changed"] = float(np.mean(self._labels != now))
            figures["agreement"] = agreement(self._labels, now, k)
        self._labels = now
        return figures

    def counts(self, counts: ArrayLike, k: int) -> dict[str, Any]:
        """Figures of ``counts`` (k,), the images (or summed probabilities) in each cluster: nonempty, effective."""
        sizes = np.asarray(counts, dtype=np.float64)
        if sizes.ndim != 1 or not sizes.sum() > 0 or sizes.min() < 0:
            raise ConfigError(f"counts are (k,) numbers of images, none negative and not all 0, not {sizes!r}.")
        shares = sizes[sizes > 0] / sizes.sum()
        effective = float(np.exp(-(shares * np.log(shares)).sum()))
        figures: dict[str, Any] = {"nonempty": len(shares), "effective": effective}
        if effective < k / 2:
            figures["collapse"] = True
        self._count_low(effective, k, sizes)
        return figures

    def _count_low(self, effective: float, k: int, sizes: np.ndarray) -> None:
        self._low = self._low + 1 if effective < k / 2 else 0
        if self._low == self.patience:  # once for each stretch
            largest = ", ".join(f"{size:,.0f}" for size in np.sort(sizes)[::-1][:5])
            warnings.warn(
                f"the images crowd into {effective:.1f} effective clusters of {k} for {self.patience} epochs "
                f"(largest: {largest}): raise the weight of the entropy term, lower the learning rate, "
                "or ask for fewer clusters.",
                CollapseWarning,
                stacklevel=4,
            )

    def state_dict(self) -> dict[str, Any]:
        """The labels of last time and the length of the low stretch."""
        return {"labels": self._labels, "low": self._low}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self._labels, self._low = state["labels"], state["low"]


def agreement(before: np.ndarray, now: np.ndarray, k: int) -> float:
    """Normalised mutual information (geometric mean) of two groupings (n,) with ids 0..k-1; 1 where both are one group,
    0 where one of them is."""
    entropies = [_entropy(labels) for labels in (before, now)]
    if min(entropies) == 0:
        return float(entropies[0] == entropies[1])
    shared = sum(entropies) - _entropy(before * k + now)
    return min(max(shared / float(np.sqrt(entropies[0] * entropies[1])), 0.0), 1.0)


def _entropy(ids: np.ndarray) -> float:
    counts = np.unique(ids, return_counts=True)[1]
    shares = counts / len(ids)
    return 0.0 if len(counts) == 1 else float(-(shares * np.log(shares)).sum())
