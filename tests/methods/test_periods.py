"""How many periods, how long, and when nobody said (jule.md B1, B2, B4.6)."""

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
import torch

from coterie.methods.jule import JULE
from coterie.methods.periods import (
    MOST_UPDATES,
    Schedule,
    after_period,
    epochs_for,
    eta_for,
    n_periods,
)


@pytest.mark.parametrize(
    ("n", "k", "by_nine_tenths", "by_a_fifth"),
    [
        pytest.param(1440, 20, 2, 13, id="COIL20"),
        pytest.param(7200, 100, 2, 13, id="COIL100"),
        pytest.param(11000, 10, 3, 25, id="USPS"),
        pytest.param(10000, 10, 3, 24, id="MNIST-test"),
        pytest.param(70000, 10, 4, 33, id="MNIST-full"),
        pytest.param(575, 20, 1, 9, id="UMist"),
        pytest.param(2462, 20, 2, 15, id="FRGC"),
        pytest.param(2856, 68, 2, 11, id="PIE"),
        pytest.param(10000, 41, 2, 19, id="YTF"),
    ],
)
def test_the_number_of_periods_is_that_of_the_specification(
    n: int, k: int, by_nine_tenths: int, by_a_fifth: int
) -> None:
    assert n_periods(n // 4, k, 0.9) == by_nine_tenths
    assert n_periods(n // 4, k, 0.2) == by_a_fifth


def test_a_period_leaves_what_the_formula_says_and_never_fewer_than_k() -> None:
    assert [after_period(17500, 10, 0.9), after_period(1750, 10, 0.9), after_period(175, 10, 0.9)] == [1750, 175, 17]
    assert after_period(17, 10, 0.9) == after_period(10, 10, 0.9) == 10
    assert after_period(100, 10, 1.0) == 10
    assert after_period(5, 1, 0.01) == 4  # at least one merger
    assert n_periods(10, 10, 0.9) == 1  # and at least one period, or nothing would be learned


@pytest.mark.parametrize("eta", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_the_schedule_is_that_of_exact_arithmetic(eta: float) -> None:
    assert [
        n for n in range(2, 20_000) if after_period(n, 1, eta) != n - min(ceil(Fraction(str(eta)) * n), n - 1)
    ] == []


def test_an_epoch_knows_its_period_and_whether_it_is_the_last_of_it() -> None:
    schedule = Schedule(0.9, periods=2, epochs=3, rounds=2, round_epochs=2)
    assert schedule.total == 10
    assert [schedule.place(epoch) for epoch in range(10)] == [
        (0, False), (0, False), (0, True), (1, False), (1, False), (1, True),
        (2, False), (2, True), (3, False), (3, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n", "k", "eta"),
    [(575, 20, 0.2), (2462, 20, 0.2), (2856, 68, 0.2), (400, 40, 0.2), (11000, 10, 0.9), (70000, 10, 0.9),
     (199, 1, 0.2), (200, 1, 0.9)],
)  # fmt: skip
def test_clusters_of_few_images_unfold_slowly_as_the_faces_of_the_paper(n: int, k: int, eta: float) -> None:
    assert eta_for(n, k) == eta


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"), [(11000, 100, 20), (10000, 100, 20), (70000, 100, 3), (400, 100, 40), (42, 100, 160)]
)
def test_a_period_has_twenty_epochs_but_neither_too_few_updates_nor_too_many(
    n: int, batch_size: int, epochs: int
) -> None:
    assert epochs_for(n, batch_size) == epochs


def test_a_set_so_large_that_an_epoch_is_a_period_trains_an_epoch() -> None:
    assert epochs_for(100 * MOST_UPDATES * 10, 100) == 1


def schedule_of(n: int, n_first: int, **settings: Any) -> Schedule:
    return JULE(10, **settings)._schedule(n, n_first)


def test_what_was_said_is_taken_and_what_was_not_follows_the_size_of_the_set() -> None:
    assert schedule_of(11000, 2750) == Schedule(0.9, 3, 20, 2, 10)
    assert schedule_of(400, 100) == Schedule(0.2, n_periods(100, 10, 0.2), 40, 2, 20)
    said = schedule_of(400, 100, eta=0.5, epochs=1, rounds=3)
    assert said == Schedule(0.5, n_periods(100, 10, 0.5), 1, 3, 1)
    assert schedule_of(400, 100, eta=0.5, epochs=1, round_epochs=9).round_epochs == 9


@pytest.mark.parametrize(
    ("n", "n_clusters", "batch_size", "sampler"),
    [(10_000, 2500, 100, "images"), (70_000, 17_500, 100, "clusters"), (70_000, 1750, 100, "images"),
     (1440, 360, 100, "images"), (10_000, 2500, 50, "clusters"), (100, 100, 100, "clusters")],
)  # fmt: skip
def test_clusters_are_sampled_while_a_random_batch_holds_less_than_a_pair(
    n: int, n_clusters: int, batch_size: int, sampler: str
) -> None:
    labels = torch.arange(n) % n_clusters
    assert JULE(10, batch_size=batch_size)._sampler(labels) == sampler
    for asked in ("images", "clusters"):
        assert JULE(10, batch_size=batch_size, sampler=asked)._sampler(labels) == asked
