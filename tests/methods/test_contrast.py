"""The losses of twin contrast against loops, in float64."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from coterie.methods.contrast import (
    ABSENT,
    cluster_loss,
    gumbel_noise,
    instance_loss,
    marginal_kl,
    sample_kl,
    self_training_loss,
)
from oracles import plain_contrast as plain


def rows(n: int, d: int, seed: int) -> Tensor:
    return normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


@pytest.mark.parametrize("tau", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("b", [1, 5])
def test_the_contrast_of_images_is_that_of_a_loop(b: int, tau: float) -> None:
    v, keys, queue = rows(b, 4, 0), rows(b, 4, 1), rows(7, 4, 2)
    is_negative = torch.rand(b, 7, generator=torch.Generator().manual_seed(3)) > 0.4
    for mask in (None, is_negative):
        expected = plain.instance_loss(
            v.tolist(), keys.tolist(), queue.tolist(), None if mask is None else mask.tolist(), tau
        )
        found = instance_loss(v, keys, queue, mask, tau)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_several_samples_of_an_image_are_each_contrasted_with_its_one_key() -> None:
    v, keys, queue = torch.stack([rows(3, 4, 0), rows(3, 4, 5)]), rows(3, 4, 1), rows(6, 4, 2)
    found = instance_loss(v, keys, queue, None, 0.5)
    assert found.shape == (2, 3)
    for one, loss in zip(v, found, strict=True):
        torch.testing.assert_close(loss, instance_loss(one, keys, queue, None, 0.5))


def test_an_image_without_negatives_has_nothing_to_lose() -> None:
    v = rows(2, 4, 0)
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    torch.testing.assert_close(instance_loss(v, v, rows(3, 4, 1), nobody, 0.2), torch.zeros(2, dtype=torch.float64))


def test_the_divergence_of_each_image_and_of_the_mean_are_those_of_a_loop() -> None:
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pi = logits.softmax(1)
    expected = sum(plain.kl_to_uniform(p) for p in pi.tolist()) / 6
    assert float(sample_kl(logits.log_softmax(1))) == pytest.approx(expected, abs=1e-12)
    assert float(marginal_kl(pi.mean(0))) == pytest.approx(plain.kl_to_uniform(pi.mean(0).tolist()), abs=1e-12)


def test_self_training_is_that_of_a_loop_and_only_pulls_at_the_assignments() -> None:
    logits = rows(6, 5, 0).mul(4).requires_grad_()
    log_pi = logits.log_softmax(1)
    found = self_training_loss(log_pi, log_pi.exp().mean(0))
    assert float(found.detach()) == pytest.approx(plain.self_training(log_pi.exp().tolist()), abs=1e-12)
    found.backward()  # that of a cross entropy with a target that stands still
    pi, mean = log_pi.detach().exp(), log_pi.detach().exp().mean(0)
    target = pi.square() / mean
    torch.testing.assert_close(logits.grad, (pi - target / target.sum(1, keepdim=True)) / 6)
    empty = torch.tensor([[0.0, -300.0]])
    assert float(self_training_loss(empty, torch.tensor([1.0, 0.0]))) == pytest.approx(0)


def test_certain_and_equal_use_of_clusters_costs_nothing_on_the_mean_and_log_k_for_each() -> None:
    pi = torch.eye(4, dtype=torch.float64).repeat(3, 1)
    assert float(marginal_kl(pi.mean(0))) == pytest.approx(0, abs=1e-12)
    log_pi = (pi + 1e-30).log()
    assert float(sample_kl(log_pi)) == pytest.approx(math.log(4))
    assert float(marginal_kl(torch.tensor([1.0, 0, 0, 0]))) == pytest.approx(math.log(4))  # no NaN from 0 log 0


@pytest.mark.parametrize("query_negatives", [True, False])
@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_the_contrast_of_clusters_is_that_of_a_loop(tau: float, query_negatives: bool) -> None:
    k = 4
    r, others, queue = rows(k, 6, 0), rows(k, 6, 1), rows(11, 6, 2)
    ids = torch.tensor([0, 1, 2, 3, 0, 1, ABSENT, 3, -1, -1, 2])
    for present in (torch.ones(k, dtype=torch.bool), torch.tensor([True, False, True, True])):
        found = cluster_loss(r, others, queue, ids, present, tau=tau, query_negatives=query_negatives)
        expected = plain.cluster_loss(
            r.tolist(), others.tolist(), queue.tolist(), ids.tolist(), present.tolist(), tau, query_negatives
        )
        assert float(found) == pytest.approx(expected, abs=1e-12)


def test_without_memory_the_contrast_of_clusters_has_the_batch_alone() -> None:
    r, others = rows(3, 5, 0), rows(3, 5, 1)
    present = torch.ones(3, dtype=torch.bool)
    found = cluster_loss(r, others, torch.empty(0, 5, dtype=torch.float64), torch.empty(0), present, tau=0.5)
    assert float(found) == pytest.approx(plain.cluster_loss(r.tolist(), others.tolist(), [], [], [True] * 3, 0.5))


def test_an_absent_cluster_has_no_part_in_the_loss_or_its_gradient() -> None:
    r, others = rows(4, 5, 0).requires_grad_(), rows(4, 5, 1)
    present = torch.tensor([True, True, False, True])
    queue, ids = rows(2, 5, 2), torch.tensor([0, 2])
    loss = cluster_loss(r, others, queue, ids, present, tau=0.3)
    loss.backward()
    assert r.grad is not None
    assert not r.grad[2].any()
    assert r.grad[[0, 1, 3]].abs().sum(1).min() > 0
    moved = others.clone()
    moved[2] = -moved[2]
    assert torch.equal(cluster_loss(r, moved, queue, ids, present, tau=0.3), loss)
    nobody = cluster_loss(r, others, queue, ids, torch.zeros(4, dtype=torch.bool), tau=0.3)
    assert float(nobody.detach()) == 0.0


def test_gradients_of_the_losses_are_those_of_finite_differences() -> None:
    queue, ids, present = rows(5, 4, 9), torch.tensor([0, 1, 2, -1, ABSENT]), torch.tensor([True, True, False])
    v = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    keys = rows(3, 4, 3)
    assert torch.autograd.gradcheck(lambda x: instance_loss(x, keys, queue, None, 0.5), (v,))
    assert torch.autograd.gradcheck(lambda x: cluster_loss(x, keys, queue, ids, present, tau=0.5), (v,))
    assert torch.autograd.gradcheck(lambda x: sample_kl(x.log_softmax(1)), (v,))
    assert torch.autograd.gradcheck(lambda x: marginal_kl(x.softmax(1).mean(0)), (v,))


def test_equal_features_give_equal_finite_losses() -> None:
    same = torch.ones(4, 5, dtype=torch.float64) / math.sqrt(5)
    images = instance_loss(same, same, same.repeat(3, 1), None, 0.2)
    torch.testing.assert_close(images, torch.full((4,), math.log(13), dtype=torch.float64))
    clusters = cluster_loss(same, same, same, torch.arange(4), torch.ones(4, dtype=torch.bool), tau=0.2)
    assert float(clusters) == pytest.approx(math.log(1 + 3 + 3 + 3))


def test_gumbel_noise_has_the_mean_and_the_spread_of_its_distribution() -> None:
    noise = gumbel_noise((1, 200, 1000), torch.Generator().manual_seed(0))
    assert torch.isfinite(noise).all()
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.01)
    assert float(noise.var()) == pytest.approx(math.pi**2 / 6, abs=0.02)


def test_the_largest_sample_is_a_cluster_as_often_as_pi_says() -> None:
    pi = torch.tensor([0.5, 0.3, 0.15, 0.05])
    noise = gumbel_noise((1, 100_000, 4), torch.Generator().manual_seed(1))[0]
    chosen = (pi.log() + noise).argmax(1)
    torch.testing.assert_close(torch.bincount(chosen).float() / 100_000, pi, atol=0.006, rtol=0)
