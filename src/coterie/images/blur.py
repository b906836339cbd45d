"""Gaussian blur, with a width of its own for each image.

Blurring along one side is a product with a matrix, so a batch with as many kernels as images takes two batched products
instead of a convolution for each.
"""

from dataclasses import dataclass

import torch

from coterie.errors import ConfigError
from coterie.images.draws import Draws, Range, check_number, check_range

SHARP = 1e-3  # pixels: a kernel so narrow is exactly 1 in the middle and 0 elsewhere


@dataclass(frozen=True)
class Blur:
    """Blurs some images.

    Attributes:
        sigma: standard deviation in pixels, (smallest, largest), above 0.
        kernel: pixels of the kernel along a side; an odd number, and at most twice the image's side minus 1.
        probability: 0..1.
    """

    sigma: Range
    kernel: int
    probability: float

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, SHARP)
        check_number("probability", self.probability, 0, 1)
        if not isinstance(self.kernel, int) or self.kernel < 1 or self.kernel % 2 == 0:
            raise ConfigError(f"kernel={self.kernel!r} has no middle: give an odd number of pixels.")

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 as the same shape. Raises ConfigError where the kernel is too large."""
        spared = ~draws.chance(self.probability)
        return blur(images, draws.uniform(self.sigma).masked_fill(spared, SHARP), self.kernel)


def blur(images: torch.Tensor, sigma: torch.Tensor, kernel: int) -> torch.Tensor:
    """``images`` (b, c, h, w) in 0..1, each blurred by its ``sigma`` (b,) in pixels; mirrored at the borders."""
    side = min(images.shape[2:])
    if kernel // 2 >= side:
        raise ConfigError(f"kernel={kernel} is too large for images of {side} pixels: give {2 * side - 1} at most.")
    rows, columns = (blur_matrix(sigma, kernel, side) for side in images.shape[2:])
    return (rows[:, None] @ images @ columns[:, None].mT).clamp_(0, 1)


def blur_matrix(sigma: torch.Tensor, kernel: int, side: int) -> torch.Tensor:
    """(b, side, side): row i holds the weights of all pixels of a line in the blurred pixel i."""
    offset = torch.arange(kernel, device=sigma.device) - kernel // 2
    weights = (-0.5 * (offset / sigma[:, None]) ** 2).softmax(1)
    place = torch.arange(side, device=sigma.device)
    source = place[:, None] + offset
    source = side - 1 - (side - 1 - source.abs()).abs()  # the border pixel itself is not repeated
    taps = (source[:, :, None] == place).float()
    return torch.einsum("bk,sko->bso", weights, taps)
