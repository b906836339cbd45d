"""Running a network over a store: on which device, in which batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.errors import ConfigError
from coterie.images.extractor import Images, Rows, progress_bar

# A CPU spends much of a large batch on fetching fresh memory: on two cores 8 images at a time run at 110 images/s, 64
# at 75. A GPU needs the larger batch to be busy.
CPU_BATCH = 8
GPU_BATCH = 64


def choose_device(device: str) -> torch.device:
    """The device for "auto" (CUDA, else MPS, else CPU), "cpu", "cuda", "cuda:1" or "mps"; ConfigError if absent."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"device={device!r} is not a device; expected auto, cpu, cuda, cuda:N or mps") from error
    if chosen.type not in {"cpu", "cuda", "mps"}:
        raise ConfigError(f"device={device!r} is not supported; expected auto, cpu, cuda, cuda:N or mps")
    if chosen.type == "cuda" and not cuda:
        raise ConfigError("no CUDA device; run with --device cpu")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device={device!r} is absent: {torch.cuda.device_count()} CUDA device(s), counted from 0")
    if chosen.type == "mps" and not mps:
        raise ConfigError("no MPS device; run with --device cpu")
    return chosen


def network_rows(net: Callable[[Tensor], Any], store: Images, device: torch.device, progress: bool) -> Rows:
    """(n, d) float32: what ``net`` makes of float32 (b, c, h, w) in 0..255, flattened, in the order of the store."""
    rows: Rows | None = None
    start = 0
    with torch.inference_mode(), progress_bar(len(store), progress) as bar:
        for batch in store.batches(CPU_BATCH if device.type == "cpu" else GPU_BATCH):
            # np.array copies: the store is mapped read-only, and torch warns of such memory
            y = net(torch.from_numpy(np.array(batch)).to(device).float())
            if not isinstance(y, Tensor) or y.ndim < 1 or len(y) != len(batch):
                got = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
                raise ConfigError(
                    f"the module gives {got} for {len(batch)} images; expected a tensor of one row per image"
                )
            values = y.reshape(len(batch), -1).float().cpu().numpy()
            if rows is None:
                rows = np.empty((len(store), values.shape[1]), dtype=np.float32)
            if rows.shape[1] != values.shape[1]:
                raise ConfigError(
                    f"the module gives first {rows.shape[1]} and now {values.shape[1]} features per image; "
                    "expected one number of features for all images"
                )
            rows[start : start + len(batch)] = values
            start += len(batch)
            bar.update(len(batch))
    assert rows is not None, "a store holds at least one image"
    return rows
