"""Local binary patterns: which textures are where in the image, whatever the light.

Ahonen, Hadid and Pietikäinen, "Face description with local binary patterns", PAMI 28(12), 2006, by scikit-image.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.images.descriptors import LBP
from coterie.images.extractor import Images, Rows
from coterie.images.greys import grey

NEIGHBOURS, RADIUS = 8, 1  # the smallest circle of the paper: images here have 8 pixels a side and more
PATTERNS = NEIGHBOURS * (NEIGHBOURS - 1) + 3  # 58 uniform ones, and one for all others: "u2" in the paper
GRID = 4  # cells a side. The paper has 7 on faces of 130 x 150; of 28 x 28 pixels that leaves 16 for 59 patterns


class Lbp:
    """A histogram of the 59 uniform patterns in each of 4 x 4 cells: 944 numbers of an image of any size.

    Their square roots are taken: the distance of those is near the chi-square distance that the paper compares
    histograms by. Colour is described in grey, at its own size, because resampling changes the patterns.
    """

    name = LBP

    @property
    def settings(self) -> dict[str, Any]:
        """Scikit-image's arguments and the number of cells."""
        return {"neighbours": NEIGHBOURS, "radius": RADIUS, "method": "nri_uniform", "grid": GRID}

    def side(self, shape: tuple[int, int, int]) -> int:
        """Images are described at their own size."""
        return max(shape[1:])

    def learn(self, store: Images) -> None:
        """Nothing is learned."""

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """(b, 944) float32 of length 1, of images (b, c, h, w)."""
        patterns = np.stack([pattern_image(image[0]) for image in grey(images)])
        return cell_histograms(patterns)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Nothing is learned."""
        return {}

    def restore(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Nothing was learned."""


def pattern_image(image: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The pattern (h, w), 0..58, around each pixel of a grey image (h, w)."""
    from skimage.feature import local_binary_pattern

    # Scikit-image takes what lies outside for black, which would give every bright border the same pattern.
    wide = np.pad(image, RADIUS, mode="edge")
    patterns = local_binary_pattern(wide, NEIGHBOURS, RADIUS, method="nri_uniform")  # type: ignore[no-untyped-call]
    return np.asarray(patterns[RADIUS:-RADIUS, RADIUS:-RADIUS], dtype=np.intp)


def cell_histograms(patterns: NDArray[np.intp]) -> Rows:
    """(b, 16 * 59) square roots of the share of the image's pixels with each pattern (b, h, w) in each cell."""
    b, h, w = patterns.shape
    rows, columns = np.arange(h) * GRID // h, np.arange(w) * GRID // w
    cells = rows[:, None] * GRID + columns
    places = (np.arange(b)[:, None, None] * GRID**2 + cells) * PATTERNS + patterns
    counts = np.bincount(places.ravel(), minlength=b * GRID**2 * PATTERNS).reshape(b, -1)
    roots: Rows = np.sqrt(counts / (h * w)).astype(np.float32)
    return roots
