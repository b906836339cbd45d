"""How fast UDC iterates: stacked runs against single ones, and the plan that saves work against the printed algorithm.

    python benchmarks/udc_speed.py --shape 1,28,28 --width 16 --batch-size 64 --runs 3
    python benchmarks/udc_speed.py --shape 1,28,28 --width 64 --batch-size 100 --runs 10 --device cuda
    python benchmarks/udc_speed.py --shape 2 --batch-size 256 --runs 10

One line of JSON per row: iterations of one run per second ("run_iterations_per_second", so that ten stacked runs count
ten), and GFLOP/s by the cost model of udc.md section 11 (12 G + 52 D + 14 C multiplications an iteration), which counts
the arithmetic that the algorithm needs and not what a plan spends. Every row has two ceilings of that moment with it:
GFLOP/s of a product of large matrices ("gemm_gflops") and of the critic's largest layer alone, forward, for the batch
of one run ("layer_gflops"). All plans run in turns; the best turn counts, since whatever else the machine does only
slows a turn down. On a CUDA device there are rows for a whole iteration as one graph (``graphed``), random numbers and
all; of several runs with our kernels (``stacked_kernels``) and with cuDNN's grouped convolutions.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from provenance import provenance
from study_rows import keep, read_rows
from torch import Tensor
from torch.nn.functional import conv2d

from coterie.methods.adversaries import Players, Terms, iterate
from coterie.methods.graphed import WARM_UP, GraphedIterations
from coterie.methods.run_draws import RunDraws
from coterie.nets import stacked
from coterie.nets.gan import Generator, Tower, stages
from coterie.nets.stacked import KERNEL, after_conv

TURNS = 3
N_CRITIC, N_CLASS = 5, 4
HIDDEN = 512  # numbers in each layer for points
LARGE = {"cpu": 1024, "cuda": 8192}  # rows and columns of the matrices of the ceiling


def players_of(arguments: argparse.Namespace, n_runs: int, device: torch.device) -> tuple[Players, dict[str, Any]]:
    """Networks of ``n_runs`` runs and their optimisers."""
    shape, k = arguments.shape, arguments.k
    own = {"width": arguments.width, "n_runs": n_runs}
    networks: dict[str, Any] = {
        "generator": Generator(shape, k, arguments.n_noise, **own), "critic": Tower(shape, 1, **own),
        "classifier": Tower(shape, k, **own),
    }  # fmt: skip
    starts = [torch.Generator().manual_seed(seed) for seed in range(n_runs)]
    for network in networks.values():
        network.start(starts)
        network.to(device)
    adams = {name: torch.optim.Adam(net.parameters(), 1e-4, (0.5, 0.9), fused=True) for name, net in networks.items()}
    return Players(**networks, k=k), adams


def iteration(arguments: argparse.Namespace, n_runs: int, terms: Terms, device: torch.device) -> Callable[[], None]:
    """A function that does one iteration of ``n_runs`` runs stacked."""
    players, adams = players_of(arguments, n_runs, device)
    draws = RunDraws(range(n_runs), [1 / arguments.k] * arguments.k, device)
    real = torch.rand(N_CRITIC, arguments.batch_size, 1, *arguments.shape, device=device)

    def update(player: str, losses: Tensor) -> None:
        adams[player].zero_grad()
        losses.sum().backward()
        adams[player].step()

    def step() -> None:
        draw = draws.take(N_CRITIC, N_CLASS, (arguments.batch_size, arguments.n_noise))
        iterate(players, real, draw, terms, update)

    return step


def as_graph(arguments: argparse.Namespace, n_runs: int, terms: Terms, device: torch.device) -> Callable[[], None]:
    """As ``iteration``, played from a CUDA graph that is there already."""
    graphed = GraphedIterations(*players_of(arguments, n_runs, device))
    draws = RunDraws(range(n_runs), [1 / arguments.k] * arguments.k, device)
    real = torch.rand(N_CRITIC, arguments.batch_size, 1, *arguments.shape, device=device)

    def step() -> None:
        graphed.iterate(real, draws.take(N_CRITIC, N_CLASS, (arguments.batch_size, arguments.n_noise)), terms)

    for _ in range(WARM_UP + 1):
        step()
    return step


def seconds(step: Callable[[], None], at_least: float, device: torch.device) -> float:
    """Seconds per call of ``step``."""
    step()
    wait(device)
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < at_least:
        step()
        calls += 1
        wait(device)
    return (time.perf_counter() - began) / calls


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Convolution(NamedTuple):
    """A convolution of a tower: maps that come in and go out, its stride, and the pixels (h, w) that go out."""

    incoming: int
    maps: int
    stride: int
    size: tuple[int, ...]

    @property
    def multiplications(self) -> int:
        """For one image."""
        return KERNEL**2 * self.incoming * self.maps * math.prod(self.size)


def convolutions(shape: tuple[int, ...], width: int) -> list[Convolution]:
    """Those of a tower for images of ``shape`` (c, h, w), the first one first."""
    plan = stages(shape, width)
    incoming = [shape[0], *(stage.maps for stage in plan)]
    sizes = [tuple(after_conv(side, stage.stride) for side in stage.size) for stage in plan]
    return [
        Convolution(maps, stage.maps, stage.stride, size)
        for maps, stage, size in zip(incoming, plan, sizes, strict=False)
    ]


def largest_layer(arguments: argparse.Namespace, device: torch.device) -> tuple[Callable[[], None], int]:
    """A function that does the critic's largest layer for the batch of one run, forward, and its multiplications."""
    b = arguments.batch_size
    if len(arguments.shape) == 1:
        x, matrix = torch.rand(b, HIDDEN, device=device), torch.rand(HIDDEN, HIDDEN, device=device)
        return lambda: torch.mm(x, matrix), b * HIDDEN**2
    largest = max(convolutions(arguments.shape, arguments.width), key=lambda layer: layer.multiplications)
    padded = [(side - 1) * largest.stride + KERNEL for side in largest.size]
    images = torch.rand(b, largest.incoming, *padded, device=device)
    weight = torch.rand(largest.maps, largest.incoming, KERNEL, KERNEL, device=device)
    return lambda: conv2d(images, weight, stride=largest.stride), b * largest.multiplications


def ceilings(arguments: argparse.Namespace, device: torch.device) -> dict[str, float]:
    """GFLOP/s of a product of large matrices, and of the largest layer alone: more than that no iteration can do."""
    n = LARGE[device.type]
    matrix = torch.rand(n, n, device=device)
    steps = {"gemm_gflops": (lambda: torch.mm(matrix, matrix), n**3), "layer_gflops": largest_layer(arguments, device)}
    return {
        name: round(2e-9 * work / min(seconds(step, arguments.seconds, device) for _ in range(TURNS)), 1)
        for name, (step, work) in steps.items()
    }


def multiplications(arguments: argparse.Namespace) -> float:
    """Of one iteration of one run, by the cost model."""
    shape, width = arguments.shape, arguments.width
    if len(shape) == 1:
        tower = shape[0] * HIDDEN + 2 * HIDDEN**2
        g, d, c = (
            (arguments.k + arguments.n_noise) * HIDDEN + 2 * HIDDEN**2 + HIDDEN * shape[0],
            tower + HIDDEN,
            tower + HIDDEN * arguments.k,
        )
    else:
        layers = convolutions(shape, width)
        convs, flat = sum(layer.multiplications for layer in layers), layers[-1].maps * math.prod(layers[-1].size)
        g, d, c = convs + (arguments.k + arguments.n_noise) * flat, convs + flat, convs + flat * arguments.k
    return float((12 * g + 52 * d + 14 * c) * arguments.batch_size)


def graphs(
    arguments: argparse.Namespace, plans: dict[tuple[str, int], Terms], device: torch.device
) -> dict[tuple[str, int], Callable[[], None]]:
    """The fused plans as CUDA graphs; of several runs also with cuDNN's convolutions, which a single run has anyway."""
    steps = {
        (f"{plan}, CUDA graph", n_runs): as_graph(arguments, n_runs, terms, device)
        for (plan, n_runs), terms in plans.items() if terms.fused
    }  # fmt: skip
    if (n_runs := arguments.runs) > 1:
        with patch.object(stacked, "_kernels", return_value=None):
            step = as_graph(arguments, n_runs, plans["fused", n_runs], device)
        steps["fused, CUDA graph, cuDNN", n_runs] = step
    return steps


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    device = torch.device(arguments.device)
    plans = {
        ("line by line", 1): Terms(100.0, 10.0, fused=False),
        ("fused", 1): Terms(100.0, 10.0),
        ("fused, one critic batch", 1): Terms(100.0, 10.0, at_once=True),
        ("fused", arguments.runs): Terms(100.0, 10.0),
        ("fused, one critic batch", arguments.runs): Terms(100.0, 10.0, at_once=True),
    }
    steps = {key: iteration(arguments, key[1], terms, device) for key, terms in plans.items()}
    if device.type == "cuda":
        steps |= graphs(arguments, plans, device)
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(TURNS):
        for key, step in steps.items():
            best[key] = min(best[key], seconds(step, arguments.seconds, device))
    work, most = multiplications(arguments), ceilings(arguments, device)
    return [
        {"plan": plan, "runs": n_runs, "seconds_per_iteration": round(taken, 5),
         "run_iterations_per_second": round(n_runs / taken, 2), "gflops": round(2e-9 * work * n_runs / taken, 1),
         **most}
        for (plan, n_runs), taken in best.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="1,28,28", help="c,h,w of images, or 2 for points")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--n-noise", type=int, default=32)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn")
    parser.add_argument("--out", type=Path, help="a JSON file, to which the rows are added")
    arguments = parser.parse_args()
    out = arguments.out
    about = {name: value for name, value in vars(arguments).items() if name not in ("seconds", "out")}
    arguments.shape = tuple(int(side) for side in arguments.shape.split(","))
    rows = [{**about, **row, "threads": torch.get_num_threads(), **provenance()} for row in measure(arguments)]
    for row in rows:
        print(json.dumps(row))
    if out:
        keep(out, [*read_rows(out), *rows])


if __name__ == "__main__":
    main()
