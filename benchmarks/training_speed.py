"""How much of a method's training is its step: its images/s beside a bare loop of the same steps.

    python benchmarks/training_speed.py --method jule --set usps-11k --data ../shared/data
    python benchmarks/training_speed.py --method tcc --set usps --data ../shared/data

The bare loop: the same networks, optimiser, precision and batch size on one batch that stays where it is; for JULE with
the sum of the embedding as its loss, for TCC with all its losses, its twin and its queues, on views that are augmented
already. The method: its fastest epoch, which has no linkage in it (``linkage_seconds`` in metrics.jsonl says what those
of JULE take). Both run in this process, in turns of a few seconds; the best turn of each counts, because whatever else
runs on the machine only slows a turn down. "kept" is the method's images/s over those of the bare loop.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance

from coterie.evidence.datasets import load
from coterie.images.presets import preset, preset_for
from coterie.images.store import ImageStore, open_images
from coterie.images.trained import build_network
from coterie.methods import METHODS
from coterie.methods.twins import Known, twin_contrast
from coterie.training.run import Run

TURNS = 3


def jule_step(run: Run, model: Any, store: ImageStore, images: torch.Tensor) -> Callable[[], object]:
    network = build_network(model.architecture(store.shape))
    net = run.setup(network)
    optimizer = run.setup(torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-5))
    return lambda: run.step(optimizer, net(images).sum())


def tcc_step(run: Run, model: Any, store: ImageStore, images: torch.Tensor) -> Callable[[], object]:
    parts = model.parts(run, build_network(model.architecture(store.shape)), len(store))
    parts.train()
    views = preset(preset_for(store.shape).name).views(images, 2, run.random.device)
    index = torch.arange(len(images), device=run.device)
    known = Known(index, torch.full_like(index, -1))

    def step() -> None:
        taken = twin_contrast(
            parts.net, parts.slow, views, known, parts.memory, model.objective(epoch=0), run.random.device
        )
        run.step(parts.optimizer, taken.loss)
        parts.twin.update()
        parts.memory.push(taken, index)

    return step


STEPS = {"jule": jule_step, "tcc": tcc_step}


def bare(step: Callable[[], object], steps: int, batch_size: int) -> float:
    """Images per second of ``steps`` steps."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * batch_size / (time.perf_counter() - began)


def trained(model: Any, images: np.ndarray) -> list[float]:
    """Images per second of every epoch of a training; two of three have no linkage in them."""
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
        batch = torch.from_numpy(np.asarray(store.images[: model.batch_size])).float().to(run.device) / 255
        step = STEPS[arguments.method](run, model, store, batch)
        bare(step, 3, len(batch))
        turns = [(bare(step, len(images) // len(batch), len(batch)), max(trained(model, images))) for _ in range(TURNS)]
    alone, method = (max(speeds) for speeds in zip(*turns, strict=True))
    return {
        "method": arguments.method, "set": arguments.set, "n": len(images), "batch_size": model.batch_size,
        "precision": arguments.precision, "threads": torch.get_num_threads(),
        "bare_images_per_second": round(alone), "images_per_second": round(method), "kept": round(method / alone, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="jule", choices=list(STEPS))
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
    arguments.out.write_text(json.dumps({"rows": [*rows, provenance() | row]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
