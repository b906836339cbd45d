"""How bright and how coloured an augmented image is: grey, colour jitter, gamma.

Brightness, contrast, saturation and grey are one thing, a straight line from a target through the image: black, the
image's mean grey, or its own grey picture, at a factor of its own for each image.
"""

from dataclasses import dataclass

import torch

from coterie.errors import ConfigError
from coterie.images.draws import Draws, Range, check_number, check_range, per_image

BRIGHTNESS, CONTRAST, SATURATION = range(3)
BLENDS = 3  # brightness, contrast and saturation; hue is the fourth adjustment
RED, GREEN, BLUE = 0.299, 0.587, 0.114  # luma of ITU-R BT.601, as Pillow and torchvision use
TINY = 1e-12  # below any difference of two colours, to divide by


@dataclass(frozen=True)
class Grey:
    """Takes the colours out of some images; three channels stay three.

    Attributes:
        probability: 0..1.
    """

    probability: float

    def __post_init__(self) -> None:
        check_number("probability", self.probability, 0, 1)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 as the same shape."""
        coloured = 1 - per_image(draws.chance(self.probability)).float()
        return (images * coloured).add_(grey_of(images) * (1 - coloured))  # faster than torch.where on a CPU


@dataclass(frozen=True)
class Jitter:
    """Changes brightness, contrast, saturation and hue as torchvision's ColorJitter does, each image in its own order.

    Attributes:
        brightness: x draws a factor from 1 - x (0 at least) to 1 + x.
        contrast: likewise.
        saturation: likewise.
        hue: largest turn of the colour circle both ways, 0..0.5 turns.
        probability: share of the images that are changed at all, 0..1.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            check_number(name, getattr(self, name), 0)
        check_number("hue", self.hue, 0, 0.5)
        check_number("probability", self.probability, 0, 1)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 as the same shape; a single channel has no saturation and no hue."""
        chosen = draws.chance(self.probability)
        factors = self._draw_factors(draws).masked_fill(~chosen[:, None], 1)
        order = draws.orders(BLENDS)
        if self.hue == 0 or images.shape[1] == 1:
            images = images.clone()
            for stage in range(BLENDS):
                blend_(images, factors, order[:, stage])
            return images
        # which images meet hue first must not follow from their rows: two views of an image stand far apart
        places = draws.places()
        turns = draws.uniform((-self.hue, self.hue)) * chosen
        # in part of a batch any number may meet hue at a stage; a gradient needs what is written over otherwise
        if len(images) < draws.n or images.requires_grad:
            return jitter_(images.clone(), factors, order, turns, stage_of(places, draws.n))
        rows = places.argsort()
        return jitter_(images.index_select(0, rows), factors[rows], order[rows], turns[rows]).index_select(0, places)

    def _draw_factors(self, draws: Draws) -> torch.Tensor:
        """(b, 3): brightness, contrast, saturation."""
        ranges = (self.brightness, self.contrast, self.saturation)
        return torch.stack([draws.uniform((max(0.0, 1 - x), 1 + x)) for x in ranges], 1)


@dataclass(frozen=True)
class Gamma:
    """Raises pixels to a power of each image's own: below 1 greys become brighter, above 1 darker; 0 and 1 stay.

    Attributes:
        exponent: (smallest, largest), above 0, drawn on a logarithmic scale.
    """

    exponent: Range

    def __post_init__(self) -> None:
        check_range("exponent", self.exponent, 0.01, 100)

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """(b, c, h, w) float32 in 0..1 as the same shape."""
        return images.log().mul_(per_image(draws.log_uniform(self.exponent))).exp_()  # pow takes four times as long


def grey_of(images: torch.Tensor) -> torch.Tensor:
    """(b, 1, h, w): the luma of ``images`` (b, 3, h, w); (b, 1, h, w) is returned as it is.

    Raises ConfigError for another number of channels.
    """
    if images.shape[1] == 1:
        return images
    if images.shape[1] != 3:
        raise ConfigError(f"images of {images.shape[1]} channels have no known colours: give 1 channel or 3.")
    red, green, blue = images.unbind(1)
    return (red * RED).add_(green, alpha=GREEN).add_(blue, alpha=BLUE).unsqueeze(1)


def blend_(images: torch.Tensor, factors: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Changes ``images`` (b, c, h, w) in 0..1, each by one adjustment: number ``which`` (b,) of its ``factors`` (b, 3).

    The result is factor image + (1 - factor) target, cut off at 0 and 1; the target is black for brightness, the mean
    grey for contrast, the grey picture for saturation.
    """
    grey = grey_of(images)
    factor, kind = per_image(factors.gather(1, which[:, None])[:, 0]), per_image(which)
    mean = grey.mean((2, 3), keepdim=True) * (1 - factor) * (kind == CONTRAST)
    target = (grey * ((1 - factor) * (kind == SATURATION))).add_(mean)
    return images.mul_(factor).add_(target).clamp_(0, 1)


def jitter_(
    images: torch.Tensor, factors: torch.Tensor, order: torch.Tensor, turns: torch.Tensor,
    stages: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """Changes ``images`` (b, 3, h, w) by all four adjustments, and returns them.

    ``factors`` (b, 3) of brightness, contrast and saturation come in each image's ``order`` (b, 3). The hue moves by
    ``turns`` (b,) before them in the first quarter of the batch, after one of them in the second, and so on: a table of
    orders that costs one change of hue per image instead of four. ``stages`` (b,) says instead after how many of them
    the hue of each image moves, and costs four.
    """
    b = len(images)
    for stage in range(BLENDS + 1):
        if stages is None:
            part = slice(*quarter(b, stage))
            images[part] = turn_hue(images[part], turns[part])
        else:
            images = turn_hue(images, turns * (stages == stage))
        if stage < BLENDS:
            blend_(images, factors, order[:, stage])
    return images


def quarter(b: int, stage: int) -> tuple[int, int]:
    """From which of ``b`` places to which the hue moves after ``stage`` other adjustments."""
    return b * stage // (BLENDS + 1), b * (stage + 1) // (BLENDS + 1)


def stage_of(places: torch.Tensor, b: int) -> torch.Tensor:
    """(m,): the ``quarter`` that each of ``places`` (m,) among ``b`` lies in."""
    return torch.stack([places >= quarter(b, stage)[1] for stage in range(BLENDS)]).sum(0)


def turn_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """``images`` (b, 3, h, w) in 0..1, hue moved by ``turns`` (b,) of at least -0.5; value and saturation stay."""
    red, green, blue = images.unbind(1)
    top = torch.maximum(torch.maximum(red, green), blue)
    chroma = top - torch.minimum(torch.minimum(red, green), blue)
    # in turns from red; a grey pixel has chroma 0 and any hue will do
    sixth = 1 / (6 * chroma).clamp_min_(TINY)
    by_green = ((blue - red) * sixth).add_(1 / 3)
    by_blue = ((red - green) * sixth).add_(2 / 3)
    hue = torch.where(top == red, (green - blue) * sixth, torch.where(top == green, by_green, by_blue))
    # a channel is low for 1/3 of the circle about the hue opposite its own; red's begins 5/6 before red comes round
    # again, green's 3/6, blue's 1/6. From there depth is 0, rises within a sixth, stays, falls within a sixth, is 0
    ahead = torch.arange(5, 0, -2, device=images.device) / 6 + 1  # a whole turn more, so that nothing is below 0
    place = (hue + turns[:, None, None])[:, None] + ahead[:, None, None]
    depth = place.frac_().mul_(6).sub_(2).abs_().neg_().add_(2).clamp_(0, 1)
    return top[:, None] - depth.mul_(chroma[:, None])
