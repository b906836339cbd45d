"""Every random number of a training: one seed makes them, one state holds them, a resumed run draws the same ones.

Layers such as dropout draw from generators that belong to the whole process. A run seeds those for its own duration
and gives the caller's back afterwards, so that training neither depends on nor disturbs what came before.

The processes of one training have the same generators in the same states. What is drawn for images is drawn for all of
a batch, and each process takes the rows that are its part (``Batch.part``): an image gets the same numbers however many
processes there are, and one checkpoint serves all.
"""

import json
import random
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch

from coterie.errors import ConfigError

State = dict[str, Any]


class Randomness:
    """The generators of one run, as a context manager around the training.

    Attributes:
        numpy: for work on arrays on the host.
        order: a torch generator on the host; ``Run.batches`` shuffles with it and nothing else does.
        device: a torch generator on the device, for augmentation and sampling there.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ConfigError(f"random_state={seed!r} is not a seed: give a whole number from 0 to 2^63 - 1.")
        self.seed = seed
        self.numpy = np.random.default_rng(seed)
        self.order = torch.Generator().manual_seed(seed)
        # MPS and CUDA have generators of their own kind; another seed keeps the device's draws apart from the order's.
        self.device = torch.Generator(device=device).manual_seed(seed + 1)
        self._callers: State | None = None

    def __enter__(self) -> Self:
        self._callers = process_state()
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)  # a library below may still draw from it
        torch.manual_seed(self.seed)  # every CUDA device too
        return self

    def __exit__(self, *exception: object) -> None:
        if self._callers is not None:
            restore_process(self._callers)

    def state_dict(self) -> State:
        """The state of every generator, as text and uint8 tensors."""
        return {
            "process": process_state(),
            "numpy": json.dumps(self.numpy.bit_generator.state),
            "order": self.order.get_state(),
            "device": self.device.get_state(),
            "device_kind": self.device.device.type,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Draws go on as they would have after ``state_dict``; a device of another kind starts from the seed."""
        restore_process(state["process"])
        self.numpy.bit_generator.state = json.loads(state["numpy"])
        self.order.set_state(state["order"])
        if state["device_kind"] == self.device.device.type:
            self.device.set_state(state["device"])


def process_state() -> State:
    """State of the generators that belong to the whole process: Python's, NumPy's old one, torch's on every device."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state: State = {
        "python": json.dumps(random.getstate()),
        "numpy": json.dumps([str(name), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)]),
        "torch": torch.get_rng_state(),
    }
    # asking a GPU that nobody uses would start it
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_process(state: Mapping[str, Any]) -> None:
    """Puts the generators of the process back; devices that are not here are left out."""
    version, internal, gauss = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = json.loads(state["numpy"])
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    cuda = state.get("cuda", [])
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
