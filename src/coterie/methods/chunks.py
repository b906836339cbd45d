"""The order of updates that DAC and DCCM share (dac.md section 2, dccm.md section 6).

An epoch goes through the images in shuffled chunks of 1,000. What the network says of the clean chunk is asked once and
taught in many updates, on small batches drawn from the chunk:

    for chunk in run.batches(store, chunk_size(len(store), 1000)):
        with torch.no_grad():
            targets = net(chunk.clean)
        for rows in sub_batches(len(chunk), 32, repeats=10, views=2, generator=run.random.device):
            x = augment(chunk.clean[rows], run.random.device)
            run.step(optimizer, loss(net(x), targets[rows]))

A chunk is one batch of the run, so its images are gathered and moved once, and a checkpoint falls between two chunks: a
killed training does the chunk it was in again, from the same weights and random numbers, to the same bits; a signal is
heeded at the end of the chunk.
"""

from collections.abc import Iterator

import torch
from torch import Tensor


def chunk_size(n: int, chunk: int) -> int:
    """Images of a chunk: ``chunk``, or all ``n`` where there are fewer."""
    return min(chunk, n)


def sub_batches(n: int, size: int, *, repeats: int, views: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows (size,) int64 of a chunk of ``n`` images, on the generator's device, one for each update.

    Each of ``repeats`` passes takes the rows in a new order, without those that do not fill a last batch, and yields
    every batch ``views`` times in a row, for as many augmentations of it. A chunk smaller than ``size`` yields nothing.
    """
    for _ in range(repeats):
        order = torch.randperm(n, generator=generator, device=generator.device)
        for begin in range(0, n - size + 1, size):
            for _ in range(views):
                yield order[begin : begin + size]


def n_updates(n: int, chunk: int, size: int, *, repeats: int, views: int) -> int:
    """Updates of an epoch over ``n`` images; 37,200 for the 60,000 of CIFAR with 1,000, 32, 10 and 2."""
    chunk = chunk_size(n, chunk)
    rest = n % chunk
    last_two = [chunk + 1] if rest == 1 else [chunk, rest]  # a chunk of one joins the one before it
    chunks = [chunk] * (n // chunk - 1) + last_two
    return sum(length // size for length in chunks) * repeats * views
