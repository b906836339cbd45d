"""Random variants of images, made on the device for a whole batch at once.

    augment = PRESETS["mice"]
    first, second = augment.views(batch.clean, 2, run.random.device)

Every image gets draws of its own, and there is no loop over images. All random numbers come from one generator on the
images' device, in a fixed order: the same state of the generator and the same images give the same bits. Nothing is
read back from the device, so a GPU is never waited for.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from coterie.errors import ConfigError
from coterie.images.draws import Draws


class Step(Protocol):
    """``Warp``, ``Grey``, ``Jitter``, ``Gamma``, ``Blur``, ``Noise`` or one of ``keras_affine``: a frozen dataclass."""

    def __call__(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """float32 (b, c, h, w) in 0..1 to the same, leaving ``images`` as it is."""
        ...


@dataclass(frozen=True)
class Augmentation:
    """Steps that are done one after another.

    Attributes:
        steps: at least one; each draws anew for every image.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError("an augmentation without steps changes nothing: give at least one.")

    def __call__(self, images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """A random variant of each image.

        Args:
            images: (b, c, h, w) float32 in 0..1, or uint8; left as it is.
            generator: on the images' device; ``run.random.device`` in a training. None draws from torch's own.

        Returns:
            (b, c, h, w) float32 in 0..1 without gradients; h and w as ``Warp.size`` says where it is set.

        Raises:
            ConfigError: images of another shape or type, or a generator of another device.
        """
        check_images(images, generator)
        return self._varied(images, Draws(len(images), images.device, generator))

    def views(
        self, images: torch.Tensor, n_views: int, generator: torch.Generator | None,
        part: tuple[int, int] | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """(n_views, b, c, h, w): ``n_views`` (1 or more) independent variants of each image.

        Takes and raises what ``__call__`` does. ``part`` (first, whole) says that the images are the rows ``first`` and
        following of a batch of ``whole``, whose others are varied elsewhere with a generator in the same state: each
        gets the draws it has in the whole batch.
        """
        if n_views < 1:
            raise ConfigError(f"n_views={n_views!r} gives nothing to learn from: give 1 or more.")
        check_images(images, generator)
        b = len(images)
        first, whole = part or (0, b)
        starts = torch.arange(n_views, device=images.device)[:, None] * whole + first
        rows = None if b == whole else (starts + torch.arange(b, device=images.device)).flatten()
        draws = Draws(n_views * whole, images.device, generator, rows)
        variants = self._varied(images.repeat(n_views, 1, 1, 1), draws)
        return variants.view(n_views, b, *variants.shape[1:])

    def _varied(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        # mixed precision is for networks: bf16 has 8 bits, and places on a side of 224 pixels need more
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            images = images.float() / 255 if images.dtype == torch.uint8 else images
            for step in self.steps:
                images = step(images, draws)
        return images

    def config(self) -> list[dict[str, Any]]:
        """The steps as JSON can hold them: the name and the ranges of each."""
        return [{"step": type(step).__name__.lower(), **_plain(vars(step))} for step in self.steps]


def check_images(images: torch.Tensor, generator: torch.Generator | None) -> None:
    """ConfigError unless ``images`` is uint8 or float32 (b, c, h, w) and ``generator`` on the same kind of device."""
    if images.ndim != 4 or images.dtype not in (torch.uint8, torch.float32):
        shape = tuple(images.shape)
        raise ConfigError(f"images are {images.dtype} {shape}: give (b, c, h, w) as uint8, or as float32 in 0..1.")
    if generator is not None and generator.device.type != images.device.type:
        raise ConfigError(
            f"the images are on {images.device} and the generator on {generator.device}: give both on one device."
        )


def _plain(ranges: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in ranges.items()}
