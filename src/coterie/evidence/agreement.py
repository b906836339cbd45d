"""Whether a model says the same of an image that was slightly changed: evidence that needs no classes."""

from typing import Any

import numpy as np
import torch

from coterie.images.presets import preset

SAMPLE = 2000  # a share of 1/2 is then known to .01
CHANGE = "udc"  # turned by 15 degrees at most, moved by an eighth, a little larger or smaller, brighter, noisier


def agreement_under_change(model: Any, images: np.ndarray, seed: int = 0) -> float:
    """The share of 2,000 evenly spaced ``images`` (n, c, h, w) uint8 whose label is that of a random variant of theirs.

    model: fitted on ``images``, all of them and in that order. Its label of the variant is what ``predict`` says, as of
    any new image. The variants are those by which UDC compares its runs (udc.md section 10), from ``seed``.
    """
    some = np.arange(0, len(images), -(-len(images) // SAMPLE))
    clean = torch.from_numpy(np.ascontiguousarray(images[some]))
    variants = preset(CHANGE)(clean, torch.Generator().manual_seed(seed))
    changed = (variants * 255).round().to(torch.uint8).numpy()
    return float((model.predict(changed) == model.labels_[some]).mean())
