"""What only the pixels can tell: exact copies, and images of one colour."""

import hashlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from coterie.images.oddities import ONE_COLOUR

DIGEST_BYTES = 16


def digest_of(pixels: NDArray[np.uint8]) -> bytes:
    """16 bytes that are equal exactly when the pixels are."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=DIGEST_BYTES).digest()


def count_copies(digests: NDArray[np.uint8]) -> int:
    """How many rows of ``digests`` (n, 16) repeat an earlier one."""
    if not len(digests):
        return 0
    rows = np.ascontiguousarray(digests).view(np.dtype((np.void, DIGEST_BYTES))).ravel()
    return len(rows) - len(np.unique(rows))


def is_one_colour(pixels: NDArray[np.uint8]) -> bool:
    """True when every pixel of the image (c, h, w) is the same; an image of one pixel is not held against it."""
    flat = pixels.reshape(len(pixels), -1)
    return flat.shape[1] > 1 and bool((flat == flat[:, :1]).all())


def array_contents(images: NDArray[np.uint8]) -> tuple[Counter[str], int, str]:
    """For images (n, c, h, w): oddities, the number of copies, and a digest of them all (32 hexadecimal digits)."""
    digests = np.zeros((len(images), DIGEST_BYTES), np.uint8)
    n_plain = 0
    for row, image in enumerate(images):
        digests[row] = np.frombuffer(digest_of(image), np.uint8)
        n_plain += is_one_colour(image)
    whole = hashlib.blake2b(repr(images.shape).encode() + digests.tobytes(), digest_size=DIGEST_BYTES)
    return Counter({ONE_COLOUR: n_plain} if n_plain else {}), count_copies(digests), whole.hexdigest()
