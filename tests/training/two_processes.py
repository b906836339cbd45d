"""A few contrastive steps that any number of processes can share; also a program, started once per process."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from coterie.training.memory import EMATwin, Queue, unit
from coterie.training.processes import cluster_sums, gather_rows, n_processes, share_mean
from two import leave, meet

STEPS, BATCH, K, TAU = 5, 12, 3, 0.5
VIEWS = torch.from_numpy(np.random.default_rng(3).normal(size=(STEPS, 2, BATCH, 6))).float()
IDS = torch.from_numpy(np.random.default_rng(4).integers(0, 20, (STEPS, BATCH)))


def contrast(queries: Tensor, keys: Tensor, queue: Queue, ids: Tensor) -> Tensor:
    """InfoNCE against the queue, (b,)."""
    right = (queries * keys).sum(1, keepdim=True) / TAU
    wrong = (queries @ queue.keys.T / TAU).masked_fill(~queue.is_other(ids), -torch.inf)
    return torch.cat([right, wrong], dim=1).logsumexp(1) - right[:, 0]


def train(rank: int, world: int) -> dict[str, Tensor]:
    """What ``STEPS`` steps leave behind, when process ``rank`` of ``world`` takes its part of every batch."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    prototypes = torch.eye(4)[:K]
    torch.manual_seed(rank)  # what is drawn from here on differs, and must not matter
    twin = EMATwin(net, 0.7)
    images, clusters = Queue(20, 4), Queue(2 * K, 4)
    mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    for views, ids in zip(VIEWS, IDS, strict=True):
        features, keys = unit(net(views[0, mine])), unit(twin(views[1, mine]))
        loss = contrast(features, keys, images, ids[mine]).mean()
        means, _ = cluster_sums((features @ prototypes.T / TAU).softmax(1), features)
        others, _ = cluster_sums((keys @ prototypes.T / TAU).softmax(1), keys)
        loss = loss + contrast(unit(means), unit(others), clusters, torch.arange(K)).mean()
        # in-batch negatives too: every query against the features of all processes
        loss = loss + (features @ gather_rows(features).T / TAU).logsumexp(1).mean()
        net.zero_grad()
        loss.backward()
        share_mean([weight.grad for weight in net.parameters()])  # as data-parallel networks do
        with torch.no_grad():
            for weight in net.parameters():
                weight.sub_(0.3 * weight.grad)
        twin.update()
        images.push(keys, ids[mine])
        clusters.push_shared(unit(others), torch.arange(K))
    state = {f"twin {name}": value for name, value in twin.state_dict().items()} | dict(net.state_dict())
    return state | {"keys": images.keys, "ids": images.ids, "clusters": clusters.keys, "cluster ids": clusters.ids}


def statistics(rank: int) -> dict[str, Tensor]:
    """Running statistics of a twin in each mode after an update; inputs differ by process."""
    found = {}
    for mode in ("own", "copy", "ema"):
        torch.manual_seed(rank)  # different weights and inputs; the twin starts from those of rank 0
        net = nn.Sequential(nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(3))
        twin = EMATwin(net, 0.5, mode)
        found[f"{mode} start"] = twin.net[0].weight.detach().clone()
        x = torch.rand(4, 2, 5, 5)
        net(x)
        twin(x)
        before = {name: value.clone() for name, value in (twin.net if mode == "own" else net).named_buffers()}
        twin.update()
        found |= {f"{mode} {name}": value for name, value in twin.net.named_buffers()}
        found |= {f"{mode} before {name}": value for name, value in before.items()}
    return found


def uneven(rank: int) -> dict[str, Tensor]:
    """Rows of processes that have different numbers of them, and the gradient that comes back."""
    rows = (torch.arange(2.0 * (rank + 1)).reshape(rank + 1, 2) + 10 * rank).requires_grad_()
    gathered = gather_rows(rows)
    (gathered * torch.arange(gathered.numel()).reshape(gathered.shape)).sum().backward()
    return {"uneven": gathered.detach(), "uneven gradient": rows.grad}


def main(rank: int, world: int, folder: Path) -> None:
    meet(rank, world, folder)
    assert n_processes() == world
    leave(rank, world, folder, train(rank, world) | statistics(rank) | uneven(rank))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
