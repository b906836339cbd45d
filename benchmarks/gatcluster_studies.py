"""The studies of GATCluster's paper as commands, each a row per setting in docs/results/gatcluster/STUDY.json.

    python benchmarks/gatcluster_studies.py entropy
    python benchmarks/gatcluster_studies.py memory [--sizes 32 96 --m1 25 100 400] [--device cuda]
    python benchmarks/gatcluster_studies.py ablation --data ../shared/data [--sets usps --seeds 0 1 2 --set epochs=12]
    python benchmarks/gatcluster_studies.py size --data ../shared/data [--sets tiny-imagenet-10 --values 32 64 96]
    python benchmarks/gatcluster_studies.py map --data ../shared/data [--side 128 --values 10 8 6 4 2]
    python benchmarks/render_gatcluster.py

entropy    what the entropy of a small sub-batch misses even for perfect labels; trains nothing
memory     peak memory of making targets, against m1 and the side of the images, and of one update; trains nothing
ablation   A0 whole, A1 to A4 each without one learning task, A5 with colours (gatcluster.md section 7)
size       the side of the images, the attention map kept
map        the side of the attention map, the images kept

A setting that has a row is not run again, so a command can be stopped and given once more; a training that was cut off
goes on from its checkpoint in --work. Classes give the number of clusters and the scores, nothing else.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance
from study_rows import Row, keep, missing, read_rows, trained_row

from coterie.cli.training_options import chosen_settings
from coterie.evidence.datasets import load
from coterie.evidence.recipe import Recipe
from coterie.images.store import open_images
from coterie.images.trained import build_network
from coterie.methods.gatcluster import GATCluster
from coterie.methods.self_targets import entropy_loss
from coterie.training.run import Run

RESULTS = Path("docs/results/gatcluster")
ABLATIONS: dict[str, Row] = {
    "A0": {},
    "A1": {"similarity": 0.0},
    "A2": {"relation": 0.0},
    "A3": {"entropy": 0.0},
    "A4": {"attention": 0.0},
    "A5": {"colour": True},
}
SWEPT = {"size": ("side", [32, 48, 64, 96]), "map": ("map_size", [10, 8, 6, 4, 2])}
SUB_BATCHES, NUMBERS = (16, 32, 64, 128, 256), (10, 15, 20)
DRAWS = 4000
CHUNK = 1000  # images whose targets are made at a time, as by default


# --- entropy: no network at all --------------------------------------------------------------------------------------


def entropy(asked: argparse.Namespace) -> None:
    rows = read_rows(asked.out)
    wanted = [{"m2": m2, "k": k, "draws": DRAWS} for k in NUMBERS for m2 in SUB_BATCHES]
    for setting in missing(wanted, rows):
        rows.append(setting | _missed(setting["m2"], setting["k"]) | provenance())
        keep(asked.out, rows)


def _missed(m2: int, k: int) -> Row:
    """What perfect labels of equally frequent clusters come to in sub-batches of ``m2`` random images."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(k, (DRAWS, m2), generator=generator)
    labels = torch.nn.functional.one_hot(draws, k).double()
    found = np.array([math.log(k) + float(entropy_loss(label)) for label in labels])
    absent = (labels.sum(1) == 0).double().mean()
    return {
        "missed": round(float(found.mean()), 4), "expected": round((k - 1) / (2 * m2), 4),
        "absent": round(float(absent), 4), "seeds": [0],
    }  # fmt: skip


# --- memory: each figure in a process of its own ---------------------------------------------------------------------


def memory(asked: argparse.Namespace) -> None:
    rows = read_rows(asked.out)
    for setting in missing(list(_memory_settings(asked)), rows):
        done = subprocess.run(
            [sys.executable, __file__, "peak", json.dumps(setting)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        rows.append(setting | json.loads(done.stdout) | provenance() | {"seeds": [0]})
        keep(asked.out, rows)
        print(setting, rows[-1]["peak_mb"], flush=True)


def _memory_settings(asked: argparse.Namespace) -> Iterator[Row]:
    about = {"width": asked.width, "precision": "32", "device": asked.device}
    for side in asked.sizes:
        for m1 in asked.m1:
            yield {"step": "targets", "side": side, "batch": m1, **about}
        yield {"step": "update", "side": side, "batch": 64, **about}


def peak(asked: argparse.Namespace) -> None:
    """Prints the megabytes that one step adds, at its peak, to what lies there before."""
    print(json.dumps(_peak(json.loads(asked.setting))))


def _peak(setting: Row) -> Row:
    side = setting["side"]
    images = np.random.default_rng(0).integers(0, 256, (CHUNK, 1, side, side), dtype=np.uint8)
    model = GATCluster(
        10, width=setting["width"], precision=setting["precision"], device=setting["device"], batch_size=64,
        target_batch_size=setting["batch"], repeats=1,
    )  # fmt: skip
    store = open_images(images)
    with Run(device=setting["device"], precision=setting["precision"]) as run:
        parts = model.parts(run, build_network(model.architecture(store.shape)), CHUNK)
        run.track(met=True)
        (chunk,) = run.in_order(store, CHUNK)
        before = _used(run.device)
        if setting["step"] == "targets":
            model._make_targets(run, parts, chunk, chunk.clean)
        else:
            targets = model._make_targets(run, parts, chunk, chunk.clean[:64])  # m1 is that of the row
            model._learn(run, parts, chunk.clean[:64], targets.of(torch.arange(64, device=run.device)), 64)
        return {"peak_mb": round((_used(run.device) - before) / 1e6), "n": CHUNK}


def _used(device: torch.device) -> int:
    """The largest number of bytes so far: of tensors on a GPU, of the whole process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else 1024 * kilobytes


# --- ablation, size, map: a training for each setting ----------------------------------------------------------------


def ablation(asked: argparse.Namespace) -> None:
    settings = _settings(asked)
    wanted = [
        {"set": name, "setting": setting, "seed": seed, "parameters": settings | ABLATIONS[setting]}
        for name in asked.sets
        for seed in asked.seeds
        for setting in asked.settings
        if setting != "A5" or load(name, asked.data).images.shape[1] == 3  # grey images have no colours
    ]
    _train_all(asked, wanted)


def sweep(asked: argparse.Namespace) -> None:
    parameter, _ = SWEPT[asked.study]
    settings = _settings(asked)
    if parameter in settings:
        raise SystemExit(f"--set {parameter}: that is what this study varies; give --values")
    wanted = [
        {"set": name, "side": value if parameter == "side" else asked.side, "setting": f"{parameter}={value}",
         "value": value, "seed": seed, "parameters": settings | ({} if parameter == "side" else {parameter: value})}
        for name in asked.sets
        for seed in asked.seeds
        for value in asked.values
    ]  # fmt: skip
    _train_all(asked, wanted)


def _settings(asked: argparse.Namespace) -> Row:
    return {"precision": "bf16"} | chosen_settings("gatcluster", GATCluster().get_params(deep=False), {}, asked.set)


def _train_all(asked: argparse.Namespace, wanted: list[Row]) -> None:
    rows = read_rows(asked.out)
    for setting in missing(wanted, rows):
        side = setting.get("side")
        size = (side, side) if side else None
        recipe = Recipe("own", "", "", setting["set"], "gatcluster", size=size, parameters=setting["parameters"])
        work = asked.work / f"{asked.study}-{setting['set']}-{recipe.digest}-{setting['seed']}"
        data = load(setting["set"], asked.data, size)
        rows.append(setting | trained_row(recipe, data, setting["seed"], work, asked.device))
        keep(asked.out, rows)
        print(setting["set"], setting["setting"], "seed", setting["seed"], rows[-1]["answers"], flush=True)


# --- the command line ------------------------------------------------------------------------------------------------


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = parser.add_subparsers(dest="study", required=True)
    studies.add_parser("entropy").set_defaults(run=entropy)
    one = studies.add_parser("peak", help="one figure of memory; called by it")
    one.add_argument("setting")
    one.set_defaults(run=peak)
    of_memory = studies.add_parser("memory")
    of_memory.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 96, 128])
    of_memory.add_argument("--m1", nargs="+", type=int, default=[25, 50, 100, 200, 400, 1000])
    of_memory.add_argument("--width", type=int, default=16)
    of_memory.add_argument("--device", default="cpu")
    of_memory.set_defaults(run=memory)
    _add_training(studies.add_parser("ablation"), "usps", [0, 1, 2]).set_defaults(run=ablation)
    studies.choices["ablation"].add_argument("--settings", nargs="+", default=list(ABLATIONS), choices=list(ABLATIONS))
    for study, (_, values) in SWEPT.items():
        sub = _add_training(studies.add_parser(study), "tiny-imagenet-10", [0])
        sub.add_argument("--values", nargs="+", type=int, default=values)
        sub.set_defaults(run=sweep)
    studies.choices["map"].add_argument("--side", type=int, default=128, help="of the images")
    for study, sub in studies.choices.items():
        sub.add_argument("--out", type=Path, default=RESULTS / f"{study}.json")
    return parser.parse_args(words)


def _add_training(sub: argparse.ArgumentParser, name: str, seeds: list[int]) -> argparse.ArgumentParser:
    sub.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    sub.add_argument("--sets", nargs="+", default=[name])
    sub.add_argument("--seeds", nargs="+", type=int, default=seeds)
    sub.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter; may be repeated")
    sub.add_argument("--device", default="auto")
    sub.add_argument("--work", type=Path, default=Path("runs/gatcluster-studies"), help="checkpoints")
    return sub


def main(words: list[str] | None = None) -> None:
    asked: Any = arguments(words)
    asked.run(asked)


if __name__ == "__main__":
    main()
