"""Pictures of what a method groups by, of its answer and of others that it offers; one .npz that needs no pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coterie.files.atomic import write_npz

PARTS = ("apart", "strength", "images", "counts", "drawn")
MOST_GROUPS = 40  # of one answer, the largest


@dataclass(frozen=True)
class GroupPictures:
    """Of the K largest groups of one answer, 40 at most, all uint8; what is large is shrunk.

    apart: (K, c, h, w), what sets each apart: 127 where its mean image is like that of all; ``strength``, 0 to 1, is
    the difference of the brightest or darkest. images: (M, c, h', w'), real ones that lie well within a group, those of
    the first group first; ``counts`` (K,) int64 says how many are of each. drawn: (K, m, c, h', w'), generated images.
    """

    apart: np.ndarray
    strength: float
    images: np.ndarray
    counts: np.ndarray
    drawn: np.ndarray

    def of_group(self, label: int) -> np.ndarray:
        """(m, c, h, w): the real images of one group."""
        end = int(self.counts[: label + 1].sum())
        return self.images[end - int(self.counts[label]) : end]


def write_group_pictures(path: Path, pictures: Mapping[str, GroupPictures]) -> None:
    """Writes the pictures of each answer by its name, as ``name.apart``, ``name.strength`` and so on; the order of
    ``pictures`` stands in ``names``.
    """
    arrays = {f"{name}.{part}": np.asarray(getattr(own, part)) for name, own in pictures.items() for part in PARTS}
    write_npz(path, names=np.array(list(pictures), dtype=np.str_), **arrays)


def read_group_pictures(path: Path) -> dict[str, GroupPictures]:
    """What ``write_group_pictures`` wrote; ValueError when its parts do not fit each other, and NumPy's errors."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        found = {
            str(name): GroupPictures(**{part: archive[f"{name}.{part}"] for part in PARTS}) for name in archive["names"]
        }
    return {name: _checked(own) for name, own in found.items()}


def _checked(own: GroupPictures) -> GroupPictures:
    k, pixels = len(own.apart), (own.apart, own.images, own.drawn)
    fits = own.apart.ndim == own.images.ndim == 4 and own.drawn.ndim == 5 and len(own.drawn) == k
    alike = {part.shape[-3] for part in pixels} in ({1}, {3}) if fits else False
    if not alike or any(part.dtype != np.uint8 for part in pixels):
        raise ValueError("its pictures do not fit each other")
    counted = own.counts.shape == (k,) and own.counts.dtype.kind == "i" and (own.counts >= 0).all()
    if not counted or own.counts.sum() != len(own.images) or np.shape(own.strength) != ():
        raise ValueError("its images are not those that are counted")
    return GroupPictures(own.apart, float(own.strength), own.images, own.counts, own.drawn)
