"""A small network that learns what a linkage says of its surest images, and then says it of any image at once.

A cluster on the sphere need not be convex, so one prototype may not hold it, and asking an image's neighbours needs the
whole embedding. A hidden layer holds such a cluster and needs neither.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

WIDTH = 128
BATCH, STEPS = 256, 1000
RATE, DECAY, SMOOTHING = 2e-3, 1e-2, 0.05


class Student(NamedTuple):
    """Weights (d, w) and (w, k) float32, biases (w,) and (k,)."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray

    def shares(self, features: np.ndarray) -> np.ndarray:
        """(n, k) float64 probabilities of the clusters for ``features`` (n, d)."""
        seen = np.maximum(features @ self.hidden + self.hidden_bias, 0)
        logits = (seen @ self.out + self.out_bias).astype(np.float64)
        exp: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)


def teach_student(features: np.ndarray, labels: np.ndarray, n_clusters: int, seed: int) -> Student:
    """A student of ``labels`` (n,) int64 in 0..k-1 of the images with ``features`` (n, d) float32; -1 is not taught.

    A thousand steps of AdamW, about a second on a CPU for any number of images; the same seed gives the same bits.
    """
    known = np.flatnonzero(labels >= 0)
    random = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(features[known]), torch.from_numpy(labels[known])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(x.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, n_clusters))
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(STEPS if len(known) else 0):
        rows = torch.randint(len(known), (min(BATCH, len(known)),), generator=random)
        # labels smoothed, so that the doubt of the student says something
        loss = cross_entropy(net(x[rows]), y[rows], label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    state = {name: weight.numpy().copy() for name, weight in net.state_dict().items()}
    return Student(state["0.weight"].T, state["0.bias"], state["2.weight"].T, state["2.bias"])
