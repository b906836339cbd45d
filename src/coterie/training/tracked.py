"""What a method asks to be kept in its checkpoints, by name."""

from collections.abc import Mapping
from typing import Any

from coterie.errors import CheckpointError
from coterie.training.plain import from_plain
from coterie.training.settings import scale_learning_rates


class Tracked:
    """Objects with ``state_dict`` and ``load_state_dict``, and plain values.

    Attributes:
        values: the plain values by name; the method reads and replaces them here.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        self._waiting: dict[str, Any] = {}  # read from a checkpoint, for objects that are not tracked yet
        self._ratio = 1.0

    def add(self, named: Mapping[str, Any]) -> None:
        """Tracks more; an object that a checkpoint already holds takes its state from there at once."""
        for name, thing in named.items():
            if hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
                self._objects[name] = thing
                if name in self._waiting:
                    self._load(name, self._waiting.pop(name))
            else:
                self.values[name] = thing

    def state_dict(self) -> dict[str, Any]:
        """The state of every object, and the values."""
        objects = {name: thing.state_dict() for name, thing in self._objects.items()}
        return {"objects": {**self._waiting, **objects}, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any], ratio: float = 1.0) -> None:
        """Puts back what ``state_dict`` gave (as plain types), with learning rates times ``ratio``.

        Raises CheckpointError for an object that ``state`` does not hold or that does not fit.
        """
        self._ratio = ratio
        saved = dict(state["objects"])
        for name in self._objects:
            if name not in saved:
                raise CheckpointError(f"the checkpoint holds no {name!r}: it was made by another method or release.")
            self._load(name, saved.pop(name))
        self._waiting = saved
        self.values.update(from_plain(state["values"]))

    def _load(self, name: str, state: Any) -> None:
        try:
            self._objects[name].load_state_dict(scale_learning_rates(from_plain(state), self._ratio))
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{name!r} in the checkpoint does not fit this network: {reason}") from error
