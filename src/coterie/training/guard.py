"""The loss of every step: its mean for the progress bar, and the stop when it is no longer a number."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

EVERY_ON_DEVICE = 50  # steps between two looks at a device; each look waits for it


class LossGuard:
    """Collects losses on their device and looks at them every ``every`` steps.

    On the host a look costs nothing and happens at every step, before the weights have changed.
    """

    def __init__(self, device: torch.device, every: int | None = None) -> None:
        self.every = every or (1 if device.type == "cpu" else EVERY_ON_DEVICE)
        self._recent = torch.zeros(self.every, device=device)
        self._waiting = 0
        self._sum = 0.0
        self._count = 0

    def add(self, loss: torch.Tensor) -> tuple[int, float] | None:
        """Notes a loss; (steps ago, value) of the first bad one when this look finds one."""
        self._recent[self._waiting] = loss.detach()
        self._waiting += 1
        return self.look() if self._waiting == self.every else None

    def look(self) -> tuple[int, float] | None:
        """Looks at the losses since the last look; (steps ago, value) of the first NaN or infinite one, or None."""
        losses = self._recent[: self._waiting].tolist()
        self._waiting = 0
        for row, value in enumerate(losses):
            if not math.isfinite(value):
                return len(losses) - 1 - row, value
            self._sum += value
            self._count += 1
        return None

    @property
    def mean(self) -> float | None:
        """Mean of the losses looked at in this epoch."""
        return self._sum / self._count if self._count else None

    def begin_epoch(self) -> None:
        """Forgets the losses of the epoch before."""
        self._sum, self._count, self._waiting = 0.0, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """What the mean is made of; call ``look`` before."""
        return {"sum": self._sum, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self._sum, self._count, self._waiting = state["sum"], state["count"], 0


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """True when no tensor (all on one device) holds NaN or infinity; waits for the device once."""
    floating = [tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if not floating:
        return True
    # 0 * x is 0 for a finite x and NaN otherwise, so one sum tells, and no sum of large weights can overflow.
    return bool(torch.stack([(tensor * 0).sum().float() for tensor in floating]).sum().isfinite())


def learning_rates(optimizers: Iterable[torch.optim.Optimizer]) -> str:
    """The learning rates of some optimisers, as text."""
    rates = {float(group["lr"]) for optimizer in optimizers for group in optimizer.param_groups}
    return ", ".join(f"{rate:g}" for rate in sorted(rates))


def bad_sentence(what: str, value: float, where: str, folder: Path | None) -> str:
    """What a person needs to know when training cannot go on at ``where``."""
    kept = f"; the last good checkpoint is kept in {folder}" if folder else ""
    kind = "NaN" if math.isnan(value) else "infinite"
    return f"{what} {kind} at {where}; resume with a smaller lr or --precision 32{kept}."
