"""Where a training is, to the batch."""

from dataclasses import dataclass

from coterie.errors import ConfigError

AT_START = -1


@dataclass
class Position:
    """A place in a training.

    Attributes:
        phase: which ``epochs`` loop, counted from 0.
        epoch: epochs of that loop that are done.
        loop: which ``batches`` loop of the epoch is in progress, counted from 0; AT_START before the first.
        step: batches of that loop that are done.
        update: calls of ``Run.step`` in this epoch.
        total: calls of ``Run.step`` in the whole training.
        ended: the method has had enough of this loop.
    """

    phase: int = -1
    epoch: int = 0
    loop: int = AT_START
    step: int = 0
    update: int = 0
    total: int = 0
    ended: bool = False

    def begin_epoch(self, epoch: int) -> None:
        """Stands at the start of ``epoch``."""
        self.epoch, self.loop, self.step, self.update = epoch, AT_START, 0, 0

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1} step {self.update}"

    def of_update(self, ago: int) -> str:
        """The place of the update ``ago`` updates before the last, for a person."""
        if self.update == 0:
            return f"the end of epoch {self.epoch}"
        return f"epoch {self.epoch + 1} step {max(self.update - ago, 1)}"


def check_epochs(n: object) -> None:
    """Raises ConfigError unless ``n`` is a number of epochs."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ConfigError(f"epochs={n!r} is not a number of epochs: give 0 or more.")
