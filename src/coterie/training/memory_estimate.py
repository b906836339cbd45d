"""What a training will need of its device's memory, said before it starts."""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from coterie.errors import NotEnoughMemoryError
from coterie.training.launched import n_here

log = logging.getLogger(__name__)

AHEAD = 4  # batches of a stream in memory at once: two gathered, one travelling, one in use


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the device, part by part; ``bytes`` is their sum. Activations come on top, and depend on the network."""

    images: int
    weights: int
    gradients: int
    optimizer: int
    batch: int

    @property
    def bytes(self) -> int:
        """All parts together."""
        return self.images + self.weights + self.gradients + self.optimizer + self.batch

    @property
    def sentence(self) -> str:
        """The estimate for a person."""
        parts = {
            "images": self.images, "weights": self.weights, "gradients": self.gradients,
            "optimiser": self.optimizer, "a batch as floats": self.batch,
        }  # fmt: skip
        listed = ", ".join(f"{name} {_megabytes(value)}" for name, value in parts.items())
        return f"training needs {_megabytes(self.bytes)} and what the layers keep ({listed})"

    def refuse_beyond(self, free: int) -> None:
        """Raises NotEnoughMemoryError, with both numbers, when more than ``free`` bytes are needed, else logs the
        estimate, which the command line shows.
        """
        if self.bytes > free:
            raise NotEnoughMemoryError(
                f"{self.sentence}, but only {_megabytes(free)} are free: use a smaller batch, smaller images, "
                "or another device."
            )
        log.info("%s", self.sentence)


def estimate_memory(
    shape: tuple[int, int, int, int],
    batch_size: int,
    parameters: Iterable[torch.Tensor],
    optimizers: Iterable[torch.optim.Optimizer] = (),
    budget: int | None = None,
) -> MemoryEstimate:
    """Bytes a training takes on its device.

    Args:
        shape: (n, c, h, w) of the uint8 images.
        batch_size: images in a batch.
        parameters: the weights that train, and the buffers beside them.
        optimizers: their kind says how many numbers they keep for each weight.
        budget: bytes of images that may lie on the device; beyond it only some batches do. None: all of them do.
    """
    n, *image = shape
    each = int(torch.Size(image).numel())
    weights = list(parameters)
    resident = n * each <= budget if budget is not None else True
    return MemoryEstimate(
        images=n * each if resident else AHEAD * batch_size * each,
        weights=sum(tensor.nbytes for tensor in weights),
        gradients=sum(tensor.nbytes for tensor in weights if tensor.requires_grad),
        optimizer=sum(_optimizer_bytes(optimizer) for optimizer in optimizers),
        batch=4 * min(batch_size, n) * each,
    )


def states_per_weight(optimizer: torch.optim.Optimizer) -> int:
    """How many numbers of a weight's size an optimiser keeps: 2 for Adam's family, 0 for SGD without momentum."""
    defaults = optimizer.defaults
    extra = sum(bool(defaults.get(name)) for name in ("amsgrad", "centered"))
    if "betas" in defaults:
        return 2 + extra
    has_average = isinstance(optimizer, torch.optim.RMSprop | torch.optim.Adagrad | torch.optim.Rprop)
    return int(has_average) + bool(defaults.get("momentum")) + extra


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on ``device``: what is free of a GPU, what the system calls available of the host.

    Inside a container with a limit below the machine's memory, what the limit leaves; of that, the share of each of the
    processes that were started there together.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [value for value in (_available(), _container_left()) if value is not None]
    return min(found, default=2**63 - 1) // n_here()


def out_of_memory(batch_shape: tuple[int, ...]) -> str:
    """What a person can do when a batch of shape (b, c, h, w) was too much for the device; () before the first."""
    if not batch_shape:
        return "out of GPU memory before the first batch; use a smaller network, fewer images there or --device cpu."
    b, _, h, w = batch_shape
    return f"out of GPU memory at batch {b} x {h} x {w} px; try --batch-size {max(b // 2, 1)}."


def _available() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):  # Windows has no sysconf
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES"))
    return None


def _container_left() -> int | None:
    with suppress(OSError, ValueError):  # "max" is no number: no limit
        folder = Path("/sys/fs/cgroup")
        limit = int((folder / "memory.max").read_text())
        return max(limit - int((folder / "memory.current").read_text()), 0)
    return None


def _optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    weights: int = sum(weight.nbytes for group in optimizer.param_groups for weight in group["params"])
    return states_per_weight(optimizer) * weights


def _megabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 10**9 else f"{-(-size // 10**6):,} MB"
