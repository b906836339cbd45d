"""A small head of linear layers as arrays, so that a saved model places images from their embedding alone."""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

PREFIX = "head."


class FoldedHead(NamedTuple):
    """Layers done one after another, and a softmax.

    weights: (out, in) float64 each; biases: (out,); rectified: whether a ReLU follows the layer.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    rectified: tuple[bool, ...]

    def shares(self, features: np.ndarray) -> np.ndarray:
        """(n, k) float64 probabilities of the clusters for the head's input (n, d)."""
        rows = features.astype(np.float64)
        for weight, bias, is_rectified in zip(*self, strict=True):
            rows = rows @ weight.T + bias
            rows = np.maximum(rows, 0) if is_rectified else rows
        exp: np.ndarray = np.exp(rows - rows.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)

    def only(self, columns: np.ndarray) -> Self:
        """The head that knows the clusters ``columns`` only, in their order."""
        weights, biases = (*self.weights[:-1], self.weights[-1][columns]), (*self.biases[:-1], self.biases[-1][columns])
        return self._replace(weights=weights, biases=biases)

    def tensors(self) -> dict[str, np.ndarray]:
        """What a model file keeps of it."""
        kept = {f"{PREFIX}rectified": np.array(self.rectified, dtype=np.int64)}
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            kept |= {f"{PREFIX}{i}.weight": np.ascontiguousarray(weight), f"{PREFIX}{i}.bias": bias}
        return kept

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Takes back what ``tensors`` gave, from among others."""
        rectified = tuple(bool(flag) for flag in tensors[f"{PREFIX}rectified"])
        weights, biases = (
            [tensors[f"{PREFIX}{i}.{part}"] for i in range(len(rectified))] for part in ("weight", "bias")
        )
        return cls(tuple(weights), tuple(biases), rectified)


def fold(head: nn.Sequential) -> FoldedHead:
    """``head`` of linear layers, batch normalisations with written statistics, and ReLUs, as in evaluation."""
    weights: list[np.ndarray] = []
    biases: list[np.ndarray] = []
    rectified: list[bool] = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            weights.append(_array(layer.weight))
            biases.append(_array(layer.bias))
            rectified.append(False)
        elif isinstance(layer, _BatchNorm):
            scale = _array(layer.weight) / np.sqrt(_array(layer.running_var) + layer.eps)
            weights[-1] = weights[-1] * scale[:, None]
            biases[-1] = (biases[-1] - _array(layer.running_mean)) * scale + _array(layer.bias)
        elif isinstance(layer, nn.ReLU):
            rectified[-1] = True
        else:
            raise TypeError(f"a {type(layer).__name__} cannot be folded")
    return FoldedHead(tuple(weights), tuple(biases), tuple(rectified))


def _array(tensor: object) -> np.ndarray:
    assert isinstance(tensor, Tensor)
    rows: np.ndarray = tensor.detach().cpu().double().numpy()
    return rows
