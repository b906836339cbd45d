"""Peak memory and speed of opening 100,000 small images: the promise is less than 1 GB.

    python benchmarks/store_memory.py [--n 100000] [--side 64] [--kind folder|zip] [--workers 0] [--folder FOLDER]

Writes n random JPEG files, opens them as a store, reads every batch once, opens the store again from the cache, and
prints images per second and the peak resident memory (which counts mapped file pages too).
"""

import argparse
import io
import logging
import resource
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from coterie.images.store import open_images


def write_images(folder: Path, n: int, side: int, kind: str) -> Path:
    rng = np.random.default_rng(0)
    # 500 different pictures, made different by a comment after the end of the image.
    pictures = []
    for _ in range(500):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((side, side))
        buffer = io.BytesIO()
        coarse.save(buffer, "JPEG", quality=90)
        pictures.append(buffer.getvalue())
    if kind == "zip":
        source = folder / "images.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for i in range(n):
                archive.writestr(f"{i // 1000:03}/{i:06}.jpg", pictures[i % 500] + str(i).encode())
        return source
    for i in range(n):
        path = folder / "images" / f"{i // 1000:03}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures[i % 500] + str(i).encode())
    return folder / "images"


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--kind", choices=("folder", "zip"), default="folder")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    logging.captureWarnings(True)
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        source = write_images(Path(name), given.n, given.side, given.kind)
        print(f"{given.n:,} JPEG files of {given.side} x {given.side} in a {given.kind}; {peak_mb():.0f} MB so far")
        for again in (False, True):
            start = time.perf_counter()
            store = open_images(source, cache=Path(name) / "cache", workers=given.workers, progress=True)
            seconds = time.perf_counter() - start
            total = sum(int(batch.sum(dtype=np.int64)) for batch in store.batches(1024))
            print(
                f"{'reused' if again else 'decoded'} {len(store):,} x {store.shape} in {seconds:.1f} s "
                f"({len(store) / seconds:,.0f} images/s), mean {total / store.images.size:.1f}, peak {peak_mb():.0f} MB"
            )


if __name__ == "__main__":
    main()
