"""Where a training runs: device, precision and number of processes, through Lightning Fabric."""

import logging
from typing import TYPE_CHECKING

import torch

from coterie.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def make_fabric(device: str = "auto", precision: str = "32") -> "Fabric":
    """A Fabric on ``device`` ("auto", "cpu", "cuda", "cuda:1", "mps") in ``precision`` ("32", "bf16", "16").

    Raises ConfigError when the device is not there, the precision is unknown, or it does not run on that device.
    """
    accelerator, devices = _accelerator(device)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision={precision!r} is unknown: give one of {', '.join(PRECISIONS)}.")
    if precision == "16" and accelerator == "cpu":
        raise ConfigError("precision 16 does not train on a CPU: use bf16 or 32.")
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it says what was asked for, on standard error
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=PRECISIONS[precision])  # type: ignore[arg-type]
    fabric.launch()
    if fabric.world_size > 1:
        raise ConfigError(
            f"{fabric.world_size} processes were started, and a training runs in one: start it without torchrun."
        )
    return fabric


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
