"""Hand-crafted features: what hog, lbp and sift have in common.

How an image is described is in ``images.hog``, ``images.lbp`` and ``images.sift``. What is described is then treated
as the other features are: minus the mean of the fitted images, rows of unit length. All descriptors are >= 0, so that
without this every image would point much the same way.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coterie.errors import ConfigError, MissingExtraError, ModelFileError
from coterie.images.extractor import Images, Rows, centred_unit_rows, not_fitted, progress_bar, saved_mean

HOG, LBP, SIFT = "hog", "lbp", "sift"
LIBRARIES = {HOG: ("skimage", "scikit-image"), LBP: ("skimage", "scikit-image"), SIFT: ("kornia", "kornia")}

# Descriptors are between 1 and 7 long and repeat themselves to the last digit; what is left of the mean is rounding.
NOISE = 1e-4
PART_PIXELS = 1 << 18  # described at a time: about 64 MB of histograms in sift, the largest


class Describer(Protocol):
    """One way to describe an image, without the mean and the length, which are ``Descriptor``'s."""

    @property
    def name(self) -> str:
        """The word after ``--features``."""

    @property
    def settings(self) -> dict[str, Any]:
        """What its rows depend on, as JSON values; a saved model with others cannot be used."""

    def side(self, shape: tuple[int, int, int]) -> int:
        """About how many pixels an image of ``shape`` (c, h, w) has in memory along its longer side."""

    def learn(self, store: Images) -> None:
        """Learns what it needs from the fitted images, if anything."""

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """(b, d) float32 >= 0 of images (b, c, h, w), each on its own; zeros or a constant for one of one colour."""

    def tensors(self) -> dict[str, NDArray[Any]]:
        """What it learned, by name."""

    def restore(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Takes back what ``tensors`` gave; ModelFileError for anything else."""


class Descriptor:
    """What a describer says of each image, minus the mean of the fitted images, as rows of unit length."""

    def __init__(self, describer: Describer) -> None:
        check_installed(describer.name)  # the extra is missed before any image is described
        self.describer = describer
        self.shape: tuple[int, int, int] | None = None  # (c, h, w) of the fitted images
        self.mean: NDArray[np.float64] | None = None  # (d,)

    @property
    def name(self) -> str:
        """ "hog", "lbp" or "sift"."""
        return self.describer.name

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) float32; keeps the mean and what the describer learned for ``transform``."""
        self.describer.learn(store)
        rows = self._rows(store, progress)
        self.shape, self.mean = store.shape, rows.mean(axis=0, dtype=np.float64)
        return centred_unit_rows(rows, self.mean, NOISE)

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) float32 of new images of the fitted shape; ConfigError for images of another."""
        if self.mean is None:
            raise not_fitted(self.name)
        if store.shape != self.shape:
            raise ConfigError(
                f"the new images have the shape {store.shape} and the fitted ones {self.shape} (channels, height, "
                "width); open them with the options of the first run"
            )
        return centred_unit_rows(self._rows(store, progress), self.mean, NOISE)

    def _rows(self, store: Images, progress: bool) -> Rows:
        rows: Rows | None = None
        start = 0
        with progress_bar(len(store), progress) as bar:
            for described in self._parts(store):
                if rows is None:
                    rows = np.empty((len(store), described.shape[1]), dtype=np.float32)
                rows[start : start + len(described)] = described
                start += len(described)
                bar.update(len(described))
        assert rows is not None, "a store holds at least one image"
        return rows

    def _parts(self, store: Images) -> Iterator[Rows]:
        for images in store.batches(part_images(self.describer, store)):
            yield self.describer.describe(images)

    def config(self) -> dict[str, Any]:
        """The name, the settings, and the shape of the images."""
        if self.shape is None:
            raise not_fitted(self.name)
        return {"name": self.name, "shape": list(self.shape), "settings": self.describer.settings}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """``mean`` (d,) float64, and what the describer learned."""
        if self.mean is None:
            raise not_fitted(self.name)
        return {"mean": self.mean, **self.describer.tensors()}

    @classmethod
    def from_saved(
        cls, describer: Describer, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
    ) -> "Descriptor":
        """The extractor of a saved model; ModelFileError when it had other settings or is incomplete."""
        extractor = cls(describer)
        if config.get("settings") != describer.settings:
            raise ModelFileError(
                f"the model was fitted with other settings of {describer.name} than this release has; fit it again"
            )
        describer.restore(tensors)
        extractor.shape, extractor.mean = saved_shape(config), saved_mean(tensors, ndim=1)
        return extractor


def part_images(describer: Describer, store: Images) -> int:
    """How many images are described at a time."""
    return int(max(1, PART_PIXELS // describer.side(store.shape) ** 2))


def saved_shape(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """(c, h, w) of the fitted images; ModelFileError when it is missing."""
    shape = config.get("shape")
    if not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ModelFileError(f"the model was fitted on images of shape {shape!r}, expected [channels, height, width]")
    return shape[0], shape[1], shape[2]


def check_installed(name: str) -> None:
    """MissingExtraError unless the library that computes the features ``name`` is on this machine."""
    module, library = LIBRARIES[name]
    if find_spec(module) is None:
        raise MissingExtraError(
            f"the features {name} are computed by {library}, which is not installed; "
            'run: pip install "coterie[descriptors]"'
        )
