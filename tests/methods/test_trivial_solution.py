"""DAC's loss is smallest too when all images are one cluster, and what keeps it from there (dac.md section 8, T2).

Five blobs in the plane, a linear layer that starts in favour of the first cluster, and DAC* as it was released.
"""

import numpy as np
import pytest
import torch
from torch import nn

from coterie.methods.pair_objective import PairObjective, pair_update
from coterie.methods.pairs import Thresholds, moved
from coterie.nets.valid_conv import batch_norm

K, EACH, STEPS = 5, 20, 250


def blobs() -> torch.Tensor:
    """(100, 2) points around the corners of a pentagon."""
    random = np.random.default_rng(0)
    angle = 2 * np.pi * np.repeat(np.arange(K), EACH) / K
    middles = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    return torch.from_numpy((middles + random.normal(0, 0.2, middles.shape)).astype(np.float32))


def train(*, normalised: bool = False, entropy: float = 0.0, seed: int = 0) -> tuple[int, float, float]:
    """(clusters in use, the pairs' loss at the end, the largest share of a cluster)."""
    random = torch.Generator().manual_seed(seed)
    first = nn.Linear(2, K)
    with torch.no_grad():
        first.weight.copy_(0.1 * torch.randn(K, 2, generator=random))
        first.bias.copy_(torch.tensor([3.0, 0, 0, 0, 0]))
    net = nn.Sequential(first, *([batch_norm(K, flat=True)] if normalised else []))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.02, alpha=0.9, eps=1e-8)
    points = blobs()
    objective = PairObjective(leave_out=False, entropy=entropy)
    for step in range(STEPS):
        upper = moved(Thresholds(0.95, 0.95), Thresholds(0.75, 0.75), step / STEPS)
        with torch.no_grad():
            asked = net(points)
        moved_points = points + 0.1 * torch.randn(points.shape, generator=random)
        update = pair_update(net, moved_points[None], asked, upper, objective)
        optimizer.zero_grad()
        update.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    sizes = torch.bincount(net(points).argmax(1), minlength=K)
    return int((sizes > 0).sum()), float(update.terms[0].detach()), float(sizes.max() / len(points))


@pytest.mark.parametrize("seed", range(3))
def test_without_normalisation_everything_becomes_one_cluster_at_no_loss(seed: int) -> None:
    used, loss, largest = train(seed=seed)
    assert used == 1
    assert largest == 1
    assert loss < 1e-2


@pytest.mark.parametrize("seed", range(3))
def test_the_entropy_term_keeps_the_clusters(seed: int) -> None:
    used, _, largest = train(entropy=3.0, seed=seed)
    assert used >= 4
    assert largest < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_batch_normalisation_before_the_softmax_keeps_the_clusters(seed: int) -> None:
    used, _, largest = train(normalised=True, seed=seed)
    assert used >= 3
    assert largest < 0.6
