"""Augmentation as Keras' ImageDataGenerator did it, which DAC and DCCM were trained with (dac.md section 5).

One affine map for each image, sampled at the nearest pixel; then a shift of each channel's values; then a factor.
"""

import math
from dataclasses import dataclass

import torch

from coterie.images.draws import Draws, Range, check_number, check_range, per_image
from coterie.images.warp import SMALLEST, warp


@dataclass(frozen=True)
class Turn:
    """Where each of b images is taken from.

    Attributes:
        angle: (b,) radians.
        shift: (b, 2) rows and columns, as shares of the height and the width.
        zoom: (b, 2) of rows and of columns; 2 shows everything half as large.
        mirror: (b,) -1 exchanges left and right, 1 does not.
    """

    angle: torch.Tensor
    shift: torch.Tensor
    zoom: torch.Tensor
    mirror: torch.Tensor


@dataclass(frozen=True)
class KerasAffine:
    """Random rotation, shift, zoom and flip; pixels from beyond the image repeat its edge.

    Unlike ``Warp`` it samples the nearest pixel, zooms each axis for itself, and turns about a point one pixel to the
    right of and below the middle (H/2 + 0.5 where H/2 - 0.5 is the middle), as Keras does.

    Attributes:
        rotation: largest angle in degrees, 0..180, both ways.
        shift: largest move along each axis as a share of the side, 0..1, both ways.
        zoom: (smallest, largest) factor of the part that is seen, for each axis.
        flip: probability of the mirror image, 0..1.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: Range = (1.0, 1.0)
    flip: float = 0.0

    def __post_init__(self) -> None:
        check_number("rotation", self.rotation, 0, 180)
        check_number("shift", self.shift, 0, 1)
        check_range("zoom", self.zoom, SMALLEST)
        check_number("flip", self.flip, 0, 1)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 to the same."""
        size = (images.shape[2], images.shape[3])
        return warp(images, turn_matrix(self.draw(draws), size), size, "edge", "nearest")

    def draw(self, draws: Draws) -> Turn:
        """A turn for each image."""
        most = math.radians(self.rotation)
        return Turn(
            angle=draws.uniform((-most, most)),
            shift=draws.uniform((-self.shift, self.shift), columns=2),
            zoom=draws.uniform(self.zoom, columns=2),
            mirror=1 - 2 * draws.chance(self.flip).float(),
        )


@dataclass(frozen=True)
class ChannelShift:
    """Adds a number to each channel of each image, and clips to what the image held, all channels taken together.

    Attributes:
        most: the largest number, both ways, in shares of full scale, 0..1.
    """

    most: float

    def __post_init__(self) -> None:
        check_number("most", self.most, 0, 1)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 to the same."""
        channels = images.shape[1]
        moves = draws.uniform((-self.most, self.most), columns=channels).view(-1, channels, 1, 1)
        values = images.flatten(1)
        return (images + moves).clamp(per_image(values.amin(1)), per_image(values.amax(1)))


@dataclass(frozen=True)
class Rescale:
    """Multiplies everything by ``factor``, 0..1; a network that normalises each batch does not notice."""

    factor: float

    def __post_init__(self) -> None:
        check_number("factor", self.factor, 0, 1)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:  # noqa: ARG002 (nothing is random here)
        """(b, c, h, w) float32 in 0..1 to the same."""
        return images * self.factor


def turn_matrix(turn: Turn, size: tuple[int, int]) -> torch.Tensor:
    """(b, 2, 3): from places (x, y) in the result to places in the source; both have ``size`` (height, width) pixels.

    In rows and columns about Keras' centre, a pixel p of the result is taken from R(angle) (zoom p + shift).
    """
    height, width = size
    centre_x, centre_y = 2 / width, 2 / height  # pixel W/2 + 0.5, H/2 + 0.5
    cos, sin = turn.angle.cos(), turn.angle.sin()
    zoom_y, zoom_x = turn.zoom.unbind(1)
    shift_y, shift_x = (2 * turn.shift).unbind(1)
    tall = height / width  # turns a share of the height into one of the width
    x_from = torch.stack([cos * zoom_x, sin * zoom_y * tall, sin * shift_y * tall + cos * shift_x + centre_x], 1)
    y_from = torch.stack([-sin * zoom_x / tall, cos * zoom_y, cos * shift_y - sin * shift_x / tall + centre_y], 1)
    matrix = torch.stack([x_from, y_from], 1)
    matrix[:, :, 2] -= matrix[:, :, 0] * centre_x + matrix[:, :, 1] * centre_y
    matrix[:, :, 0] *= turn.mirror[:, None]  # the flip comes last, so the result's x changes its sign
    return matrix
