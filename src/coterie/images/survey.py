"""A look at a few headers, to choose the working size and whether grey is enough."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from coterie.errors import UnreadableImageError
from coterie.images.decode import check_pixels, opened, quiet_pillow, upright_size
from coterie.images.find import Found
from coterie.images.formats import open_first
from coterie.images.payloads import Payload, payloads
from coterie.images.pixels import GREY_MODES

LOOKED_AT = 256
# Sets of images this small (digits, icons, CIFAR) are used as they are; larger ones at the encoders' size.
LARGEST_NATIVE = 64
WORKING_SIDE = 224


@dataclass(frozen=True)
class Survey:
    """What the headers said: (height, width) pairs with their counts, and whether every image was grey."""

    sizes: Counter[tuple[int, int]]
    all_grey: bool

    @property
    def common_size(self) -> tuple[int, int] | None:
        """(height, width) when every image has the same."""
        return next(iter(self.sizes)) if len(self.sizes) == 1 else None

    @property
    def median_size(self) -> tuple[int, int]:
        """(height, width), each the median; (0, 0) when nothing could be read."""
        sides = np.array(list(self.sizes.elements()))
        return (int(np.median(sides[:, 0])), int(np.median(sides[:, 1]))) if len(sides) else (0, 0)

    @property
    def working_size(self) -> tuple[int, int]:
        """The images' own size when all agree and both sides are at most 64, else 224 x 224."""
        common = self.common_size
        if common is not None and max(common) <= LARGEST_NATIVE:
            return common
        return WORKING_SIDE, WORKING_SIDE


def survey(found: Found, max_pixels: int) -> Survey:
    """Reads the headers of up to 256 entries, evenly spaced; no pixel is decoded, unreadable ones are passed over."""
    n = len(found.entries)
    wanted = sorted(set(np.linspace(0, n - 1, min(n, LOOKED_AT)).round().astype(int).tolist())) if n else []
    sizes: Counter[tuple[int, int]] = Counter()
    n_colour = 0
    with quiet_pillow():
        for _, payload in payloads(found, wanted):
            header = _header(payload, max_pixels)
            if header is not None:
                sizes[header[0]] += 1
                n_colour += not header[1]
    return Survey(sizes, bool(sizes) and n_colour == 0)


def _header(payload: Payload, max_pixels: int) -> tuple[tuple[int, int], bool] | None:
    if isinstance(payload, UnreadableImageError):
        return None
    try:
        with opened(payload) as stream:
            image = open_first(stream, "image")
            check_pixels(image, "image", max_pixels)
            width, height = upright_size(image)
            return (height, width), image.mode in GREY_MODES
    except Exception:  # the decoder will say why
        return None
