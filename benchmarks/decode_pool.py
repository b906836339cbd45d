"""How decoding is best spread over cores: in-process, threads, or spawned processes, for three kinds of files.

    python benchmarks/decode_pool.py [--workers 2] [--repeats 3]

Prints images per second, the best of the repeats. ``images/fill.py`` takes its rule from here.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from coterie.images.decode import decode_quietly, quiet_pillow
from coterie.images.options import StoreOptions

BATCH = 64
Work = list[tuple[list[str], StoreOptions]]


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    coarse = Image.fromarray(rng.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-8, 9, smooth.shape), 0, 255).astype(np.uint8))


def write_sets(folder: Path) -> dict[str, tuple[list[str], StoreOptions]]:
    rng = np.random.default_rng(0)
    kinds: dict[str, tuple[int, str, Callable[[], Image.Image], StoreOptions]] = {
        "1,797 PNG of 8 x 8": (1797, "png", lambda: photo(rng, 8, 8).convert("L"), StoreOptions((8, 8), grey=True)),
        "5,000 JPEG of 64 x 64": (5000, "jpg", lambda: photo(rng, 64, 64), StoreOptions((64, 64))),
        "1,000 JPEG of 1000 x 800": (1000, "jpg", lambda: photo(rng, 1000, 800), StoreOptions((224, 224))),
    }
    sets = {}
    for number, (name, (n, form, draw, options)) in enumerate(kinds.items()):
        different = [draw() for _ in range(20)]
        paths = [str(folder / f"{number}-{i}.{form}") for i in range(n)]
        for i, path in enumerate(paths):
            different[i % 20].save(path)
        sets[name] = (paths, options)
    return sets


def decode_batch(batch: tuple[list[str], StoreOptions]) -> np.ndarray:
    paths, options = batch
    return np.stack([decode_quietly(path, options)[0] for path in paths])


def in_process(work: Work, _workers: int) -> None:
    for batch in work:
        decode_batch(batch)


def in_threads(work: Work, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode_batch, work))


def in_processes(work: Work, workers: int) -> None:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(decode_batch, work))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, quiet_pillow():
        for name, (paths, options) in write_sets(Path(folder)).items():
            work = [(paths[i : i + BATCH], options) for i in range(0, len(paths), BATCH)]
            for way in (in_process, in_threads, in_processes):
                best = float("inf")
                for _ in range(given.repeats):
                    start = time.perf_counter()
                    way(work, given.workers)
                    best = min(best, time.perf_counter() - start)
                print(f"{name:26} {way.__name__:12} {len(paths) / best:8,.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
