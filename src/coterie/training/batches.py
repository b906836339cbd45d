"""Images to the device in batches: uint8 all the way, one float conversion there.

All images move to the device once when they fit the budget; otherwise chunks are gathered on the host by a thread, one
ahead of the training, and travel through pinned memory.
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from coterie.errors import BatchSizeWarning, ConfigError
from coterie.training.processes import Part, n_processes, own_part

AHEAD = 2  # batches gathered before they are asked for


class Images(Protocol):
    """What ``Run.batches`` needs of an image store; a uint8 array (n, c, h, w) or a tensor will do as well."""

    @property
    def images(self) -> Any:
        """uint8 (n, c, h, w)."""


ImagesLike = Images | np.ndarray | torch.Tensor


class Order(Protocol):
    """An order of n images, (n,) int64 on the host; all that is random in it comes from ``generator``."""

    def __call__(self, n: int, /, *, generator: torch.Generator) -> torch.Tensor: ...


def in_turn(n: int, /, *, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG001 (nothing is random here)
    """The images as they stand."""
    return torch.arange(n)


@dataclass(frozen=True)
class Batch:
    """Some images on the device: with several processes, this one's part of a batch.

    Attributes:
        index: (b,) int64, which images these are.
        clean: (b, c, h, w) float32 in 0..1, the images without augmentation.
        share: which rows of the batch they are; None is all.
    """

    index: torch.Tensor
    clean: torch.Tensor
    share: Part | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def part(self) -> Part:
        """Which rows of the batch these images are."""
        return self.share or Part(0, len(self))


def plan_batches(n: int, batch_size: int, drop_last: bool = False, least: int = 2) -> list[slice]:
    """Slices of an order of ``n`` images, one for each batch.

    A last batch of one, or of fewer than ``least``, joins the batch before it, which then holds ``batch_size`` + 1 or
    more: batch normalisation cannot train on one image. ``drop_last`` leaves the incomplete last batch out instead.
    More than ``n`` asked for gives one batch of ``n``, with a BatchSizeWarning. Raises ConfigError for a size below 1.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size={batch_size!r} is not a number of images: give 1 or more.")
    if batch_size > n:
        text = f"batch_size={batch_size} is more than the {n} images; using batches of {n}."
        warnings.warn(text, BatchSizeWarning, stacklevel=4)
        batch_size = n
    rest = n % batch_size
    starts = list(range(0, n - rest if drop_last else n, batch_size))
    ends = [*starts[1:], n - rest if drop_last else n]
    if 0 < rest < least and not drop_last and len(starts) > 1:
        del starts[-1], ends[-2]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def own_parts(plan: Sequence[slice]) -> tuple[list[slice], list[Part]]:
    """Of each slice of a ``plan`` the rows that are this process's, and which part of the batch they are.

    The parts of all processes, in the order of the ranks, are the batch that one process would have taken. Raises
    ConfigError for a batch that has not an image for each.
    """
    if (fewest := min((rows.stop - rows.start for rows in plan), default=n_processes())) < n_processes():
        raise ConfigError(
            f"a batch of {fewest} images cannot be shared by {n_processes()} processes: give a larger batch_size, or "
            "start fewer processes."
        )
    mine = [own_part(rows.stop - rows.start) for rows in plan]
    own = [slice(rows.start + part.start, rows.start + part.stop) for rows, part in zip(plan, mine, strict=True)]
    return own, [Part(part.start, rows.stop - rows.start) for rows, part in zip(plan, mine, strict=True)]


class Resident:
    """All images on the device, indexed there."""

    def __init__(self, images: torch.Tensor, device: torch.device) -> None:
        self._images = images.to(device)

    def batches(self, order: torch.Tensor, plan: Sequence[slice]) -> Iterator[Batch]:
        """The batches of ``plan``, slices of ``order`` (n,) int64 on the host."""
        order = order.to(self._images.device)
        for rows in plan:
            index = order[rows]
            yield Batch(index, _to_float(self._images[index]))


class Streamed:
    """Images that stay on the host (or on its disk) and travel batch by batch."""

    def __init__(self, images: np.ndarray, device: torch.device) -> None:
        self._images = images
        self._device = device

    def batches(self, order: torch.Tensor, plan: Sequence[slice]) -> Iterator[Batch]:
        """As ``Resident.batches``; a thread gathers the next two while one is in use."""
        with ThreadPoolExecutor(1, thread_name_prefix="coterie-batches") as pool:
            waiting: list[Future[Batch]] = []
            try:
                for rows in plan:
                    waiting.append(pool.submit(self._gather, order[rows]))
                    if len(waiting) > AHEAD:
                        yield self._arrived(waiting.pop(0).result())
                while waiting:
                    yield self._arrived(waiting.pop(0).result())
            finally:
                for future in waiting:
                    future.cancel()

    def _gather(self, index: torch.Tensor) -> Batch:
        # Rows in rising order: a memory map is then read forwards, whatever the shuffle.
        rows, back = np.unique(index.numpy(), return_inverse=True)
        chunk = torch.from_numpy(np.ascontiguousarray(self._images[rows][back]))
        return Batch(index, chunk.pin_memory() if self._device.type == "cuda" else chunk)

    def _arrived(self, batch: Batch) -> Batch:
        chunk = batch.clean.to(self._device, non_blocking=True)
        return Batch(batch.index.to(self._device, non_blocking=True), _to_float(chunk))


def place_images(images: ImagesLike, device: torch.device, budget: int) -> Resident | Streamed:
    """The images as something to draw batches from: on ``device`` when they take at most ``budget`` bytes.

    Raises ConfigError for images that are not uint8 (n, c, h, w).
    """
    pixels = pixels_of(images)
    if isinstance(pixels, torch.Tensor):
        return Resident(pixels, device) if pixels.nbytes <= budget else Streamed(pixels.cpu().numpy(), device)
    if pixels.nbytes > budget:
        return Streamed(pixels, device)
    # A read-only map is copied: torch has no read-only tensors, and the disk would be read in every epoch.
    return Resident(torch.from_numpy(pixels if pixels.flags.writeable else np.array(pixels)), device)


def pixels_of(images: ImagesLike) -> np.ndarray | torch.Tensor:
    """uint8 (n, c, h, w) of a store, an array or a tensor; raises ConfigError for anything else."""
    pixels: Any = images if isinstance(images, np.ndarray | torch.Tensor) else images.images
    if pixels.ndim != 4 or pixels.dtype not in (np.uint8, torch.uint8) or not len(pixels):
        raise ConfigError(
            f"images are uint8 (n, c, h, w), not {pixels.dtype} {tuple(pixels.shape)}: open them with open_images."
        )
    return pixels if isinstance(pixels, torch.Tensor) else np.asarray(pixels)


def _to_float(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.to(torch.float32).div_(255)
