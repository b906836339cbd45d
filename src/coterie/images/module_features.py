"""Features from any network of the user's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coterie.errors import ConfigError
from coterie.images.extractor import Images, Rows, check_features, not_fitted, parts, unit_rows
from coterie.images.network import network_rows

NAME = "module"


class ModuleFeatures:
    """What a module of the user's makes of an image, as rows of unit length; its mean is left as it is.

    The module maps float32 (b, c, h, w) in 0..1, at the size of the store, to (b, d) or more dimensions, which are
    flattened. It runs in eval mode without gradients, on ``device`` or else where it is, and is left as it was found.
    """

    name = NAME

    def __init__(self, module: nn.Module, device: torch.device | str | None = None) -> None:
        self.module = module
        self.device = None if device is None else torch.device(device)
        self.width: int | None = None

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) float32; ConfigError when the module gives other than n rows, fewer than 2 numbers, or NaN."""
        rows = self._rows(store, progress)
        self.width = rows.shape[1]
        return rows

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) float32 of new images; ConfigError when d is another than before."""
        if self.width is None:
            raise not_fitted(self.name)
        rows = self._rows(store, progress)
        if rows.shape[1] != self.width:
            raise ConfigError(f"the module gives {rows.shape[1]} features and the model was fitted on {self.width}")
        return rows

    def _rows(self, store: Images, progress: bool) -> Rows:
        home = device_of(self.module)
        device = self.device or home
        with evaluating(self.module):
            try:
                self.module.to(device)
                rows = network_rows(lambda x: self.module(x / 255.0), store, device, progress)
            finally:
                self.module.to(home)
        check_features(rows, len(store), f"the output of {type(self.module).__name__}")
        return unit_rows((rows[part].astype(np.float64) for part in parts(*rows.shape)), rows.shape)

    def config(self) -> dict[str, Any]:
        """What to ask for when the model is loaded: the module itself is code and cannot be saved."""
        if self.width is None:
            raise not_fitted(self.name)
        return {
            "name": self.name,
            "module": type(self.module).__name__,
            "width": self.width,
            "note": "the module is not saved; load this model with features=module",
        }

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Nothing of the module is kept."""
        return {}

    @classmethod
    def from_saved(
        cls, config: Mapping[str, Any], module: object, device: torch.device | str | None = None
    ) -> "ModuleFeatures":
        """The extractor of a saved model around the module it was fitted with; ConfigError without one."""
        if not isinstance(module, nn.Module):
            raise ConfigError(
                f"this model was fitted on the features of a {config.get('module', 'torch.nn.Module')}, which cannot "
                "be saved; load it with features=module, the same torch.nn.Module with its weights"
            )
        extractor = cls(module, device)
        extractor.width = config.get("width")
        return extractor


def device_of(module: nn.Module) -> torch.device:
    """Where the first parameter or buffer of a module is; the CPU when it has none."""
    tensors = [*module.parameters(), *module.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every part of the module is in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
