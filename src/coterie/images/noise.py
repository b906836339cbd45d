"""Additive Gaussian noise, as strong for each image as its draw says."""

from dataclasses import dataclass

import torch

from coterie.images.draws import Draws, Range, check_range, per_image


@dataclass(frozen=True)
class Noise:
    """Adds noise to every pixel of every channel on its own.

    Attributes:
        deviation: standard deviation, (smallest, largest), where black is 0 and white is 1.
    """

    deviation: Range

    def __post_init__(self) -> None:
        check_range("deviation", self.deviation, 0)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 as the same shape, cut off at 0 and 1."""
        deviation = per_image(draws.uniform(self.deviation))
        return draws.normal(images.shape[1:]).mul_(deviation).add_(images).clamp_(0, 1)
