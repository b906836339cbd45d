"""The losses of DCCM against loops in float64, at the edges of their thresholds, and the theory they rest on."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from coterie.methods.correlations import (
    graph_loss,
    information_loss,
    invariance_loss,
    label_cross_entropy,
    label_loss,
    pseudo_graph,
    pseudo_labels,
    similarities,
)
from oracles import plain_correlations as plain

SEEDS = pytest.mark.parametrize("seed", range(4))


def scores(n: int = 9, k: int = 4, seed: int = 0, scale: float = 3.0) -> Tensor:
    """(n, k) float64 logits; the larger the scale, the nearer their softmax is to one-hot."""
    return scale * torch.randn(n, k, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def graph(n: int = 9, seed: int = 0) -> Tensor:
    random = torch.rand(n, n, generator=torch.Generator().manual_seed(seed)) < 0.4
    return (random | random.T).fill_diagonal_(True)


def coin(n: int = 9, seed: int = 0) -> Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.6


# --- Eqs. 2, 3


@SEEDS
def test_the_graph_loss_is_the_mean_over_all_pairs(seed: int) -> None:
    z, linked = scores(seed=seed).softmax(1), graph(seed=seed)
    assert graph_loss(z, linked).item() == pytest.approx(plain.graph_loss(z.tolist(), linked.tolist()), rel=1e-9)


def test_the_graph_loss_has_the_slope_that_differences_have() -> None:
    raw, linked = scores(5, 3, scale=1).requires_grad_(), graph(5)
    assert torch.autograd.gradcheck(lambda a: graph_loss(a.softmax(1), linked), raw)


def test_an_unlinked_pair_of_equal_images_costs_a_finite_sum_in_single_precision() -> None:
    raw = torch.tensor([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0]], requires_grad=True)
    loss = graph_loss(raw.softmax(1), torch.eye(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == pytest.approx(-2 * math.log(1e-7) / 9, rel=1e-3)
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_a_pair_on_the_threshold_is_linked_and_one_below_it_is_not() -> None:
    cosines = torch.tensor([[1.0, 0.5, 0.49], [0.5, 1.0, 0.51], [0.49, 0.51, 1.0]])
    assert pseudo_graph(cosines, 0.5).tolist() == [[True, True, False], [True, True, True], [False, True, True]]


@pytest.mark.parametrize("threshold", [0.0, 0.95, 1.0])
def test_an_image_is_linked_with_itself_at_every_threshold(threshold: float) -> None:
    linked = pseudo_graph(similarities(scores(50).softmax(1).float()), threshold)
    assert linked.diagonal().all()
    assert linked.all() == (threshold == 0)


def test_similarities_are_cosines() -> None:
    z = scores().softmax(1)
    rows = z.tolist()
    wanted = torch.tensor([[plain.cosine(a, b) for b in rows] for a in rows], dtype=torch.float64)
    torch.testing.assert_close(similarities(z), wanted.clamp(max=1))


# --- Eqs. 7 to 9


@SEEDS
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_the_label_loss_is_the_mean_of_binary_cross_entropies(seed: int, scale: float) -> None:
    raw = scores(seed=seed, scale=scale)
    z = raw.softmax(1)
    y, sure = scores(seed=seed + 9).argmax(1), coin(seed=seed)
    wanted = plain.label_loss(z.tolist(), y.tolist(), sure.tolist())
    assert label_loss(raw.log_softmax(1), y, sure).item() == pytest.approx(wanted, rel=1e-6)


@SEEDS
def test_the_other_label_loss_is_the_cross_entropy(seed: int) -> None:
    raw, y, sure = scores(seed=seed), scores(seed=seed + 9).argmax(1), coin(seed=seed)
    wanted = plain.label_cross_entropy(raw.softmax(1).tolist(), y.tolist(), sure.tolist())
    assert label_cross_entropy(raw.log_softmax(1), y, sure).item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("loss", [label_loss, label_cross_entropy])
def test_both_label_losses_have_the_slope_that_differences_have(loss: object) -> None:
    raw, y, sure = scores(5, 3, scale=1).requires_grad_(), torch.tensor([0, 1, 2, 0, 1]), coin(5)
    assert torch.autograd.gradcheck(lambda a: loss(a.log_softmax(1), y, sure), raw)  # type: ignore[operator]


@pytest.mark.parametrize("loss", [label_loss, label_cross_entropy])
def test_certainty_of_the_wrong_cluster_costs_a_finite_sum(loss: object) -> None:
    raw = torch.tensor([[200.0, 0.0, 0.0], [0.0, 0.0, 200.0]], requires_grad=True)
    value = loss(raw.log_softmax(1), torch.tensor([1, 2]), torch.tensor([True, True]))  # type: ignore[operator]
    value.backward()
    assert value.isfinite()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_a_probability_on_the_threshold_is_sure_and_one_below_it_is_not() -> None:
    z = torch.tensor([[0.9, 0.1], [0.25, 0.75], [0.1, 0.9]])
    y, sure = pseudo_labels(z, z[0, 0].item())
    assert y.tolist() == [0, 1, 1]
    assert sure.tolist() == [True, False, True]


def test_no_sure_image_is_no_label_loss() -> None:
    raw = scores()
    none = torch.zeros(9, dtype=torch.bool)
    assert label_loss(raw.log_softmax(1), raw.argmax(1), none).item() == 0
    assert label_cross_entropy(raw.log_softmax(1), raw.argmax(1), none).item() == 0


# --- Eqs. 11 to 14


@SEEDS
def test_the_invariance_loss_is_the_mean_distance(seed: int) -> None:
    z, other = scores(seed=seed).softmax(1), scores(seed=seed + 9).softmax(1)
    assert invariance_loss(z, other).item() == pytest.approx(
        plain.invariance_loss(z.tolist(), other.tolist()), rel=1e-9
    )


def test_the_invariance_loss_has_a_slope_where_nothing_has_changed() -> None:
    z = torch.tensor([[0.5, 0.5]], requires_grad=True)
    invariance_loss(z.detach(), z).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@SEEDS
def test_the_information_loss_is_the_mean_over_pairs_and_places(seed: int) -> None:
    drawn = torch.randn(4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    together, apart, counted = drawn[:2], drawn[2:], coin(6, seed)
    wanted = plain.information_loss(together.flatten(0, 1).tolist(), apart.tolist(), counted.tolist())
    assert information_loss(together, apart, counted).item() == pytest.approx(wanted, rel=1e-9)


def test_the_information_loss_is_two_log_two_where_nothing_is_told_apart_and_zero_at_best() -> None:
    every, zero = torch.ones(6, dtype=torch.bool), torch.zeros(2, 6, 5)
    assert information_loss(zero, zero, every).item() == pytest.approx(2 * math.log(2))
    assert information_loss(zero + 99, zero - 99, every).item() == pytest.approx(0, abs=1e-9)


def test_images_without_an_unlinked_one_count_in_the_first_half_only() -> None:
    zero = torch.zeros(2, 6, 5)
    assert information_loss(zero, zero, torch.zeros(6, dtype=torch.bool)).item() == pytest.approx(math.log(2))


# --- the theory


def n_components(weights: dict[tuple[int, int], float], n: int, threshold: float) -> int:
    """By union and find, over the edges above ``threshold``."""
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for (i, j), weight in weights.items():
        if weight > threshold:
            parent[root(i)] = root(j)
    return sum(parent[node] == node for node in range(n))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.randoms(use_true_random=False))
def test_lemma_1_some_threshold_leaves_exactly_k_parts_for_every_k(n: int, random: object) -> None:
    pairs = [(i, j) for i in range(n) for j in range(i)]
    order = random.sample(range(len(pairs)), len(pairs))  # type: ignore[attr-defined]
    weights = dict(zip(pairs, map(float, order), strict=True))  # all different
    counts = [n_components(weights, n, threshold - 0.5) for threshold in range(len(pairs) + 1)]
    assert (counts[0], counts[-1]) == (1, n)
    assert all(after - before in (0, 1) for before, after in pairwise(counts))
    assert set(counts) == set(range(1, n + 1))


@settings(max_examples=4, deadline=None)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_claim_1_where_the_similarities_are_a_partition_into_k_every_prediction_is_one_hot(k: int, seed: int) -> None:
    classes = torch.arange(3 * k) % k
    linked = classes[:, None] == classes[None]
    raw = (0.1 * scores(3 * k, k, seed) + torch.eye(k, dtype=torch.float64)[classes]).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.5)
    for _ in range(150):
        optimizer.zero_grad()
        graph_loss(raw.softmax(1), linked).backward()
        optimizer.step()
    z = raw.detach().softmax(1)
    assert (similarities(z) - linked.double()).abs().max() < 1e-3
    assert z.max(1).values.min() > 0.99
    assert len(set(z.argmax(1).tolist())) == k


@SEEDS
def test_claim_1_fails_as_soon_as_there_are_fewer_parts_than_clusters(seed: int) -> None:
    """Two parts among three clusters: a prediction may then be spread over the clusters that nobody else has."""
    z = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)[(torch.arange(6) + seed) % 2]
    linked = similarities(z) > 0.5
    assert graph_loss(z, linked).item() == pytest.approx(0, abs=1e-9)
    assert z.max(1).values.min() == 0.5


def test_the_order_of_the_images_changes_no_loss() -> None:
    raw, linked, sure = scores(), graph(), coin()
    other = torch.randperm(9, generator=torch.Generator().manual_seed(5))
    z, y = raw.softmax(1), raw.argmax(1)
    torch.testing.assert_close(graph_loss(z[other], linked[other][:, other]), graph_loss(z, linked))
    torch.testing.assert_close(
        label_loss(raw[other].log_softmax(1), y[other], sure[other]), label_loss(raw.log_softmax(1), y, sure)
    )
