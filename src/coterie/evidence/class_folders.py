"""Sets kept as a folder of images for each class."""

from pathlib import Path
from typing import Literal

import numpy as np

from coterie.errors import SourceError
from coterie.evidence.rows import Rows
from coterie.files.natural import natural
from coterie.images.store import open_images


def read_class_folders(folder: Path, size: tuple[int, int] | None = None, *, grey: bool | None = None) -> Rows:
    """The images under ``folder``, sorted by path; the class of an image is the folder it lies in. Classes are numbered
    in the order of the folders' names, s2 before s10.

    ``size`` is (height, width) to stretch them to, ``grey`` one channel or three; None is what ``open_images`` finds
    right by looking. Raises SourceError when an image cannot be read, since a set with holes is another set, or when
    there is only one folder; and what ``open_images`` raises.
    """
    sides: tuple[int, int] | Literal["auto"] = size or "auto"
    store = open_images(folder, size=sides, fit="stretch", grey="auto" if grey is None else grey, max_bad=1.0)
    if store.skipped:
        first = store.skipped[0]
        raise SourceError(
            f"{len(store.skipped):,} files of {folder} cannot be read as images ({first.name}: {first.reason}): "
            "repair or remove them"
        )
    folders = [str(Path(name).parent) for name in store.names]
    numbers = {name: number for number, name in enumerate(sorted(set(folders), key=natural))}
    if len(numbers) < 2:
        raise SourceError(f"all images of {folder} lie in one folder: expected a folder for each class")
    classes = np.array([numbers[name] for name in folders], dtype=np.int64)
    return Rows(np.asarray(store.images), classes, str(folder))
