"""A few steps of twin contrast that any number of processes can share; also a program, started once per process."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from coterie.methods.twins import Known, Memory, Objective, twin_contrast
from coterie.nets.heads import TwinHead
from coterie.training.memory import EMATwin, Queue, unit
from coterie.training.processes import Part, share_mean
from two import leave, meet

STEPS, BATCH, K, D = 4, 16, 3, 5
VIEWS = torch.from_numpy(np.random.default_rng(3).normal(size=(STEPS, 2, BATCH, 6))).float()
IDS = torch.from_numpy(np.random.default_rng(4).integers(0, 30, (STEPS, BATCH)))


class Encoder(nn.Module):
    """Without batch norm, whose statistics each process takes of its own part of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, D))

    def forward(self, x: Tensor) -> Tensor:
        return unit(self.layers(x))


def train(rank: int, world: int, **settings: object) -> dict[str, Tensor]:
    """What ``STEPS`` steps leave behind, when process ``rank`` of ``world`` takes its part of every batch."""
    torch.manual_seed(0)
    net = TwinHead(Encoder(), K, D, tau_q=0.5, temperature=1.0)
    torch.manual_seed(rank)  # what is drawn from here on differs, and must not matter
    twin = EMATwin(net, 0.7)
    memory = Memory(Queue(40, D), Queue(4 * K, D))
    if settings.pop("no_queue", False):
        memory.images = Queue(0, D)
    objective = Objective(K, teach=0.5, **settings)  # type: ignore[arg-type]
    mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    generator = torch.Generator().manual_seed(5)
    for views, ids in zip(VIEWS, IDS[:, mine], strict=True):
        known = Known(ids, ids % (K + 1) - 1, Part(mine.start, BATCH))
        step = twin_contrast(net, twin, (views[0, mine], views[1, mine]), known, memory, objective, generator)
        net.zero_grad()
        step.loss.backward()
        share_mean([weight.grad for weight in net.parameters() if weight.grad is not None])  # as data-parallel ones do
        with torch.no_grad():
            for weight in net.parameters():
                weight.sub_(0.3 * weight.grad)
        twin.update()
        memory.push(step, ids)
    state = {f"twin {name}": value for name, value in twin.state_dict().items()} | dict(net.state_dict())
    queues = {"images": memory.images.keys, "ids": memory.images.ids, "clusters": memory.clusters.keys}
    return state | queues | {"cluster ids": memory.clusters.ids}


def every_training(rank: int, world: int) -> dict[str, Tensor]:
    """As ``train``, for the forms in which a loss looks at a batch."""
    forms: dict[str, dict[str, object]] = {
        "plain": {"gumbel": False}, "halves": {"halves": True, "weights": "gumbel", "self_training": 0.3},
        "no queue": {"no_queue": True, "n_samples": 3, "kl": "sample"},
    }  # fmt: skip
    found = {form: train(rank, world, **settings) for form, settings in forms.items()}
    return {f"{form} {name}": value for form, values in found.items() for name, value in values.items()}


if __name__ == "__main__":
    place = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    meet(*place)
    leave(*place, every_training(*place[:2]))
