"""MNIST and sets like it as they are published: four idx files, usually gzipped."""

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from coterie.errors import SourceError
from coterie.evidence.rows import Rows, joined

IDX_FILES = "train-images-idx3-ubyte and its three companions (.gz too)"
UNSIGNED_BYTE = 8  # the code of uint8 in the third byte
LARGEST = 2**31  # bytes; MNIST has 5 * 10^7, and a header may claim anything


def read_idx_set(folder: Path, *, test_only: bool = False) -> Rows | None:
    """The train and then the test images of ``folder``, or the test images alone; None when no such file is there.

    Raises SourceError when a file is missing beside others, damaged, or not of unsigned bytes.
    """
    parts = ("t10k",) if test_only else ("train", "t10k")
    if not any(_found(folder, f"{part}-{what}") for part in parts for what in ("images", "labels")):
        return None
    return joined([_part(folder, part) for part in parts], folder)


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an idx file (gzipped when its name ends in .gz), in the shape that its header gives.

    Raises SourceError when it is no such file, or longer or shorter than its header says.
    """
    try:
        with path.open("rb") as file:
            return _array(path, gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be read ({error}): get the file again") from error


def _array(path: Path, file: IO[bytes] | gzip.GzipFile) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise SourceError(f"{path} is not an idx file of unsigned bytes: get the file again")
    sides = file.read(4 * magic[3])
    shape = tuple(int.from_bytes(sides[i : i + 4], "big") for i in range(0, len(sides), 4))
    size = math.prod(shape)
    if len(sides) != 4 * magic[3] or size > LARGEST:
        raise SourceError(f"{path} is damaged: its header gives the shape {shape}; get the file again")
    data = file.read(size + 1)
    if len(data) != size:
        longer = "longer" if len(data) > size else "shorter"
        raise SourceError(f"{path} is {longer} than the {size:,} bytes that its header gives: get the file again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _part(folder: Path, part: str) -> Rows:
    arrays = []
    for what, n_axes in (("images", 3), ("labels", 1)):
        path = _found(folder, f"{part}-{what}")
        if path is None:
            raise SourceError(
                f"{folder} has no {part}-{what}-idx{n_axes}-ubyte(.gz): put it beside the other idx files"
            )
        array = read_idx(path)
        if array.ndim != n_axes:
            raise SourceError(f"{path} has {array.ndim} axes, not the {n_axes} of {what}: get the file again")
        arrays.append(array)
    return Rows(arrays[0][:, None], arrays[1].astype(np.int64), str(folder / f"{part}-images"))


def _found(folder: Path, name: str) -> Path | None:
    """The file of this name; some copies have a dot where the original has a dash."""
    axes = 3 if name.endswith("images") else 1
    names = [f"{name}{dash}idx{axes}-ubyte{end}" for dash in "-." for end in ("", ".gz")]
    return next((folder / each for each in names if (folder / each).is_file()), None)
