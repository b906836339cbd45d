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
TIMEOUT = float(os.environ.get("COTERIE_TEST_TIMEOUT", "300"))  # seconds; more where other work takes the machine


def start_two(module: str, folder: Path) -> tuple[Saved, Saved]:
    """What the processes 0 and 1 of ``python -m module RANK 2 FOLDER`` leave behind."""
    ended = end_of_two(module, folder)
    assert [code for code, _ in ended] == [0, 0], ended
    first, second = (dict(np.load(result_of(rank, folder), allow_pickle=False)) for rank in range(2))
    return first, second


def end_of_two(module: str, folder: Path, *more: str) -> list[tuple[int, str]]:
    """How the processes 0 and 1 of ``python -m module RANK 2 FOLDER MORE`` end: exit code and standard error.

    They find the environment that torchrun would give them.
    """
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", module, str(rank), "2", str(folder), *more],
            env={**os.environ, **launched(rank, 2), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        told = [process.communicate(timeout=TIMEOUT)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, told, strict=True)]


def launched(rank: int, world: int) -> dict[str, str]:
    """What torchrun says to process ``rank`` of ``world`` on one machine."""
    return {
        "TORCHELASTIC_RUN_ID": "test", "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0",
    }  # fmt: skip


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
