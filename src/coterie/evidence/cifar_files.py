"""CIFAR-10 as it is published: six files of 10,000 images, in the binary version or the Python one."""

from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import SourceError
from coterie.evidence.pickled import Made, plain_values
from coterie.evidence.rows import Rows, joined

CIFAR_FILES = "the six batches of the binary or the Python version"
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
IMAGE = (3, 32, 32)
BYTES = 3072  # of an image


def read_cifar(folder: Path) -> Rows | None:
    """The five training batches and then the test batch; None when ``folder`` has none of them.

    Binary files (data_batch_1.bin) are taken before those of the Python version (data_batch_1), which are pickles and
    are read without being run. Raises SourceError when a batch is missing beside others, or damaged.
    """
    for ending, read in ((".bin", read_binary_batch), ("", read_python_batch)):
        paths = [folder / f"{name}{ending}" for name in BATCHES]
        missing = [path.name for path in paths if not path.is_file()]
        if len(missing) == len(paths):
            continue
        if missing:
            raise SourceError(f"{folder} has no {', '.join(missing)}: put all six batches of CIFAR-10 there")
        return joined([read(path) for path in paths], folder)
    return None


def read_binary_batch(path: Path) -> Rows:
    """One file of the binary version: for each image a byte for its class, then 3 x 32 x 32 bytes."""
    data = np.fromfile(path, np.uint8)
    if len(data) == 0 or len(data) % (1 + BYTES):
        raise SourceError(
            f"{path} is not a batch of CIFAR-10: its {len(data):,} bytes are not images of {1 + BYTES:,}; get it again"
        )
    records = data.reshape(-1, 1 + BYTES)
    return Rows(records[:, 1:].reshape(-1, *IMAGE), records[:, 0].astype(np.int64), str(path))


def read_python_batch(path: Path) -> Rows:
    """One file of the Python version: a pickled dict with ``data``, uint8 (n, 3072), and ``labels``, a list."""
    try:
        content = plain_values(path.read_bytes())
        rows = _unsigned_bytes(content["data"]).reshape(-1, *IMAGE)
        return Rows(rows, np.array(content["labels"], dtype=np.int64), str(path))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"{path} is not a batch of CIFAR-10 ({error}): get it again, or take the binary version"
        ) from error


def _unsigned_bytes(array: Any) -> np.ndarray:
    """The pixels of a pickled array: its state is (version, shape, dtype, is Fortran order, bytes)."""
    if not isinstance(array, Made) or array.name.rpartition(" ")[2] != "_reconstruct":
        raise ValueError("its data is not an array")
    _, shape, dtype, is_fortran, pixels = array.state
    if dtype.name != "numpy dtype" or dtype.arguments[0] != "u1" or is_fortran:
        raise ValueError("its data is not of unsigned bytes, row after row")
    if isinstance(pixels, Made):  # how Python 3 writes bytes for Python 2: the call _codecs.encode(text, "latin1")
        pixels = pixels.arguments[0]
    raw = pixels.encode("latin-1") if isinstance(pixels, str) else pixels
    return np.frombuffer(raw, np.uint8).reshape(shape)
