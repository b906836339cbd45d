"""Random numbers for augmentation: a row for each image of a batch, drawn where the images are."""

import math
from collections.abc import Sequence

import torch

from coterie.errors import ConfigError

Range = tuple[float, float]


class Draws:
    """Draws for ``n`` images on ``device``; how many numbers a call takes never depends on pixels.

    ``generator`` belongs to the same kind of device; None draws from torch's own. ``rows`` are the images of the ``n``
    that are wanted, where others are drawn for elsewhere; all calls then give rows for them alone.
    """

    def __init__(
        self, n: int, device: torch.device, generator: torch.Generator | None, rows: torch.Tensor | None = None
    ) -> None:
        self.n = n
        self._device = device
        self._generator = generator
        self._wanted = rows

    def uniform(self, bounds: Range, columns: int = 1) -> torch.Tensor:
        """(n, columns) float32, evenly spread over ``bounds``; (n,) for one column."""
        low, high = bounds
        return self._rows(columns).mul_(high - low).add_(low)

    def log_uniform(self, bounds: Range, columns: int = 1) -> torch.Tensor:
        """As ``uniform``, evenly spread on a logarithmic scale: 1/2 is as likely as 2. ``bounds`` above 0."""
        low, high = bounds
        return self.uniform((math.log(low), math.log(high)), columns).exp_()

    def chance(self, probability: float) -> torch.Tensor:
        """(n,) bool, True with ``probability``."""
        return self._rows(1) < probability

    def orders(self, length: int) -> torch.Tensor:
        """(n, length) int64, each row the numbers 0 to length - 1 in an order of its own."""
        return self._rows(length).argsort(1)

    def places(self) -> torch.Tensor:
        """(n,) int64, the place of each image in a random order of all ``n``."""
        return self._own(torch.rand(self.n, generator=self._generator, device=self._device).argsort().argsort())

    def normal(self, shape: Sequence[int]) -> torch.Tensor:
        """(n, *shape) float32 from the standard normal distribution."""
        return self._own(torch.randn(self.n, *shape, generator=self._generator, device=self._device))

    def _rows(self, columns: int) -> torch.Tensor:
        numbers = self._own(torch.rand(self.n, columns, generator=self._generator, device=self._device))
        return numbers[:, 0] if columns == 1 else numbers

    def _own(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers if self._wanted is None else numbers[self._wanted]


def per_image(values: torch.Tensor) -> torch.Tensor:
    """(b,) as (b, 1, 1, 1), to meet (b, c, h, w)."""
    return values[:, None, None, None]


def check_number(name: str, value: object, low: float, high: float = math.inf) -> None:
    """ConfigError unless ``value`` is a number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{name}={value!r} is outside its range: give a number {_bounds(low, high)}.")


def check_range(name: str, value: object, low: float, high: float = math.inf) -> None:
    """ConfigError unless ``value`` is a pair (smallest, largest) from ``low`` to ``high``."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ConfigError(f"{name}={value!r} is not a range: give (smallest, largest).")
    for end in value:
        check_number(name, end, low, high)
    if value[0] > value[1]:
        raise ConfigError(f"{name}={value!r} runs backwards: give (smallest, largest).")


def _bounds(low: float, high: float) -> str:
    return f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
