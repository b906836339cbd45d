"""Answers that do not depend on the company of an image, from a network that was trained on batch statistics.

After the training, with ``network`` the bare module (images to scores (b, k), batch normalisation without running
statistics, as ``nets.valid_conv`` makes it):

    self.batch_spread_ = batch_spread(run, network, store)  # first: it needs batch statistics
    by_batch = rows_by_batch(run, network.trunk, store)     # only where evaluation="batch" asked for it
    freeze(run, network, store)                             # from here on evaluation mode has fixed statistics
    embedding = embed(run, network.trunk, store)

All of it is the same whenever it is done: the partitions have seeds of their own and take no number from the run's.
"""

import logging

import numpy as np
import torch
from torch import Tensor, nn

from coterie.images.store import ImageStore
from coterie.nets.batch_statistics import write_statistics
from coterie.training.run import Run

log = logging.getLogger(__name__)

CHUNK = 1000  # images that are normalised together (dac.md section 4, dccm.md section 7)
PARTITIONS = 3


def freeze(run: Run, network: nn.Module, store: ImageStore, chunk: int = CHUNK) -> None:
    """Writes the statistics of all clean images, in shuffled chunks, into ``network`` and sets evaluation mode."""
    batches = run.in_order(store, even(len(store), chunk), _shuffled(len(store), 0))
    write_statistics(network, (batch.clean for batch in batches))


def rows_by_batch(run: Run, network: nn.Module, store: ImageStore, chunk: int = CHUNK, seed: int = 0) -> np.ndarray:
    """(n, d) float32 of clean images, normalised by the shuffled chunk they happen to be in, as the papers evaluate."""
    rows, where = [], []
    network.eval()
    with torch.no_grad():
        for batch in run.in_order(store, even(len(store), chunk), _shuffled(len(store), seed)):
            rows.append(network(batch.clean).float().cpu())
            where.append(batch.index.cpu())
    return torch.cat(rows)[torch.cat(where).argsort()].numpy()


def batch_spread(run: Run, network: nn.Module, store: ImageStore, chunk: int = CHUNK) -> float:
    """The share of images whose largest score is not the same in three random partitions into chunks.

    It says how far labels by batch statistics can be trusted to a digit, and is 0 where there is one chunk only.
    """
    labels = [rows_by_batch(run, network, store, chunk, seed).argmax(axis=1) for seed in range(PARTITIONS)]
    spread = float(np.mean(np.ptp(labels, axis=0) > 0))
    log.info("%.2f %% of the labels change with the images that are normalised together", 100 * spread)
    return spread


def even(n: int, chunk: int) -> int:
    """The size of chunks as large as ``chunk`` at most, so that none is much smaller than the others."""
    return -(-n // -(-n // chunk))


def _shuffled(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
