"""Which states of a UDC training compete with its last one, and that each is kept whole."""

from typing import Any

import numpy as np
import pytest
import torch

from coterie.methods.moments import Moment, answering, kept_after, plain, restored
from coterie.methods.run_choice import CRITERIA, Figures
from coterie.nets.gan import Tower
from coterie.training.plain import from_plain, to_plain


@pytest.mark.parametrize(
    ("iterations", "every", "tau", "expected"),
    [
        (900_000, 1000, 30_000, [450_000, 540_000, 660_000, 780_000]),  # the paper
        (4000, 40, 1000, [2000, 3000]),  # the defaults: stairs end there
        (30_000, 300, 1000, [15_000, 18_000, 21_900, 25_800]),
        (800, 8, 1000, [400, 496, 600, 696]),  # no stair ends
        (7, 3, 1000, [3, 6]),
        (7, 1, 2, [4, 6]),
        (100, 100, 1000, []),  # one line of figures: only the last state has any
        (1, 1, 1000, []),
    ],
)  # fmt: skip
def test_states_are_kept_evenly_over_the_second_half_where_stairs_and_lines_end(
    iterations: int, every: int, tau: int, expected: list[int]
) -> None:
    assert kept_after(iterations, every, tau) == expected


def a_moment(iteration: int, network: Tower) -> Moment:
    told = {"drifting": np.array([True, False]), "collapsed": np.zeros(2, dtype=bool)}
    figures = Figures(**{name: np.full(2, 0.5) for name in CRITERIA}, **told)
    return Moment(iteration, dict(network.state_dict()), np.zeros((2, 3, 8, 1, 2, 2), np.uint8), figures)


def towers(n: int) -> list[Tower]:
    found: list[Tower] = []
    own: dict[str, Any] = {"n_runs": 2, "hidden": (5, 4)}
    for seed in range(n):
        found.append(Tower((3,), 4, **own))
        found[-1].start([torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 10)])
    return found


def test_each_run_answers_as_it_was_at_its_own_moment_and_the_trained_network_stays() -> None:
    first, second, now = towers(3)
    before = {name: weight.clone() for name, weight in now.state_dict().items()}
    both = answering(now, [a_moment(1, first), a_moment(2, second)], [1, 0])
    x = torch.randn(6, 2, 3)
    torch.testing.assert_close(both(x)[:, 0], second(x)[:, 0])
    torch.testing.assert_close(both(x)[:, 1], first(x)[:, 1])
    assert all(torch.equal(weight, before[name]) for name, weight in now.state_dict().items())


def test_a_checkpoint_gives_a_moment_back() -> None:
    moment = a_moment(5, towers(1)[0])
    again = restored(from_plain(to_plain(plain(moment))))
    assert again.iteration == 5
    assert again.samples.dtype == np.uint8
    assert all(torch.equal(weight, again.weights[name]) for name, weight in moment.weights.items())
    for one, other in zip(moment.figures, again.figures, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
