"""How learning rates rise and fall, and optimisers as the papers set them."""

import pytest
import torch
from torch import nn

from coterie.methods.schedules import learning_rate, make_optimizer, set_rate


def test_the_rate_rises_in_a_line_and_stays() -> None:
    assert [learning_rate(2.0, at, 100, warm_up=10) for at in (0, 5, 10, 99)] == [0.0, 1.0, 2.0, 2.0]


def test_steps_are_those_of_the_papers_thousand_epochs() -> None:
    rates = [learning_rate(1.0, at, 1000, warm_up=10, decay="steps") for at in (479, 480, 640, 799.5, 800, 1000)]
    assert rates == pytest.approx([1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_steps_of_the_papers_three_thousand_epochs_and_of_the_precursor() -> None:
    rates = [learning_rate(1.0, at, 3000, decay="steps-3000") for at in (1499, 1500, 1999, 2000, 2499, 2500, 3000)]
    assert rates == pytest.approx([1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    rates = [learning_rate(1.0, at, 2560, decay="steps-precursor") for at in (119, 120, 159, 160, 2560)]
    assert rates == pytest.approx([1, 0.95, 0.95, 0.9025, 0.9025])


def test_a_cosine_starts_after_the_rise_and_ends_at_nothing() -> None:
    rates = [learning_rate(1.0, at, 30, warm_up=10, decay="cosine") for at in (5, 10, 20, 30, 31)]
    assert rates == pytest.approx([0.5, 1.0, 0.5, 0.0, 0.0])


def test_optimisers_have_the_decay_of_the_papers_and_leave_frozen_weights_alone() -> None:
    frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    weights = [nn.Parameter(torch.ones(3)), frozen]
    sgd, adam = (make_optimizer(kind, weights, 0.5, None) for kind in ("sgd", "adam"))
    assert (sgd.defaults["momentum"], sgd.defaults["weight_decay"], adam.defaults["weight_decay"]) == (0.9, 1e-4, 0.0)
    assert [len(group["params"]) for group in sgd.param_groups] == [1]
    assert make_optimizer("sgd", weights, 0.5, 0.0).defaults["weight_decay"] == 0
    set_rate(sgd, 0.25)
    assert [group["lr"] for group in sgd.param_groups] == [0.25]
