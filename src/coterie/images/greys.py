"""Batches of images as descriptors want them: in grey, and at another size."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate


def grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(b, 1, h, w) of images (b, 1 or 3, h, w), by Pillow's integer weights: a store opened in grey holds the same."""
    if images.shape[1] == 1:
        return images
    red, green, blue = (images[:, channel].astype(np.uint32) for channel in range(3))
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return luma.astype(np.uint8)[:, None]


def stretched(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """(b, c, height, width) in 0..1 of images (b, c, h, w), averaged down or interpolated to ``size``.

    Rounded to a millionth, so that one colour stays exactly one colour: descriptors bring whatever contrast they find
    to length 1, rounding noise too.
    """
    x = torch.from_numpy(np.array(images)).double()  # np.array copies: the store is mapped read-only
    if x.shape[-2:] != size:
        shrinks = x.shape[-2] > size[0] or x.shape[-1] > size[1]
        x = interpolate(x, size, mode="bilinear", antialias=shrinks)
    unit: NDArray[np.float32] = np.round(x.numpy() / 255.0, 6).astype(np.float32)
    return unit
