"""The random numbers of UDC's iterations: noise, clusters, and where between images the critic's gradient is held."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from coterie.methods.cluster_prior import drawn_clusters


class Draw(NamedTuple):
    """The random numbers of an iteration with N batches of generated images: noise (N, b, r, z), clusters (N, b, r)
    int64, for each critic step mix (n_critic, b, r) in 0..1, and where the classifier looks through noise, grain
    (n_class + 1, b, r, *shape) that is added to what it sees. groups: (N, b) int64, to which the images of each batch
    belong, where clusters are drawn beside groups that are known (``beside``); those of the real images among them.
    """

    noise: Tensor
    clusters: Tensor
    mix: Tensor
    grain: Tensor | None = None
    groups: Tensor | None = None

    def group(self, i: int) -> Tensor | None:
        """(b,): the groups of batch i."""
        return None if self.groups is None else self.groups[i]


class RunDraws:
    """The random numbers of r runs, each from a generator of its own, so that a run draws what it would draw alone.

    grain: standard deviation of the noise that the classifier of each run looks through at images of ``shape``; () is
    none.

    Attributes:
        generators: one for each run, on the device.
        prior: (r, k) float32, how often each cluster is drawn; it may be set anew between iterations.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        prior: Sequence[float],
        device: torch.device | str = "cpu",
        grain: Sequence[float] = (),
        shape: Sequence[int] = (),
    ) -> None:
        self.grain, self.shape = tuple(grain) if any(grain) else (), tuple(shape)
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self.device = torch.device(device)
        self.prior = torch.tensor([list(prior)] * len(seeds), device=device)

    def take(self, n_critic: int, n_class: int, shape: tuple[int, int]) -> Draw:
        """The numbers of one iteration; ``shape`` is (b, z)."""
        n_batches, b = n_critic + n_class + 1, shape[0]
        own: dict[str, Any] = {"device": self.device}
        noise = [torch.randn(n_batches, *shape, generator=one, **own) for one in self.generators]
        uniform = [torch.rand(n_batches + n_critic, b, generator=one, **own) for one in self.generators]
        evenly = torch.stack(uniform, 2)
        clusters = drawn_clusters(evenly[:n_batches], self.prior)
        return Draw(torch.stack(noise, 2), clusters, evenly[n_batches:], self._grain(n_class + 1, b))

    def _grain(self, n: int, b: int) -> Tensor | None:
        """(n, b, r, *shape)."""
        if not self.grain:
            return None
        own = torch.zeros(n, b, len(self.grain), *self.shape, device=self.device)
        for i, (deviation, one) in enumerate(zip(self.grain, self.generators, strict=True)):
            if deviation:  # a run without draws nothing, as alone
                own[:, :, i] = deviation * torch.randn(n, b, *self.shape, generator=one, device=self.device)
        return own

    def state_dict(self) -> dict[str, Any]:
        """The state of every generator, and the prior."""
        states = [one.get_state() for one in self.generators]
        return {"kind": self.device.type, "states": states, "prior": self.prior}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave; generators on a device of another kind start from the seeds."""
        self.prior.copy_(state["prior"])
        if state["kind"] == self.device.type:
            for one, saved in zip(self.generators, state["states"], strict=True):
                one.set_state(saved)
