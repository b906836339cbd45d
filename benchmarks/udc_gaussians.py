"""UDC on eight Gaussians in the plane (its section IV-B): how many noise variables it bears.

    python benchmarks/udc_gaussians.py --noises 0,1,2,3,4,8 --seeds 5 --iterations 100000 --out gaussians.json

The samples are endless and drawn fresh, for training and for scoring, which no ``fit(X)`` has: so this calls the pieces
of the training (``adversaries.iterate``) and not the class. All seeds of a number of noises are stacked. A row for each
number: ACC of every seed at the end and along the way, the Wasserstein estimate, whether the rule of ``run_choice``
calls it drift, and the critic and the decision on a grid for one seed. Classes score and do nothing else.

Published: each Gaussian one cluster (ACC 1) with 0, 1, 2 and 4 noises; with 3 and 8 the generator drifts from the data.
Not stated there, and so as in the base code: batch 256, lambda .1; eta climbs 30 stairs.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance
from study_rows import keep, read_rows
from torch import Tensor

from coterie.evidence.made_sets import eight_gaussians
from coterie.methods.adversaries import FIGURES, FigureSums, Players, Terms, iterate
from coterie.methods.run_choice import drifts, spread
from coterie.methods.run_draws import RunDraws
from coterie.methods.wasserstein import eta_at
from coterie.metrics import accuracy
from coterie.nets.gan import Generator, Tower

K, LOOKS, SCORED, SIDE = 8, 50, 4000, 41


def networks(n_noise: int, seeds: list[int], hidden: int) -> dict[str, Any]:
    starts = [torch.Generator().manual_seed(seed) for seed in seeds]
    size: dict[str, Any] = {"n_runs": len(seeds), "hidden": (hidden,) * 3}
    own: dict[str, Any] = {
        "generator": Generator((2,), K, n_noise, **size), "critic": Tower((2,), 1, **size),
        "classifier": Tower((2,), K, **size),
    }  # fmt: skip
    for network in own.values():
        network.start(starts)
    return own


def train(n_noise: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The row of one number of noises."""
    seeds = list(range(arguments.seeds))
    own = networks(n_noise, seeds, arguments.hidden)
    players, draws, sums = Players(**own, k=K), RunDraws(seeds, [1 / K] * K), FigureSums(len(seeds))
    adams = {
        name: torch.optim.Adam(net.parameters(), arguments.lr, (0.5, 0.9), fused=True) for name, net in own.items()
    }
    rng, every = np.random.default_rng(0), max(1, arguments.iterations // LOOKS)
    points, classes = eight_gaussians(SCORED, np.random.default_rng(1))
    tau = max(1, arguments.iterations // 30)
    history: list[dict[str, Any]] = []

    def update(player: str, losses: Tensor) -> None:
        adams[player].zero_grad()
        losses.sum().backward()
        adams[player].step()

    began = time.perf_counter()
    for t in range(arguments.iterations):
        real = torch.from_numpy(eight_gaussians(5 * arguments.batch_size, rng)[0]).view(5, -1, 1, 2)
        terms = Terms(arguments.penalty, eta_at(t, 10.0, 1.2, tau))
        sums.add(iterate(players, real, draws.take(5, 4, (arguments.batch_size, n_noise)), terms, update))
        if (t + 1) % every == 0:
            acc = [accuracy(classes, labels) for labels in decided(own["classifier"], points)]
            history.append({"iteration": t + 1, "acc": acc, **sums.take()})
            print(json.dumps(history[-1]), file=sys.stderr, flush=True)
    distances = np.array([record["wasserstein"] for record in history])
    last = history[-1]
    return {
        "n_noise": n_noise, "iterations": arguments.iterations, "batch_size": arguments.batch_size,
        "penalty": arguments.penalty, "lr": arguments.lr, "hidden": arguments.hidden, "seeds": seeds,
        "acc": last["acc"], "acc_spread": spread(last["acc"]), **{name: last[name] for name in FIGURES},
        "drifting": drifts(distances).tolist(), "history": history, "plane": plane(own),
        "seconds": round(time.perf_counter() - began, 1), **provenance(),
    }  # fmt: skip


@torch.no_grad()
def decided(classifier: Tower, points: np.ndarray) -> np.ndarray:
    """(r, n): the cluster of each of ``points`` (n, 2) by each run."""
    x = torch.from_numpy(points)[:, None].expand(-1, classifier.head.weight.shape[0], -1)
    labels: np.ndarray = classifier(x).argmax(2).T.numpy()
    return labels


@torch.no_grad()
def plane(own: dict[str, Any]) -> dict[str, Any]:
    """Of the first seed, on a grid over -2..2: the critic's values and the classifier's clusters, row by row."""
    side = np.linspace(-2, 2, SIDE, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    runs = own["critic"].head.weight.shape[0]
    values = own["critic"](torch.from_numpy(grid)[:, None].expand(-1, runs, -1))[:, 0, 0]
    return {"side": SIDE, "critic": [round(float(v), 3) for v in values],
            "cluster": decided(own["classifier"], grid)[0].tolist()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noises", default="0,1,2,3,4,8")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=100_000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--penalty", type=float, default=0.1)
    parser.add_argument("--hidden", type=int, default=512, help="numbers in each of the three hidden layers")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--out", type=Path, help="a JSON file; rows that are there are kept")
    arguments = parser.parse_args()
    rows = read_rows(arguments.out) if arguments.out else []
    for n_noise in map(int, arguments.noises.split(",")):
        row = train(n_noise, arguments)
        print(json.dumps({name: value for name, value in row.items() if name not in ("history", "plane")}), flush=True)
        rows.append(row)
        if arguments.out:
            keep(arguments.out, rows)


if __name__ == "__main__":
    main()
