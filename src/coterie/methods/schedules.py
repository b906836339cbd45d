"""Optimisers as the papers set them, and how their learning rates rise and fall over a training."""

import math
from collections.abc import Iterable

import torch
from torch import nn

# The factor, and after which shares of the training the rate is multiplied by it (tcc.md section 11).
STEPS = {
    "steps": (0.1, (0.48, 0.64, 0.8)),  # epochs 480, 640, 800 of 1,000: MiCE on CIFAR
    "steps-3000": (0.1, (1 / 2, 2 / 3, 5 / 6)),  # epochs 1,500, 2,000, 2,500 of 3,000: MiCE on STL-10 and ImageNet's
    # epochs 120, 160 of TCC's precursor: 400,000 steps of 384 are 2,560 epochs of 60,000 images
    "steps-precursor": (0.95, (120 / 2560, 160 / 2560)),
}
DECAYS = ("none", "cosine", *STEPS)


def learning_rate(highest: float, at: float, epochs: int, warm_up: float = 0, decay: str = "none") -> float:
    """The rate ``at`` epochs after the start: up in a line over ``warm_up`` epochs, then by ``decay``.

    "none" keeps it, "cosine" lets it go to 0 at the end, and each of ``STEPS`` multiplies it a few times.
    """
    rate = highest * min(1.0, at / warm_up) if warm_up else highest
    if decay == "cosine":
        passed = (at - warm_up) / max(epochs - warm_up, 1e-9)
        rate *= 0.5 * (1 + math.cos(math.pi * min(max(passed, 0.0), 1.0)))
    if decay in STEPS:
        factor, shares = STEPS[decay]
        rate *= factor ** sum(at >= share * epochs for share in shares)
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
