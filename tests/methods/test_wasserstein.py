"""UDC's losses against loops in float64, the two gradient penalties against each other, and the staircase of eta."""

import math

import pytest
import torch
from torch import Tensor

from coterie.methods.wasserstein import (
    classifier_loss,
    consistency_loss,
    critic_loss,
    eta_at,
    generator_loss,
    gradient_by_autograd,
    gradient_penalty,
    interpolated,
)
from coterie.nets.gan import Tower

B, R, K = 5, 3, 4
SHAPES = [(1, 16, 16), (3, 13, 12), (2,)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tower(shape: tuple[int, ...], n_out: int = 1) -> Tower:
    net = Tower(shape, n_out, width=3, n_runs=R).double()
    net.start([torch.Generator().manual_seed(seed) for seed in range(R)])
    for layer in [*net.layers, net.head]:
        torch.nn.init.normal_(layer.bias, std=0.1)
    return net


@pytest.mark.parametrize("heads", [1, 10])
def test_the_critic_loss_is_that_of_a_loop(heads: int) -> None:
    """Eq. 5; with ten heads as the code flattens them (udc.md section 4)."""
    real, fake, gradient = normal(B, R, heads), normal(B, R, heads, seed=1), normal(B, R, 1, 3, 3, seed=2)
    found = critic_loss(real, fake, gradient_penalty(gradient), 10.0)
    for r in range(R):
        total = 0.0
        for i in range(B):
            total += sum(float(fake[i, r, h] - real[i, r, h]) for h in range(heads)) / heads
            norm = math.sqrt(sum(float(g) ** 2 for g in gradient[i, r].flatten()))
            total += 10.0 * (norm - 1) ** 2
        assert float(found[r]) == pytest.approx(total / B, rel=1e-12)


def test_the_cross_entropy_and_the_generator_loss_are_those_of_loops() -> None:
    """Eqs. 6 and 7."""
    logits, scores = normal(B, R, K), normal(B, R, 2, seed=1)
    clusters = torch.arange(B * R).reshape(B, R) % K
    entropy = classifier_loss(logits, clusters)
    loss = generator_loss(scores, entropy, 12.0)
    for r in range(R):
        own, value = 0.0, 0.0
        for i in range(B):
            row = [math.exp(float(v)) for v in logits[i, r]]
            own -= math.log(row[clusters[i, r]] / sum(row))
            value += float(scores[i, r].mean())
        assert float(entropy[r]) == pytest.approx(own / B, rel=1e-12)
        assert float(loss[r]) == pytest.approx((12.0 * own - value) / B, rel=1e-12)


def test_consistency_is_the_divergence_from_the_clean_images_which_learn_nothing_from_it() -> None:
    clean, changed = normal(B, R, K).requires_grad_(), normal(B, R, K, seed=1).requires_grad_()
    loss = consistency_loss(clean, changed)
    p, q = clean.softmax(2), changed.softmax(2)
    torch.testing.assert_close(loss, (p * (p / q).log()).sum(2).mean(0))
    loss.sum().backward()
    assert clean.grad is None
    assert changed.grad is not None
    torch.testing.assert_close(consistency_loss(clean, clean), torch.zeros(R, dtype=torch.float64))


def test_between_an_image_and_another_lies_each_ones_own_share() -> None:
    real, fake, mix = normal(B, R, 1, 2, 2), normal(B, R, 1, 2, 2, seed=1), torch.rand(B, R, dtype=torch.float64)
    found = interpolated(real, fake, mix)
    for i in range(B):
        for r in range(R):
            torch.testing.assert_close(found[i, r], mix[i, r] * real[i, r] + (1 - mix[i, r]) * fake[i, r])


# --- gates (i) and (ii)


class Linear(torch.nn.Module):
    """D(x) = w . x, for each run its own w."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).sum(2, keepdim=True)


def test_without_penalty_a_linear_critic_loses_the_distance_of_the_means() -> None:
    weight = normal(R, 6).requires_grad_()
    critic, x, x_ = Linear(weight), normal(B, R, 6, seed=1), normal(B, R, 6, seed=2)
    loss = critic_loss(critic(x), critic(x_), gradient_penalty(normal(B, R, 6)), 0.0)
    expected = ((x_.mean(0) - x.mean(0)) * weight).sum(1)
    torch.testing.assert_close(loss, expected)
    loss.sum().backward()
    torch.testing.assert_close(weight.grad, x_.mean(0) - x.mean(0))


def test_a_linear_critic_of_length_one_pays_no_penalty_and_one_of_length_three_four() -> None:
    weight = torch.nn.functional.normalize(normal(R, 6), dim=1)
    for length, penalty in ((1.0, 0.0), (3.0, 4.0)):
        gradient = gradient_by_autograd(Linear(length * weight), normal(B, R, 6))
        torch.testing.assert_close(gradient_penalty(gradient), torch.full((R,), penalty, dtype=torch.float64))


def test_a_gradient_of_zero_has_a_penalty_that_can_be_learned_from() -> None:
    gradient = torch.zeros(B, R, 4, requires_grad=True)
    gradient_penalty(gradient).sum().backward()
    assert torch.isfinite(gradient.grad).all()


# --- the analytic penalty (udc.md section 12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("heads", [1, 10])
def test_the_analytic_penalty_is_that_of_double_backward(shape: tuple[int, ...], heads: int) -> None:
    critic, x = tower(shape, heads), normal(B, R, *shape)
    scores, slopes = critic.scores_and_slopes(x)
    torch.testing.assert_close(scores, critic(x))
    analytic = critic.input_gradient(slopes)
    twice = gradient_by_autograd(critic, x)
    torch.testing.assert_close(analytic, twice, atol=1e-10, rtol=1e-8)
    grads = []
    for gradient in (analytic, twice):
        critic.zero_grad()
        gradient_penalty(gradient).sum().backward(retain_graph=True)
        grads.append([None if w.grad is None else w.grad.clone() for w in critic.parameters()])
    for (name, _), one, other in zip(critic.named_parameters(), *grads, strict=True):
        if "bias" in name:  # no gradient depends on them but through the masks
            assert one is None or not one.any()
            assert other is None or not other.any()
            continue
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_critic_of_several_groups_tells_the_scores_and_the_gradient_of_the_group_of_each_image() -> None:
    shape, groups = (1, 12, 12), torch.tensor([0, 3, 1, 3])
    critic = Tower(shape, 2, width=3, n_runs=R, n_groups=4).double()
    critic.start([torch.Generator().manual_seed(seed) for seed in range(R)])
    x = normal(len(groups), R, *shape)
    scores, slopes = critic.scores_and_slopes(x, groups)
    all_of_them = critic(x)  # (b, r, 4 groups of 2)
    for i, group in enumerate(groups.tolist()):
        torch.testing.assert_close(scores[i], all_of_them[i, :, 2 * group : 2 * group + 2])
    torch.testing.assert_close(critic(x, groups), scores)
    twice = gradient_by_autograd(lambda images: critic(images, groups), x)
    torch.testing.assert_close(critic.input_gradient(slopes, groups), twice, atol=1e-10, rtol=1e-8)
    torch.testing.assert_close(critic.input_gradient(slopes), gradient_by_autograd(critic, x), atol=1e-10, rtol=1e-8)


def test_the_analytic_penalty_holds_in_single_precision_too() -> None:
    critic, x = tower((1, 28, 28)).float(), normal(B, R, 1, 28, 28).float()
    analytic = gradient_penalty(critic.input_gradient(critic.scores_and_slopes(x)[1]))
    torch.testing.assert_close(analytic, gradient_penalty(gradient_by_autograd(critic, x)), atol=1e-5, rtol=1e-5)


# --- gate (iii)


def test_eta_climbs_the_stairs_of_the_specification() -> None:
    at = [eta_at(t, 10.0, 1.2, 30_000) for t in (0, 29_999, 30_000, 60_000, 899_999, 900_000)]
    assert at[:2] == [10.0, 10.0]
    assert at[2:4] == [pytest.approx(12.0), pytest.approx(14.4)]
    assert at[4] == pytest.approx(1978, abs=0.5)
    assert at[5] == pytest.approx(2374, abs=0.5)
    assert eta_at(29_999, 10.0, 1.2, 1_000) == at[4]  # ORL: the same stairs in 30,000 iterations
