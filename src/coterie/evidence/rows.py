"""What every reader of a set's files gives back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from coterie.errors import SourceError


@dataclass(frozen=True, eq=False)
class Rows:
    """images uint8 (n, c, h, w), classes (n,) int64, ``source`` the file they came from (a name for messages).

    ``is_test`` (n,) bool marks the test part where the file tells of one.
    """

    images: np.ndarray
    classes: np.ndarray
    source: str
    is_test: np.ndarray | None = None

    def __post_init__(self) -> None:
        counts = [len(array) for array in (self.images, self.classes, self.is_test) if array is not None]
        if len(set(counts)) > 1:
            raise SourceError(
                f"{self.source} is damaged: the numbers of its images, classes and marks of the test part differ "
                f"({', '.join(map(str, counts))}); get the file again"
            )

    def test_part(self) -> Self:
        """The rows of the test part alone; SourceError where the file does not tell it."""
        if self.is_test is None:
            raise SourceError(f"{self.source} does not say which images are the test part: it has no array split")
        return type(self)(self.images[self.is_test], self.classes[self.is_test], self.source)


def joined(parts: list[Rows], source: Path) -> Rows:
    """The rows of several files of one set, one after another."""
    images = np.concatenate([part.images for part in parts])
    return Rows(images, np.concatenate([part.classes for part in parts]), str(source))
