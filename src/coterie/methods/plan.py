"""What of a training of UDC is known from the iteration alone: the steps of each player, and the weights of the losses.

Of the paper are 5 steps of the critic and 4 of the classifier in each iteration and an eta that climbs stairs; of the
official code, that the steps double after a third of the iterations (udc.md sections 3 and 4).
"""

from dataclasses import dataclass

import torch

from coterie.methods.adversaries import Terms
from coterie.methods.wasserstein import eta_at

CODE_AT = 3  # after a third of the iterations the code doubles its steps


@dataclass(frozen=True)
class Plan:
    """Of a training of ``iterations``, counted from 0.

    n_critic, n_class: steps of an iteration, at first. doubles: whether they double after a third. penalty: lambda of
    Eq. 5. first_etas: of each run. gamma: by what eta climbs at a stair. stair: iterations in which it stays the same.
    consistency: weight of the loss that compares variants of images.
    """

    iterations: int
    n_critic: int
    n_class: int
    doubles: bool
    penalty: float
    first_etas: tuple[float, ...]
    gamma: float
    stair: int
    consistency: float

    @property
    def doubles_at(self) -> int:
        """The first iteration with twice the steps; ``iterations`` where there is none."""
        return -(-self.iterations // CODE_AT) if self.doubles else self.iterations

    def counts(self, iteration: int) -> tuple[int, int]:
        """N_critic and N_class at ``iteration``."""
        times = 1 if iteration < self.doubles_at else 2
        return times * self.n_critic, times * self.n_class

    def of_same_counts(self, iterations: range) -> list[range]:
        """``iterations`` whole, or in two where the steps double between them."""
        cut = min(max(self.doubles_at, iterations.start), iterations.stop)
        return [part for part in (range(iterations.start, cut), range(cut, iterations.stop)) if part]

    def etas(self, iteration: int) -> list[float]:
        """Eta of each run at ``iteration`` (Eq. 8)."""
        return [eta_at(iteration, eta, self.gamma, self.stair) for eta in self.first_etas]

    def terms(self, iteration: int, device: torch.device) -> Terms:
        """The weights of the losses at ``iteration``."""
        etas = self.etas(iteration)
        eta = etas[0] if len({*etas}) == 1 else torch.tensor(etas).to(device, non_blocking=True)
        return Terms(self.penalty, eta, self.consistency)
