"""Updates per second of GATCluster: its training beside the bare step, and beside the authors' code where given.

    python benchmarks/gatcluster_speed.py [--threads 2] [--device cpu]
    git clone https://github.com/niuchuangnn/GATCluster elsewhere && \
        python benchmarks/gatcluster_speed.py --official elsewhere
    python benchmarks/render_gatcluster.py

kept        what a training of the defaults keeps of the bare step (network, losses, optimiser on one resident batch,
            transformed already), at 2 and 8 repeats of a set of targets: the rest goes into transforming and targets
evaluation  the share of a whole training that looking at all images takes (snapshots and the final pass)
official    the network and the sub-batches of 32 of the paper for 96 x 96, ours and the authors'; 2 repeats, not 8, for
            the sake of time, so targets weigh more than in a training of the paper

Everything runs on random images, in turns; the best turn counts, because whatever else runs on the machine only slows a
turn down. The authors' loop runs in a process of its own, from the folder it was cloned to, and nothing of it is kept.
It is timed as it is but for its transformations by Pillow, which are left out in its favour: ours are in our figures.
"""

import argparse
import json
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from authors_code import seconds_apart, stand_in_modules
from provenance import provenance
from study_rows import Row, keep

from coterie.images.store import ImageStore, open_images
from coterie.images.trained import build_network
from coterie.methods.gatcluster import GATCluster, Parts
from coterie.methods.self_targets import Weights, total_loss
from coterie.training.batches import Batch
from coterie.training.run import Run

K = 10
OUT = Path("docs/results/gatcluster/speed.json")
PAPER: Row = {"width": 64, "n_features": K, "batch_size": 32, "repeats": 2}
SIDE, OFFICIAL_SIDE = 32, 96
# images that are given targets at a time, 1,000 in the paper; below 200 the authors' code stops at a cluster of one
N, LOOKED_AT, OFFICIAL_N = 1000, 4000, 200


class Timed(GATCluster):
    """GATCluster that notes the seconds of every look at all images."""

    looking = 0.0

    def _take_snapshot(self, run: Run, epoch: int, parts: Parts, store: ImageStore) -> None:
        self._timed(super()._take_snapshot, run, epoch, parts, store)

    def _look(self, run: Run, bare: Any, store: ImageStore) -> np.ndarray:
        found: np.ndarray = self._timed(super()._look, run, bare, store)
        return found

    def _timed(self, look: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        found = look(*given)
        self.looking += time.perf_counter() - began
        return found


class Trainer:
    """One chunk of random images and all that a training of it needs."""

    def __init__(self, n: int, side: int, asked: argparse.Namespace, **settings: Any) -> None:
        self.model = GATCluster(K, device=asked.device, n_targets=n, **settings)
        images = images_of(n, side)
        self.run = Run(device=asked.device, precision=settings.get("precision", "32"))
        with self.run:
            network = build_network(self.model.architecture((1, side, side)))
            self.parts = self.model.parts(self.run, network, n)
            self.run.track(met=False)
        clean = torch.from_numpy(images).to(self.run.device).float() / 255
        self.chunk = Batch(torch.arange(n, device=self.run.device), clean)

    def training(self) -> float:
        """Seconds of an update: both steps of the algorithm on the chunk, over the number of its updates."""
        began = time.perf_counter()
        transformed = self.model._transformed(self.run, self.chunk)
        targets = self.model._make_targets(self.run, self.parts, self.chunk, transformed)
        self.model._learn(self.run, self.parts, transformed, targets, self.model.batch_size)
        size = self.model.batch_size
        return self._since(began) / (len(transformed) // size * self.model.repeats)

    def bare(self, steps: int = 20) -> float:
        """Seconds of an update on one batch that stays where it is."""
        model, rows = self.model, torch.arange(self.model.batch_size, device=self.run.device)
        transformed = self.model._transformed(self.run, self.chunk)
        targets = model._make_targets(self.run, self.parts, self.chunk, transformed).of(rows)
        batch = transformed[rows]
        self.parts.net.train()
        began = time.perf_counter()
        for _ in range(steps):
            seen = self.parts.net(batch)
            loss, _ = total_loss(seen.log_label, seen.log_attended, targets, Weights())
            self.run.step(self.parts.optimizer, loss)
        return self._since(began) / steps

    def _since(self, began: float) -> float:
        if self.run.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def images_of(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 1, side, side), dtype=np.uint8)


def kept(asked: argparse.Namespace) -> Iterator[Row]:
    for precision in ("32", "bf16"):
        trainers = {repeats: Trainer(N, SIDE, asked, repeats=repeats, precision=precision) for repeats in (2, 8)}
        turns = {"bare": trainers[2].bare} | {f"{repeats} repeats": trainers[repeats].training for repeats in trainers}
        best = best_of(turns, asked.turns)
        for what, seconds in best.items():
            share = round(best["bare"] / seconds, 3)
            settings = {"side": SIDE, "width": 16, "batch_size": 64, "precision": precision}
            yield row("kept", what, settings, asked) | {"updates_per_second": round(1 / seconds, 2), "kept": share}


def evaluation(asked: argparse.Namespace) -> Iterator[Row]:
    model = Timed(K, device=asked.device, precision="bf16")
    began = time.perf_counter()
    with Run(device=asked.device):  # so that the first look does not pay for the start of the device
        store = open_images(images_of(LOOKED_AT, SIDE))
    model._train(store)
    whole = time.perf_counter() - began
    settings = {"side": SIDE, "width": 16, "batch_size": 64, "precision": "bf16"}
    share = round(model.looking / whole, 4)
    yield row("evaluation", f"{model.epochs} epochs", settings, asked) | {"share": share, "seconds": round(whole, 1)}


def official(asked: argparse.Namespace) -> Iterator[Row]:
    trainers = {
        f"coterie, {precision}": Trainer(OFFICIAL_N, OFFICIAL_SIDE, asked, precision=precision, **PAPER)
        for precision in ("32", "bf16")
    }
    turns = {"the authors' code": lambda: official_seconds(asked)}
    best = best_of(turns | {what: trainer.training for what, trainer in trainers.items()}, asked.turns)
    for what, seconds in best.items():
        precision = what.removeprefix("coterie, ") if what in trainers else "32"
        settings = {"side": OFFICIAL_SIDE, "width": 64, "batch_size": 32, "precision": precision}
        speed = {"updates_per_second": round(1 / seconds, 3), "ratio": round(best["the authors' code"] / seconds, 2)}
        yield row("official", "coterie" if what.startswith("coterie") else what, settings, asked) | speed


def best_of(turns: dict[str, Callable[[], float]], n: int) -> dict[str, float]:
    """The least of ``n`` turns of each, after one that fetches memory; in turns, so that a busy machine is fair."""
    for turn in turns.values():
        turn()
    best = dict.fromkeys(turns, float("inf"))
    for _ in range(n):
        best |= {what: min(best[what], turn()) for what, turn in turns.items()}
    return best


def row(study: str, what: str, settings: Row, asked: argparse.Namespace) -> Row:
    about = {"threads": torch.get_num_threads(), "device": asked.device}
    return {"study": study, "what": what, **settings, **about, **provenance()}


# --- the authors' code, in a process of its own ----------------------------------------------------------------------


def official_seconds(asked: argparse.Namespace) -> float:
    """Seconds of one of its updates."""
    words = ["--as-official", str(asked.official.resolve()), "--threads", str(asked.threads)]
    return seconds_apart(__file__, words)


def as_official(folder: Path) -> float:
    """Seconds of an update of the code in ``folder``: its own ``do_train`` on random images, once warm."""
    stand_in()
    sys.path.insert(0, str(folder))
    from deepcluster.engine.training import do_train
    from deepcluster.modeling.architectures import build_architecture
    from deepcluster.solver import make_optimizer

    said = runpy.run_path(str(folder / "configs/stl10/gatcluster.py"))
    solver = Solver(said["solver"] | {"num_repeat": PAPER["repeats"]})
    cfg = SimpleNamespace(model=said["model"], solver=solver, logger_name="timed")
    model = build_architecture(cfg.model)
    optimizer = make_optimizer(cfg, model)
    images = torch.from_numpy(images_of(OFFICIAL_N, OFFICIAL_SIDE)).float() / 255
    loader = [(images, images, None, None)]
    nowhere = SimpleNamespace(save=lambda *_, **__: None)

    def train() -> float:
        began = time.perf_counter()
        do_train(model, loader, optimizer, None, nowhere, "cpu", sys.maxsize, {"iteration": 0}, cfg)
        return (time.perf_counter() - began) / (OFFICIAL_N // PAPER["batch_size"] * cfg.solver.num_repeat)

    train()
    return train()


class Solver(dict[str, Any]):
    """Settings as the code reads them: by attribute, and by ``in``."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def stand_in() -> None:
    """What the code imports and does not need here: its loaders of data, and torchvision."""
    asked = {
        "torchvision": (), "torchvision.transforms": (), "torchvision.transforms.functional": (),
        "torchvision.utils": ("make_grid",), "torchvision.models": ("resnet",),
        "deepcluster.data": ("build_data_loader", "build_dataset"),
    }  # fmt: skip
    stand_in_modules(asked, lambda *_, **__: [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, help="folder that the authors' code was cloned to")
    parser.add_argument("--as-official", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.as_official:
        print(json.dumps({"seconds": as_official(asked.as_official)}))
        return
    rows = []
    for study in (kept, evaluation, *([official] if asked.official else [])):
        for found in study(asked):
            rows.append(found)
            keep(asked.out, rows)
            told = ("study", "what", "precision", "updates_per_second", "kept", "ratio", "share", "seconds")
            print({name: found[name] for name in told if name in found}, flush=True)


if __name__ == "__main__":
    main()
