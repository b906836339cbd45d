"""Optimisers as the papers set them, and how their learning rates rise and fall over a training."""

import math
from collections.abc import Iterable

import torch
from torch import nn

DECAYS = ("none", "cosine", "steps")
STEPS = (0.48, 0.64, 0.8)  # of the training: epochs 480, 640, 800 of 1,000 in MiCE (tcc.md section 11)


def learning_rate(highest: float, at: float, epochs: int, warm_up: float = 0, decay: str = "none") -> float:
    """The rate ``at`` epochs after the start: up in a line over ``warm_up`` epochs, then by ``decay``.

    "none" keeps it, "cosine" lets it go to 0 at the end, "steps" takes a tenth of it three times.
    """
    rate = highest * min(1.0, at / warm_up) if warm_up else highest
    if decay == "cosine":
        passed = (at - warm_up) / max(epochs - warm_up, 1e-9)
        rate *= 0.5 * (1 + math.cos(math.pi * min(max(passed, 0.0), 1.0)))
    if decay == "steps":
        rate *= 0.1 ** sum(at >= share * epochs for share in STEPS)
    return rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives every group of weights the learning rate ``rate``."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def make_optimizer(
    kind: str, weights: Iterable[nn.Parameter], lr: float, weight_decay: float | None
) -> torch.optim.Optimizer:
    """Of ``kind`` "adam" (decoupled decay, 0 unless given) or "sgd" (momentum .9, decay .0001 as in MiCE)."""
    trained = [weight for weight in weights if weight.requires_grad]
    if kind == "sgd":
        return torch.optim.SGD(
            trained, lr=lr, momentum=0.9, weight_decay=1e-4 if weight_decay is None else weight_decay
        )
    return torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay or 0.0)
