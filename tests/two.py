"""Two processes that train together over gloo, started and ended without a race."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed

ROOT = Path(__file__).parents[1]
Saved = dict[str, np.ndarray]


def start_two(module: str, folder: Path) -> tuple[Saved, Saved]:
    """What the processes 0 and 1 of ``python -m module RANK 2 FOLDER`` leave behind."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", module, str(rank), "2", str(folder)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        told = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], told
    first, second = (dict(np.load(result_of(rank, folder), allow_pickle=False)) for rank in range(2))
    return first, second


def meet(rank: int, world: int, folder: Path) -> None:
    """Joins the other processes in ``folder``."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=world)


def leave(rank: int, world: int, folder: Path, result: dict[str, Tensor]) -> None:
    """Writes ``result`` and ends this process at once when all have: gloo's own farewell aborts, now and then, the
    process whose peer has gone first.
    """
    partial = folder / f"{rank}.partial.npz"
    np.savez(partial, **{name: value.detach().numpy() for name, value in result.items()})
    partial.rename(result_of(rank, folder))
    while not all(result_of(other, folder).exists() for other in range(world)):
        time.sleep(0.01)
    os._exit(0)


def result_of(rank: int, folder: Path) -> Path:
    return folder / f"{rank}.npz"
