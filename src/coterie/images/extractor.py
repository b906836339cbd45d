"""What every kind of features has in common: the contract, rows of unit length, and the checks.

Rows are float32 (n, d) in the order of the store. Conversions run in float64 a part at a time, so that the result is
the only array that grows with the number of images.
"""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, NoReturn, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from coterie.errors import ConfigError, ModelFileError, UsageError

Rows: TypeAlias = NDArray[np.float32]
AnyPath: TypeAlias = str | PathLike[str]

PART_ITEMS = 1 << 20  # numbers converted to float64 at a time: 8 MB


class Images(Protocol):
    """What features need of an ``ImageStore``."""

    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of every image, c = 1 or 3."""

    def batches(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """uint8 (b, c, h, w) for at most ``size`` images at a time, in order."""


@runtime_checkable
class FeatureExtractor(Protocol):
    """Turns the images of a store into (n, d) float32 rows of unit length, in the order of the store.

    A row that carries no information is all zeros, never NaN.
    """

    @property
    def name(self) -> str:
        """The word that stands in run.json and model.json."""

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """The rows of these images; what was learned from them (a mean) is kept for ``transform``."""

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """The rows of new images, on the scale of the images fitted before."""

    def config(self) -> dict[str, Any]:
        """What ``extractor_from_saved`` needs besides ``tensors()``, as JSON values."""

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The learned arrays by name; by name."""


def parts(n: int, width: int) -> Iterator[slice]:
    """Slices that cover n rows of ``width`` numbers, each of at most about ``PART_ITEMS`` numbers."""
    step = part_rows(width)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def part_rows(width: int) -> int:
    """How many rows of ``width`` numbers are converted at a time."""
    return max(1, PART_ITEMS // max(width, 1))


def unit_rows(blocks: Iterable[NDArray[np.float64]], shape: tuple[int, int], *, floor: float = 1e-8) -> Rows:
    """(n, d) float32 rows of length 1 from consecutive float64 blocks (b, d) that add up to ``shape``.

    A row shorter than ``floor`` is rounding noise: it stays about zero instead of being blown up to length 1.
    """
    rows = np.empty(shape, dtype=np.float32)
    start = 0
    for block in blocks:
        length = np.sqrt(np.einsum("bd,bd->b", block, block))
        rows[start : start + len(block)] = block / np.maximum(length, floor)[:, None]
        start += len(block)
    assert start == len(rows), f"{start} rows came for {len(rows)} images"
    return rows


def centred_unit_rows(values: Rows, mean: NDArray[np.float64], floor: float) -> Rows:
    """(n, d) rows minus ``mean`` (d,), each of length 1 unless shorter than ``floor``, written over ``values``."""
    for part in parts(*values.shape):
        values[part] = unit_rows([values[part] - mean], values[part].shape, floor=floor)
    return values


def progress_bar(total: int, progress: bool) -> "tqdm[NoReturn]":
    """A bar that counts images, silent unless asked for and watched on a terminal."""
    return tqdm(total=total, desc="features", unit="img", disable=None if progress else True)


def check_features(values: NDArray[Any], n: int, source: str) -> None:
    """ConfigError unless ``values`` are real finite (n, d) numbers with d >= 2; names the first five bad rows."""
    if values.ndim != 2 or values.dtype.kind not in "fiu" or values.shape[1] < 2:
        raise ConfigError(
            f"{source} holds {values.dtype} values of shape {values.shape}; expected one row of at least two numbers "
            "per image, shape (n, d)"
        )
    if len(values) != n:
        raise ConfigError(
            f"{source} holds {len(values)} rows for {n} images; expected one row for each image that could be read, "
            "in the order of assignments.csv"
        )
    bad = [row for part in parts(*values.shape) for row in part.start + non_finite(values[part])]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise ConfigError(
            f"{source} holds NaN or infinite values in row {', '.join(map(str, bad[:5]))}{more} (counted from 0); "
            "every image needs finite features, so leave those images out or repair their rows"
        )


def non_finite(values: NDArray[Any]) -> NDArray[np.intp]:
    """The rows of (n, d) ``values`` that hold a NaN or an infinity."""
    return np.flatnonzero(~np.isfinite(values).all(axis=1))


def not_fitted(name: str) -> UsageError:
    """The error for features that have seen no images yet."""
    return UsageError(f"the features {name!r} have seen no images yet; call fit_transform before transform or saving")


def saved_mean(tensors: Mapping[str, NDArray[Any]], ndim: int) -> NDArray[np.float64]:
    """``mean`` of a model as float64; ModelFileError when it is missing or has not ``ndim`` dimensions."""
    mean = tensors.get("mean")
    if mean is None or mean.ndim != ndim or not np.isfinite(mean).all():
        found = "no mean" if mean is None else f"a mean of shape {mean.shape}"
        raise ModelFileError(
            f"the model holds {found}, expected a finite one of {ndim} dimensions; fit and save it again"
        )
    return np.asarray(mean, dtype=np.float64)
