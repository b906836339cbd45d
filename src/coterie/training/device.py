"""Where a training runs: device, precision and number of processes, through Lightning Fabric."""

import logging
import os
from typing import TYPE_CHECKING, Any

import torch

from coterie.errors import ConfigError
from coterie.training.launched import n_here, n_launched

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def make_fabric(device: str = "auto", precision: str = "32", *, several_processes: bool = False) -> "Fabric":
    """A Fabric on ``device`` ("auto", "cpu", "cuda", "cuda:1", "mps") in ``precision`` ("32", "bf16", "16").

    Where torchrun has started several processes, they meet here; ``several_processes`` says that the training is made
    for that.

    Raises ConfigError when the device is not there, the precision is unknown or does not run on that device, or there
    are more processes than the training can be shared by.
    """
    accelerator, devices = _accelerator(device)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision={precision!r} is unknown: give one of {', '.join(PRECISIONS)}.")
    if precision == "16" and accelerator == "cpu":
        raise ConfigError("precision 16 does not train on a CPU: use bf16 or 32.")
    if n_launched() > 1 and not several_processes:
        raise ConfigError(
            f"{n_launched()} processes were started, and this method trains in one: start it without torchrun."
        )
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it says what was asked for, on standard error
    among: dict[str, Any] = {"devices": devices} if n_launched() == 1 else _among_others(device, accelerator)
    fabric = Fabric(accelerator=accelerator, precision=PRECISIONS[precision], **among)  # type: ignore[arg-type]
    if os.environ.get("LT_CLI_USED") != "1":  # `fabric run` has it launched already
        fabric.launch()
    return fabric


def _among_others(device: str, accelerator: str) -> dict[str, Any]:
    """What Fabric needs to know where this process was started with others."""
    n, here = n_launched(), n_here()
    if accelerator == "mps" or ":" in device:
        raise ConfigError(f"device={device!r} is one device for {n} processes: give auto, cuda or cpu.")
    if accelerator == "cuda" and torch.cuda.device_count() < here:
        raise ConfigError(
            f"{here} processes were started where there are {torch.cuda.device_count()} CUDA devices: start one for "
            "each, or give --device cpu."
        )
    from coterie.training.data_parallel import DataParallel

    return {"strategy": DataParallel(accelerator), "devices": here, "num_nodes": n // here}


def _accelerator(device: str) -> tuple[str, list[int] | int]:
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (number and (kind != "cuda" or not number.isdigit())):
        raise ConfigError(f"device={device!r} is unknown: give auto, cpu, cuda, cuda:1 or mps.")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and (not torch.cuda.is_available() or int(number or 0) >= torch.cuda.device_count()):
        raise ConfigError(
            f"device={device!r}: there are {torch.cuda.device_count()} CUDA devices here; run with --device cpu."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device='mps': there is no Apple GPU here; run with --device cpu.")
    return kind, [int(number)] if number else 1
