"""Augmentation of a batch: ours and kornia's same steps, turn by turn in one process.

    python benchmarks/augment_speed.py --out docs/results/augment.json

Both get the same float images. kornia draws one order of colour changes for a batch where ours draws one for each
image, and crops by ``resample``, its faster way on these sizes. The time of each is its best round, the ratio that of
the bests. ``load`` is how many processes wanted the cores when a row began: above the cores less its threads, a row of
two threads is a lower bound, as each waits for the other at every operation.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import kornia.augmentation as kornia
import torch
from provenance import provenance

from coterie.images.presets import PRESETS

Augment = Callable[[torch.Tensor], torch.Tensor]


def theirs(name: str, side: int) -> Augment:
    """kornia's steps for the preset ``name``."""
    if name == "marks":
        return kornia.AugmentationSequential(
            kornia.RandomAffine(15, translate=(0.1, 0.1), scale=(0.8, 1.2), shear=10, p=1.0),
            kornia.RandomGamma((0.7, 1.4), p=1.0),
            kornia.RandomGaussianNoise(std=0.05, p=1.0),
        )
    area = {"cc": 0.08, "cc-imagenet": 0.08}.get(name, 0.2)
    crop = kornia.RandomResizedCrop((side, side), scale=(area, 1.0), cropping_mode="resample", align_corners=False)
    flip, grey = kornia.RandomHorizontalFlip(p=0.5), kornia.RandomGrayscale(p=0.2)
    if name == "mice":
        return kornia.AugmentationSequential(crop, flip, grey, kornia.ColorJitter(0.4, 0.4, 0.4, 0.4, p=1.0))
    s = 2 if name == "cc-imagenet" else 1
    jitter = kornia.ColorJitter(0.4 * s, 0.4 * s, 0.4 * s, 0.1 * s, p=0.8)
    blur = [kornia.RandomGaussianBlur((23, 23), (0.1, 2.0), p=0.5)] if name == "cc-imagenet" else []
    return kornia.AugmentationSequential(crop, flip, jitter, grey, *blur)


def bests(contestants: dict[str, Augment], images: torch.Tensor, seconds: float) -> dict[str, float]:
    """Best time of each, taking turns for ``seconds`` and 5 rounds at least."""
    best = dict.fromkeys(contestants, math.inf)
    began, rounds = time.perf_counter(), 0
    while rounds < 6 or time.perf_counter() - began < seconds:
        for name, augment in contestants.items():
            start = time.perf_counter()
            augment(images)
            if rounds:  # the first warms up
                best[name] = min(best[name], time.perf_counter() - start)
        rounds += 1
    return best


def measure(name: str, shape: tuple[int, int, int, int], threads: int, seconds: float) -> dict[str, object]:
    torch.set_num_threads(threads)
    load = os.getloadavg()[0]
    random = torch.Generator().manual_seed(0)
    images = torch.rand(*shape, generator=random)
    best = bests({"ours": lambda x: PRESETS[name](x, random), "kornia": theirs(name, shape[-1])}, images, seconds)
    return {
        "preset": name,
        "shape": list(shape),
        "threads": threads,
        "load": round(load, 1),
        "images_per_second": round(shape[0] / best["ours"]),
        "kornia_images_per_second": round(shape[0] / best["kornia"]),
        "ratio": round(best["kornia"] / best["ours"], 2),
    }


CASES = [
    ("mice", (256, 3, 32, 32)),
    ("cc", (256, 3, 32, 32)),
    ("simclr32", (256, 3, 32, 32)),
    ("mice", (256, 3, 96, 96)),
    ("cc-imagenet", (32, 3, 224, 224)),
    ("marks", (256, 1, 16, 16)),
    ("marks", (256, 1, 28, 28)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15, help="for each case and number of threads")
    parser.add_argument("--out", type=Path, default=Path("docs/results/augment.json"))
    arguments = parser.parse_args()
    rows = []
    for name, shape in CASES:
        for threads in (1, 2):
            rows.append(measure(name, shape, threads, arguments.seconds))
            print(rows[-1], flush=True)
    arguments.out.write_text(json.dumps(provenance() | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
