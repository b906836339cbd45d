"""Which images a training draws its batches from, and the proof that a resumed one draws from the same."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.training.batches import ImagesLike, Resident, Streamed, pixels_of, place_images
from coterie.training.memory_estimate import free_memory
from coterie.training.processes import from_first

MARKED = 64  # images of an array that are looked at to tell it from another


class Sources:
    """The images of a training; at most ``budget`` bytes of them lie on ``device`` (None: half of what is free)."""

    def __init__(self, device: torch.device, budget: int | None) -> None:
        self._device = device
        self._budget = budget
        self._last: tuple[Any, Resident | Streamed] | None = None
        self._marks: dict[str, str] = {}

    @property
    def budget(self) -> int:
        """Bytes of images that may lie on the device."""
        return self._budget if self._budget is not None else free_memory(self._device) // 2

    def place(self, images: ImagesLike) -> tuple[Resident | Streamed, int]:
        """Where batches are drawn from, and n; the images used last stay where they are."""
        if self._last is None or self._last[0] is not images:
            self._last = None  # gives its memory back first
            self._last = (images, place_images(images, self._device, self.budget))
        return self._last[1], len(pixels_of(images))

    def check(self, key: str, images: ImagesLike) -> None:
        """Notes the images of the pass ``key``; raises ConfigError when a checkpoint or another process has others."""
        mark = image_mark(images)
        if (theirs := from_first(lambda: mark)) != mark:
            raise ConfigError(
                f"this process has other images than the first ({mark}, not {theirs}): give all processes the same."
            )
        if self._marks.setdefault(key, mark) != mark:
            raise ConfigError(
                f"the images are not those of the checkpoint (were {self._marks[key]}, are {mark}): "
                "give the same images to go on, or another folder to start anew."
            )

    def state_dict(self) -> dict[str, str]:
        """The mark of the images of every pass."""
        return dict(self._marks)

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Puts back what ``state_dict`` gave."""
        self._marks = dict(state)


def image_mark(images: ImagesLike) -> str:
    """Tells sets of images apart: their shape and fingerprint (of an array: of 64 images spread over it)."""
    pixels = pixels_of(images)
    shape = " x ".join(map(str, pixels.shape))
    if known := getattr(images, "fingerprint", ""):
        return f"{shape} {known}"
    return f"{shape} {zlib.crc32(on_host(pixels[:: -(-len(pixels) // MARKED)]).tobytes()):08x}"


def on_host(values: ArrayLike | torch.Tensor) -> np.ndarray:
    """``values`` as a NumPy array, wherever they are."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
