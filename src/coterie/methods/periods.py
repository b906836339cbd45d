"""How the recurrence of JULE is divided into periods of training, and how long each of them is (jule.md B1, B2)."""

import math
from typing import NamedTuple

# The paper unfolds slowly where a cluster has few images (faces: 29 to 244 of each person): 0.2 instead of 0.9.
FAST, SLOW, FEW_IMAGES = 0.9, 0.2, 200
# The paper trains 20 epochs a period: 80 updates for the 400 faces of ORL, 14,000 for MNIST. Too few updates teach a
# small set nothing, and beyond 2,200 (USPS, 11,000 images) a large one learns nothing that its clusters could use.
EPOCHS, FEWEST_UPDATES, MOST_UPDATES = 20, 160, 2_200


class Schedule(NamedTuple):
    """``periods`` of ``epochs`` epochs, each followed by the mergers of a share ``eta`` of the clusters; then
    ``rounds`` of ``round_epochs`` epochs, each followed by a new linkage from the start.
    """

    eta: float
    periods: int
    epochs: int
    rounds: int
    round_epochs: int

    @property
    def total(self) -> int:
        """Epochs in all."""
        return self.periods * self.epochs + self.rounds * self.round_epochs

    def place(self, epoch: int) -> tuple[int, bool]:
        """The period that ``epoch`` lies in, from 0, and whether it is its last epoch; rounds are counted on."""
        if epoch < self.periods * self.epochs:
            return epoch // self.epochs, (epoch + 1) % self.epochs == 0
        epoch -= self.periods * self.epochs
        return self.periods + epoch // self.round_epochs, (epoch + 1) % self.round_epochs == 0


def eta_for(n: int, k: int) -> float:
    """The unfolding rate when nobody said: 0.9, 0.2 where ``k`` clusters have fewer than 200 of ``n`` images each."""
    return SLOW if n < FEW_IMAGES * k else FAST


def epochs_for(n: int, batch_size: int) -> int:
    """Epochs of a period when nobody said: the paper's 20, but 160 to 2,200 updates."""
    updates = -(-n // batch_size)
    wanted = min(max(EPOCHS * updates, FEWEST_UPDATES), MOST_UPDATES)
    return max(1, round(wanted / updates))


def after_period(n: int, k: int, eta: float) -> int:
    """Clusters left of ``n`` after one period: ceil(eta n) merge, but never below ``k`` (jule.md B1)."""
    return max(n - math.ceil(eta * n), k)


def n_periods(n: int, k: int, eta: float) -> int:
    """Periods until ``n`` clusters are ``k``; at least one, so that the network learns at all."""
    periods = 1
    while (n := after_period(n, k, eta)) > k:
        periods += 1
    return periods
