"""How much of a method's training is the network: its images/s beside a bare loop that steps the same network.

    python benchmarks/training_speed.py --method jule --set usps-11k --data ../shared/data

The bare loop: the same network, optimiser, precision and batch size, one batch that stays where it is, the sum of the
embedding as its loss. The method: its fastest epoch, which ends without a linkage (``linkage_seconds`` in metrics.jsonl
says what those take). Both run in this process, in turns of a few seconds; the best turn of each counts, because
whatever else runs on the machine only slows a turn down. "kept" is the method's images/s over those of the bare loop.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance

from coterie.evidence.datasets import load
from coterie.images.store import open_images
from coterie.images.trained import build_network
from coterie.methods import METHODS
from coterie.training.run import Run

TURNS = 3


def bare(run: Run, net: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, steps: int) -> float:
    """Images per second of ``steps`` updates on one resident batch."""
    began = time.perf_counter()
    for _ in range(steps):
        run.step(optimizer, net(images).sum())
    return steps * len(images) / (time.perf_counter() - began)


def trained(model: Any, images: np.ndarray) -> list[float]:
    """Images per second of every epoch of a training; two of three have no linkage at their end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(images)
    return [float(record["images_per_second"]) for record in model.training_]


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    data = load(arguments.set, arguments.data)
    images = data.images[np.random.default_rng(0).permutation(len(data.images))[: arguments.images]]
    model = METHODS[arguments.method](data.n_clusters, precision=arguments.precision, epochs=3, random_state=0)
    store = open_images(images)
    with Run(precision=arguments.precision) as run:
        network = build_network(model.architecture(store.shape))
        net = run.setup(network)
        optimizer = run.setup(torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-5))
        batch = torch.from_numpy(images[: model.batch_size]).float().to(run.device) / 255
        bare(run, net, optimizer, batch, 3)
        turns = [
            (bare(run, net, optimizer, batch, len(images) // model.batch_size), max(trained(model, images)))
            for _ in range(TURNS)
        ]
    alone, method = (max(speeds) for speeds in zip(*turns, strict=True))
    return {
        "method": arguments.method, "set": arguments.set, "n": len(images), "batch_size": model.batch_size,
        "precision": arguments.precision, "threads": torch.get_num_threads(),
        "bare_images_per_second": round(alone), "images_per_second": round(method), "kept": round(method / alone, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="jule", choices=list(METHODS))
    parser.add_argument("--set", default="usps-11k")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--out", type=Path, default=Path("docs/results/training.json"))
    arguments = parser.parse_args()
    row = measure(arguments)
    print(row)
    rows = json.loads(arguments.out.read_text())["rows"] if arguments.out.exists() else []
    rows = [r for r in rows if (r["method"], r["set"], r["precision"]) != (row["method"], row["set"], row["precision"])]
    arguments.out.write_text(json.dumps(provenance() | {"rows": [*rows, row]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
