"""State as tensors and plain types, the only things a checkpoint holds, so that reading one never runs code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from coterie.errors import CheckpointError

ARRAY = "__numpy__"  # marks a tensor that was a NumPy array


def to_plain(value: Any, where: str = "state") -> Any:
    """``value`` with only dicts, lists, tuples, text, numbers, None and tensors in it.

    NumPy arrays and numbers are understood; ``from_plain`` gives arrays back as arrays. Raises CheckpointError that
    names the place of anything else.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return _bare(value)
    if isinstance(value, torch.Tensor):
        return _alone(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {ARRAY: _from_array(value, where)}
    if isinstance(value, Mapping):
        return {_key(key, where): to_plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [to_plain(item, f"{where}[{row}]") for row, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    raise CheckpointError(
        f"{where} is a {type(value).__name__}, which a checkpoint does not hold: "
        "track tensors, arrays, numbers, text, and lists and dicts of them."
    )


def from_plain(value: Any) -> Any:
    """What ``to_plain`` was given; tensors and arrays are copies, so that training on them leaves ``value`` alone."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        if set(value) == {ARRAY}:
            return value[ARRAY].numpy().copy()
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(from_plain(item) for item in value)
    return value


def tensor_bytes(value: Any) -> int:
    """Bytes of all tensors in a plain ``value``."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(tensor_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(tensor_bytes(item) for item in value)
    return 0


def _bare(value: Any) -> Any:
    # np.float64 is a float and np.str_ a str, but reading them back would need NumPy's own code.
    return value.item() if isinstance(value, np.generic) else value


def _alone(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on the host; a view of a larger one is copied, or the whole of that one would be written."""
    tensor = tensor.detach().cpu()
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor


def _from_array(array: np.ndarray, where: str) -> torch.Tensor:
    if array.dtype.kind not in "biufc" or array.dtype == np.longdouble:
        raise CheckpointError(f"{where} is an array of {array.dtype}, which a checkpoint does not hold: give numbers.")
    return torch.from_numpy(np.array(array, order="C"))


def _key(key: Any, where: str) -> Any:
    if isinstance(key, str | int | bool) and not isinstance(key, np.generic):
        return key
    raise CheckpointError(f"a key of {where} is a {type(key).__name__}: use text or whole numbers as keys.")
