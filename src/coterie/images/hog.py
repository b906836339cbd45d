"""Histograms of oriented gradients: where in the image edges run, and in which direction.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, by scikit-image.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.images.descriptors import HOG
from coterie.images.extractor import Images, Rows
from coterie.images.greys import stretched

SIDE = 64  # pixels: 8 cells a side, as the 64 x 128 window of the paper has along its shorter one
SETTINGS = {
    "orientations": 9,  # of 180 degrees, Sec. 6.3 of the paper
    "pixels_per_cell": [8, 8],  # Sec. 6.4
    "cells_per_block": [2, 2],  # Sec. 6.4
    "block_norm": "L2-Hys",  # Sec. 6.4, and scikit-image's default
}


class Hog:
    """7 x 7 overlapping blocks of 2 x 2 cells with 9 directions: 1,764 numbers of an image of any size.

    The image is stretched to 64 x 64, so that the cells are an eighth of it whatever its size. In colour each pixel
    has the gradient of the channel where it is strongest, as in the paper.
    """

    name = HOG

    @property
    def settings(self) -> dict[str, Any]:
        """Scikit-image's arguments and the side the image is stretched to."""
        return {"side": SIDE, **SETTINGS}

    def side(self, shape: tuple[int, int, int]) -> int:
        """Images are described at 64 x 64, but first a larger one is in memory as it is."""
        return max(SIDE, *shape[1:])

    def learn(self, store: Images) -> None:
        """Nothing is learned."""

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """(b, 1764) float32 of images (b, c, h, w); zeros where there is no edge."""
        from skimage.feature import hog

        last = np.moveaxis(stretched(images, (SIDE, SIDE)), 1, -1)
        return np.stack([hog(image, **SETTINGS, channel_axis=-1) for image in last]).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Nothing is learned."""
        return {}

    def restore(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Nothing was learned."""
