"""Updates per second of DCCM, and the share that its discriminator has of them; beside the authors' code where given.

    python benchmarks/dccm_speed.py [--threads 2] [--device cpu]
    git clone https://github.com/Cory-M/DCCM elsewhere && python benchmarks/dccm_speed.py --official elsewhere

Everything runs with the network, the batch of 32 and the settings of CIFAR-10, on random images, in turns of
--updates updates each; the best turn counts, because whatever else runs on the machine only slows a turn down. A turn
asks for the targets of its chunk once, as in training. The share is what a training without mutual information saves.

The authors' code runs in a process of its own, from the folder it was cloned to; nothing of it is kept. Their loop and
their losses are timed as they are, with two things in their favour: Keras' augmentation on the host is left out
(ours is in our figures), and what calls for CUDA is answered by the CPU.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from authors_code import seconds_apart, stand_in_modules
from provenance import provenance
from study_rows import Row, keep
from torch import Tensor, nn

from coterie.images.presets import preset
from coterie.images.store import open_images
from coterie.methods import dccm as module
from coterie.methods.chunks import sub_batches
from coterie.methods.correlation_step import ask, mine
from coterie.nets.discriminator import PairDiscriminator
from coterie.training.batches import Batch
from coterie.training.run import Run

BATCH, VIEWS, SHAPE, K = 32, 2, (3, 32, 32), 10
OUT = Path("docs/results/dccm/speed.json")
ALL = {"mi_places": 0}
VARIANTS: dict[str, tuple[str, Row, str]] = {
    "coterie, discriminator on concatenated maps": ("concatenated", ALL, "32"),
    "coterie, factorised": ("factorised", ALL, "32"),
    "coterie, factorised, 16 places (default)": ("factorised", {"mi_places": 16}, "32"),
    "coterie, factorised, all places, bf16": ("factorised", ALL, "bf16"),
    "coterie, factorised, 16 places, bf16": ("factorised", {"mi_places": 16}, "bf16"),
}


class Concatenated(PairDiscriminator):
    """The same scores with the first layer on the concatenation of every pair, as the authors' code has it."""

    def forward(self, deep: Tensor, places: Tensor, anchors: Tensor, partners: Tensor) -> Tensor:
        maps = places[partners]
        laid = deep[anchors][:, :, None].expand(-1, -1, maps.shape[2], -1)
        scores: Tensor = self.score(self.hidden(self.first(torch.cat([maps, laid], 3)).relu_()).relu_())
        return scores[..., 0]


def turn_of(kind: str, settings: Row, precision: str, asked: argparse.Namespace) -> Callable[[], float]:
    """A turn: seconds of one update, on average over ``--updates`` of them."""
    model = module.DCCM(K, maps=64, **settings)
    images = images_of(asked.updates)
    run = Run(device=asked.device, precision=precision)
    module.PairDiscriminator = Concatenated if kind == "concatenated" else PairDiscriminator  # type: ignore[misc]
    with run:
        parts = model.parts(run, open_images(images))
    clean = torch.from_numpy(images).to(run.device).float() / 255
    chunk = Batch(torch.arange(len(images), device=run.device), clean)
    objective, augment, draws = model.objective(), preset("dac-cifar"), run.random.device

    def turn() -> float:
        began = time.perf_counter()
        targets = ask(parts, chunk, objective)
        steps = 0
        for rows in sub_batches(len(clean), BATCH, repeats=1, views=VIEWS, generator=draws):
            terms = mine(parts, clean[rows], targets.of(rows), objective, augment, draws)
            run.step(parts.optimizer, objective.total(terms))
            steps += 1
        if run.device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - began) / steps

    return turn


def images_of(updates: int) -> np.ndarray:
    """Random images for as many updates as a pass through them makes."""
    n = max(updates // VIEWS, 1) * BATCH
    return np.random.default_rng(0).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def measure(asked: argparse.Namespace) -> Iterator[Row]:
    """A row for the authors' code and for each of VARIANTS."""
    turns = {}
    for what, (kind, settings, precision) in VARIANTS.items():
        turns[what] = turn_of(kind, settings, precision, asked)
        turns[what + " without"] = turn_of(kind, settings | {"beta": 0.0}, precision, asked)
    for turn in turns.values():
        turn()  # the first one fetches memory and compiles
    best = dict.fromkeys(turns, float("inf"))
    official = float("inf")
    for _ in range(asked.turns):  # in turns, so that a busy machine is busy for all of them
        if asked.official:
            official = min(official, official_seconds(asked))
        best |= {what: min(best[what], turn()) for what, turn in turns.items()}
    if asked.official:
        yield row("the authors' code, without its augmentation", "32", official, None, asked)
    for what, (_, _, precision) in VARIANTS.items():
        yield row(what, precision, best[what], 1 - best[what + " without"] / best[what], asked)


def row(what: str, precision: str, seconds: float, share: float | None, asked: argparse.Namespace) -> Row:
    return {
        "what": what, "network": "CIFAR-10, Table 4", "batch_size": BATCH, "precision": precision,
        "updates_per_second": round(1 / seconds, 3), "discriminator": None if share is None else round(share, 3),
        "threads": torch.get_num_threads(), "device": asked.device, **provenance(),
    }  # fmt: skip


# --- the authors' code, in a process of its own ----------------------------------------------------------------------


def official_seconds(asked: argparse.Namespace) -> float:
    """Seconds of one of its updates."""
    words = ["--as-official", str(asked.official), "--threads", str(asked.threads), "--updates", str(asked.updates)]
    return seconds_apart(__file__, words)


def as_official(folder: Path, updates: int) -> float:
    """Seconds of an update of the code in ``folder``: its own ``train`` on a chunk of random images, once warm."""
    stand_in()
    sys.path.insert(0, str(folder))
    sys.argv = ["main.py", "--config", str(folder / "cfgs/cifar10.yaml"), "--input_size", "32"]
    import main  # type: ignore[import-not-found]

    model = main.models.__dict__[main.args.arch](K)
    sizes = main.get_dim(model, torch.zeros(5, *SHAPE), main.args.layers, main.args.c_layer)
    dim_loss = main.models.__dict__["DIM_Loss"](sizes)
    weights = [*model.parameters(), *dim_loss.parameters()]
    optimizer = torch.optim.RMSprop(weights, lr=main.args.lr, alpha=0.9)
    images = torch.from_numpy(images_of(updates)).float() / 255
    main.args.large_bs, main.args.repeated, main.args.split = len(images), 1, None
    losses = (main.WeightedBCE(), nn.BCELoss(), nn.CrossEntropyLoss())
    loader = [(images, torch.zeros(len(images), dtype=torch.int64))]

    def train() -> float:
        began = time.perf_counter()
        main.train(loader, model, dim_loss, *losses, optimizer, 1, Unchanged(), Unchanged())
        return (time.perf_counter() - began) / (len(images) // BATCH * VIEWS)

    train()
    return train()


class Unchanged:
    """In place of Keras' generator and of TensorBoard: gives batches back as they are, writes nothing."""

    def flow(self, images: np.ndarray, batch_size: int, shuffle: bool) -> Iterator[np.ndarray]:  # noqa: ARG002
        while True:
            yield images

    def add_scalar(self, *given: Any) -> None:
        """Nothing."""


def stand_in() -> None:
    """What the code imports and calls that is not here: old modules, and CUDA."""
    import yaml

    with_loader = yaml.load
    yaml.load = lambda text: with_loader(text, yaml.SafeLoader)
    asked = {
        "keras": (), "keras.preprocessing": (), "keras.preprocessing.image": ("ImageDataGenerator",),
        "tensorboardX": ("SummaryWriter",), "skimage": ("io", "color"), "torchvision": (), "torchvision.transforms": (),
        "torchvision.datasets": (), "sklearn.utils.linear_assignment_": ("linear_assignment",),
    }  # fmt: skip
    stand_in_modules(asked)
    torch.Tensor.cuda = nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[method-assign, assignment]
    torch.cuda.FloatTensor = torch.FloatTensor  # type: ignore[misc]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, help="folder that the authors' code was cloned to")
    parser.add_argument("--as-official", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--updates", type=int, default=20, help="of a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.as_official:
        print(json.dumps({"seconds": as_official(asked.as_official.resolve(), asked.updates)}))
        return
    rows = []
    for found in measure(asked):
        print(
            found["what"], found["updates_per_second"], "updates/s, discriminator", found["discriminator"], flush=True
        )
        rows.append(found)
    keep(asked.out, rows)


if __name__ == "__main__":
    main()
