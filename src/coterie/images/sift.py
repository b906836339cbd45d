"""Spatial pyramid of dense SIFT: which kinds of small patches are where in the image.

Lazebnik, Schmid and Ponce, "Beyond bags of features: spatial pyramid matching", CVPR 2006, on the dense SIFT of
kornia. The kinds (visual words) are learned from the images themselves, without labels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

from coterie.errors import ModelFileError
from coterie.images.descriptors import SIFT, part_images
from coterie.images.extractor import Images, Rows, not_fitted
from coterie.images.greys import grey, stretched
from coterie.images.vocabulary import MOST_WORDS, learned_words, nearest_words, sampled_images

SPACING, BIN = 8, 4  # pixels: patches of 16 x 16 in 4 x 4 bins, 8 apart (Sec. 4 of the paper)
SMALLEST, LARGEST = 64, 1000  # pixels a side: 8 patches at least; the most that the authors' program takes
FINEST = 4  # cells a side of the third level (L = 2, the best of the paper's Table 2)
FLAT = 1.5 / 255  # greys of a patch that differ by no more than one step are rounding


class Sift:
    """How often each of 200 words occurs in the image, in its quarters and in its sixteenths: 4,200 numbers.

    A patch is brought to the nearest word by its SIFT descriptor; one without contrast has a descriptor of zeros. The
    weights of the levels are the paper's (Eq. 3). Square roots are taken of all: the product of two such rows is a
    likeness of histograms (Bhattacharyya's) near the intersection that the paper compares them by. Images of less
    than 64 pixels a side are enlarged to that; colour is described in grey.
    """

    name = SIFT

    def __init__(self) -> None:
        self.words: NDArray[np.float32] | None = None  # (m, 128), m <= 200

    @property
    def settings(self) -> dict[str, Any]:
        """Everything a row depends on besides the words."""
        return {"spacing": SPACING, "bin": BIN, "sides": [SMALLEST, LARGEST], "finest": FINEST, "flat": FLAT}

    def side(self, shape: tuple[int, int, int]) -> int:
        """The longer side at which images are described, or of the images where they are larger."""
        return max(*working_size(shape), *shape[1:])

    def learn(self, store: Images) -> None:
        """Learns the words from a sample of the images; the same images give the same words."""
        size = part_images(self, store)
        self.words = learned_words(flat_rows(patches(images)) for images in sampled_images(store, size))

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """(b, 21 * m) float32 of length 1, of images (b, c, h, w); m = 200 unless the patches are of fewer kinds."""
        if self.words is None:
            raise not_fitted(self.name)
        found = patches(images)
        words = nearest_words(flat_rows(found), self.words).reshape(found.shape[:3])
        return pyramid(words, len(self.words))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """``words``: (m, 128) float32."""
        if self.words is None:
            raise not_fitted(self.name)
        return {"words": self.words}

    def restore(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Takes the words of a saved model; ModelFileError when there are none or they are not SIFT's."""
        words = tensors.get("words")
        if words is None or words.ndim != 2 or words.shape[1] != 128 or not 1 <= len(words) <= MOST_WORDS:
            found = "no words" if words is None else f"words of shape {words.shape}"
            raise ModelFileError(f"the model holds {found} for sift, expected up to 200 of 128; fit and save it again")
        self.words = np.ascontiguousarray(words, dtype=np.float32)


def working_size(shape: tuple[int, int, int]) -> tuple[int, int]:
    """(height, width) at which images of ``shape`` (c, h, w) are described."""
    height, width = (min(max(side, SMALLEST), LARGEST) for side in shape[1:])
    return height, width


def patches(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(b, rows, columns, 128): the SIFT descriptor around each 8 x 8 tile of images (b, c, h, w); zeros where flat."""
    from kornia.feature import DenseSIFTDescriptor

    x = torch.from_numpy(stretched(grey(images), working_size(images.shape[1:])))
    # With this padding the patches lie centred on the tiles, 4 pixels over the rim, where there are no gradients.
    sift = DenseSIFTDescriptor(spatial_bin_size=BIN, stride=SPACING, padding=BIN // 2, rootsift=False)
    with torch.inference_mode():
        found = sift(x) * (contrast(x) > FLAT)
    return np.ascontiguousarray(found.permute(0, 2, 3, 1).numpy())


def contrast(x: torch.Tensor) -> torch.Tensor:
    """(b, 1, rows, columns): brightest minus darkest grey of each patch of ``x`` (b, 1, h, w)."""
    size, rim = 4 * BIN, (4 * BIN - SPACING) // 2
    return max_pool2d(x, size, SPACING, rim) + max_pool2d(-x, size, SPACING, rim)


def flat_rows(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """(b * rows * columns, 128) of ``patches``."""
    return found.reshape(-1, found.shape[-1])


def pyramid(words: NDArray[np.intp], n_words: int) -> Rows:
    """(b, 21 * n_words) of length 1 from the word (b, rows, columns) of each patch, coarsest level first."""
    b, rows, columns = words.shape
    cells = np.arange(rows)[:, None] * FINEST // rows * FINEST + np.arange(columns) * FINEST // columns
    places = (np.arange(b)[:, None, None] * FINEST**2 + cells) * n_words + words
    fine = np.bincount(places.ravel(), minlength=b * FINEST**2 * n_words).reshape(b, FINEST, FINEST, n_words)
    middle = fine.reshape(b, 2, FINEST // 2, 2, FINEST // 2, n_words).sum(axis=(2, 4))
    whole = middle.sum(axis=(1, 2))
    levels = ((0.25, whole), (0.25, middle), (0.5, fine))  # Eq. 3 with L = 2
    shares = np.concatenate([weight * counts.reshape(b, -1) for weight, counts in levels], axis=1) / (rows * columns)
    roots: Rows = np.sqrt(shares).astype(np.float32)
    return roots
