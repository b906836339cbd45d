"""UDC learns what it is for: to tell apart the few kinds of things there are, from nothing but having to make them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie.evidence.made_sets import eight_gaussians
from coterie.methods.adversaries import FIGURES, FigureSums, Players, Terms, iterate
from coterie.methods.run_draws import RunDraws
from coterie.metrics import accuracy
from coterie.nets.gan import Generator, Tower

K, Z, B, SEEDS = 8, 1, 64, (0, 1, 2)


def test_every_run_finds_the_eight_gaussians_in_a_hundred_iterations() -> None:
    """The settings of docs/results/udc/gaussians.json, where all five seeds were there after as many."""
    size: dict[str, object] = {"n_runs": len(SEEDS), "hidden": (64, 64, 64)}
    networks = {
        "generator": Generator((2,), K, Z, **size), "critic": Tower((2,), 1, **size),
        "classifier": Tower((2,), K, **size),
    }  # fmt: skip
    starts = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    for network in networks.values():
        network.start(starts)
    adams = {name: torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.9)) for name, net in networks.items()}

    def update(player: str, losses: Tensor) -> None:
        adams[player].zero_grad()
        losses.sum().backward()
        adams[player].step()

    players, draws, rng = Players(**networks, k=K), RunDraws(SEEDS, [1 / K] * K), np.random.default_rng(0)
    seen = []
    for _ in range(100):
        real = torch.from_numpy(eight_gaussians(5 * B, rng)[0]).view(5, B, 1, 2)
        sums = FigureSums(len(SEEDS))
        sums.add(iterate(players, real, draws.take(5, 4, (B, Z)), Terms(0.1, 10.0), update))
        seen.append(sums.take())
    points, classes = eight_gaussians(1000, np.random.default_rng(1))
    with torch.no_grad():
        said = networks["classifier"](torch.from_numpy(points)[:, None].expand(-1, len(SEEDS), -1)).argmax(2)
    assert [accuracy(classes, labels.numpy()) for labels in said.T] == pytest.approx([1, 1, 1], abs=0.01)
    assert set(seen[0]) == set(FIGURES)
    assert min(seen[-1]["fake_accuracy"]) > 0.95
    assert max(seen[-1]["cross_entropy"]) < 0.2 < min(seen[0]["cross_entropy"])
