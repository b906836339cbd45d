"""Sets kept as a folder of images for each class."""

from pathlib import Path
from typing import Literal

import numpy as np

from coterie.errors import SourceError
from coterie.evidence.rows import Rows
from coterie.images.store import open_images


def read_class_folders(folder: Path, size: tuple[int, int] | None = None, *, grey: bool | None = None) -> Rows:
    """The images under ``folder``, sorted by path; the class of an image is the folder it lies in.

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
    names, classes = np.unique([str(Path(name).parent) for name in store.names], return_inverse=True)
    if len(names) < 2:
        raise SourceError(f"all images of {folder} lie in one folder: expected a folder for each class")
    return Rows(np.asarray(store.images), classes.astype(np.int64), str(folder))
