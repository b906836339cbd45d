"""Decoding every entry, in parallel where that helps, straight into one .npy file of uint8 (n, c, h, w)."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from coterie.errors import UnreadableImageError
from coterie.images.contents import DIGEST_BYTES, count_copies, digest_of, is_one_colour
from coterie.images.decode import decode_quietly, quiet_pillow
from coterie.images.find import Found
from coterie.images.oddities import ONE_COLOUR
from coterie.images.options import StoreOptions
from coterie.images.payloads import Payload, payloads

# A batch is bounded by count, by bytes read and by bytes decoded, so that memory does not depend on n.
BATCH_IMAGES = 64
BATCH_BYTES = 16_000_000
# Below this mean file size (about 200 x 200 pixels of JPEG) Python's lock eats what threads gain: see parallel_helps.
THREADED_FILE_BYTES = 16_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """One entry: its pixels (c, h, w), or None and the reason."""

    index: int
    pixels: NDArray[np.uint8] | None
    oddities: frozenset[str] = frozenset()
    reason: str = ""
    digest: bytes = b""


@dataclass
class Filled:
    """What happened to the entries: ``bad`` maps an index to its reason; the rest lie in the file in order."""

    bad: dict[int, str] = field(default_factory=dict)
    oddities: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0


def fill(path: Path, found: Found, options: StoreOptions, workers: int, progress: bool) -> Filled:
    """Writes the readable entries to ``path`` as .npy, uint8 (n_good, c, h, w), in the order of ``found.entries``.

    Rows go to the file as they come and are never all in memory; images that cannot be read leave no hole.
    """
    n = len(found.entries)
    filled = Filled()
    digests = np.zeros((n, DIGEST_BYTES), np.uint8)
    row_bytes = int(np.prod(options.shape))
    with path.open("w+b") as file:
        start = _write_header(file, (n, *options.shape))
        for decoded in _decode_all(found, options, workers, progress):
            filled.oddities.update(decoded.oddities)
            if decoded.pixels is None:
                filled.bad[decoded.index] = decoded.reason
                continue
            digests[decoded.index] = np.frombuffer(decoded.digest, np.uint8)
            file.seek(start + decoded.index * row_bytes)
            file.write(decoded.pixels.data)
        good = np.setdiff1d(np.arange(n), np.fromiter(filled.bad, np.int64, len(filled.bad)))
        _close_gaps(file, start, row_bytes, good)
        _write_header(file, (len(good), *options.shape))
    filled.duplicates = count_copies(digests[good])
    return filled


def parallel_helps(found: Found) -> bool:
    """Whether threads gain anything over plain decoding. Pillow frees Python's lock only inside its C code.

    Measured on 2 cores that other work shared (benchmarks/decode_pool.py; images/s in-process, 2 threads, 2 spawned
    processes): 8-px PNG 9,500, 9,100, 2,200; 64-px JPEG 4,000, 3,600, 2,200. Small files gain nothing from threads and
    pay for new processes; large ones (1000 x 800 JPEG) spend nearly all their time where the lock is free.
    """
    sample = found.entries[:: max(1, len(found.entries) // 1000)]
    return bool(sample) and sum(entry.size for entry in sample) / len(sample) >= THREADED_FILE_BYTES


def _decode_all(found: Found, options: StoreOptions, workers: int, progress: bool) -> Iterator[Decoded]:
    batches = _batches(payloads(found, range(len(found.entries))))

    def work(batch: list[tuple[int, Payload]]) -> list[Decoded]:
        return [_decode_one(index, payload, options) for index, payload in batch]

    threads = workers if workers > 1 and parallel_helps(found) else 0
    bar = tqdm(total=len(found.entries), desc="reading", unit="image", disable=None if progress else True)
    with quiet_pillow(), bar:
        for results in _mapped(work, batches, threads):
            yield from results
            bar.update(len(results))


def _decode_one(index: int, payload: Payload, options: StoreOptions) -> Decoded:
    try:
        if isinstance(payload, UnreadableImageError):
            raise payload
        pixels, oddities = decode_quietly(payload, options)
    except UnreadableImageError as error:
        return Decoded(index, None, reason=error.reason)
    if is_one_colour(pixels):
        oddities |= {ONE_COLOUR}
    return Decoded(index, pixels, oddities, digest=digest_of(pixels))


def _batches(items: Iterable[tuple[int, Payload]]) -> Iterator[list[tuple[int, Payload]]]:
    batch: list[tuple[int, Payload]] = []
    held = 0
    for item in items:
        batch.append(item)
        held += len(item[1]) if isinstance(item[1], bytes) else 0
        if len(batch) >= BATCH_IMAGES or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _mapped(
    work: Callable[[list[tuple[int, Payload]]], list[Decoded]],
    batches: Iterable[list[tuple[int, Payload]]],
    threads: int,
) -> Iterator[list[Decoded]]:
    """``map`` that never holds more than two batches per thread."""
    if threads < 1:
        yield from map(work, batches)
        return
    waiting: deque[Future[list[Decoded]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="coterie-decode") as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # an interrupt should not wait for what is still queued
            pool.shutdown(wait=True, cancel_futures=True)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    """Writes the .npy header at the start of the file; where the data begin (the same for every n: NumPy pads)."""
    file.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _close_gaps(file: IO[bytes], start: int, row_bytes: int, good: NDArray[np.int64]) -> None:
    """Moves the rows ``good`` (ascending) to the front, a run of rows at a time, and cuts the rest off."""
    block = max(1, BATCH_BYTES // row_bytes)
    moved = np.flatnonzero(good != np.arange(len(good)))
    first = int(moved[0]) if len(moved) else len(good)
    while first < len(good):
        last = first + 1
        while last < len(good) and last - first < block and good[last] == good[last - 1] + 1:
            last += 1
        file.seek(start + int(good[first]) * row_bytes)
        data = file.read((last - first) * row_bytes)
        file.seek(start + first * row_bytes)
        file.write(data)
        first = last
    file.truncate(start + len(good) * row_bytes)
