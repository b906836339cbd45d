"""The states of a training of UDC that may answer: a few of its second half, and the last one.

The paper takes the last state. But eta climbs to the end, and a run may have drawn best before it, so some states are
kept with the figures that compare the runs, and without labels each run can answer from the one that ranks best
(udc.md section 10). What is kept of a state is what answers: the averaged weights of the classifiers, and the images
that the generators made then, which are a hundredth of the generators themselves.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.images.presets import preset
from coterie.images.store import ImageStore
from coterie.methods.gan_parts import Parts
from coterie.methods.probes import all_figures, generated
from coterie.methods.run_choice import Figures
from coterie.nets.gan import Tower
from coterie.training.run import Run

MOST = 4  # states kept beside the last
SHOWN = 8  # generated images kept of each cluster


class Moment(NamedTuple):
    """What r runs would answer after ``iteration``.

    weights: of the stacked classifiers, on the host. samples: (r, k, 8, c, h, w) uint8. figures: of the runs then.
    """

    iteration: int
    weights: dict[str, Tensor]
    samples: np.ndarray
    figures: Figures


def kept_after(iterations: int, every: int, tau: int) -> list[int]:
    """After which iterations a state is kept, at most 4, in rising order: evenly over the second half, each moved back
    to the end of a stair of ``tau`` iterations where one lies in that half, since a generator settles within a stair,
    and then to the end of a line of ``every``, where the figures are.
    """
    half, found = -(-iterations // 2), set()
    for i in range(MOST):
        wanted = half + i * (iterations - half) // MOST
        stair = wanted // tau * tau
        found.add((stair if stair >= half else wanted) // every * every)
    return sorted(found - {0, iterations})


def taken(run: Run, parts: Parts, store: ImageStore, iteration: int, shares: np.ndarray) -> Moment:
    """The state that ``parts`` are in, in which the runs say ``shares`` (n, r, k) of all images; at the start of an
    epoch or after the last, when its figures are logged.
    """
    weights = {name: weight.detach().cpu().clone() for name, weight in parts.slow.answering.state_dict().items()}
    return Moment(iteration, weights, generated(parts, SHOWN), all_figures(run, parts, store, preset("udc"), shares))


def plain(moment: Moment) -> dict[str, Any]:
    """A moment as a checkpoint holds it."""
    return moment._asdict() | {"figures": moment.figures._asdict()}


def restored(saved: dict[str, Any]) -> Moment:
    """The moment that ``plain`` was given."""
    figures = saved["figures"]
    none = np.zeros(len(figures["drifting"]), dtype=bool)  # of a checkpoint from before collapse was looked at
    return Moment(**{**saved, "figures": Figures(**{"collapsed": none, **figures})})


def answering(network: Tower, moments: Sequence[Moment], chosen: Sequence[int]) -> Tower:
    """A copy of the stacked classifiers ``network`` in which run i is as it was at moment ``chosen[i]``."""
    weights = {
        name: torch.stack([moments[moment].weights[name][run] for run, moment in enumerate(chosen)])
        for name in network.state_dict()
    }
    own = deepcopy(network)
    own.load_state_dict(weights)
    return own
