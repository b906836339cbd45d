"""Triplets and their loss against plain loops in float64 (jule.md B4, B5; E7 T8, T9)."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from coterie.methods.triplets import (
    nearest_negatives,
    positive_pairs,
    sq_distances,
    triplet_loss,
    triplet_loss_of_release,
    uniform_negatives,
)
from oracles import plain_triplets as plain

BATCHES = {
    "two even clusters": [0, 1, 0, 1, 0, 1],
    "one cluster and single images": [4, 0, 4, 9, 4, 2, 4],
    "pairs": [3, 3, 1, 1, 2, 2, 0, 0],
    "uneven": [0] * 7 + [5] * 3 + [1] + [8] * 2,
    "many": np.random.default_rng(0).integers(0, 30, 100).tolist(),
}
batches = pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(labels: list[int], n_negatives: int = 20, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    known = torch.tensor(labels)
    anchor, positive = positive_pairs(known)
    return anchor, positive, uniform_negatives(known, anchor, n_negatives, seeded(seed))


def as_list(anchor: Tensor, positive: Tensor, negatives: Tensor) -> list[tuple[int, int, int]]:
    rows = zip(anchor.tolist(), positive.tolist(), negatives.tolist(), strict=True)
    return [(a, p, n) for a, p, many in rows for n in many]


def raw_rows(b: int, seed: int = 0, d: int = 5) -> Tensor:
    return torch.randn(b, d, generator=seeded(seed), dtype=torch.float64)


# --- which triplets


@batches
def test_every_pair_of_a_label_is_a_positive_pair_once_and_the_earlier_image_is_its_anchor(labels: list[int]) -> None:
    anchor, positive = positive_pairs(torch.tensor(labels))
    assert list(zip(anchor.tolist(), positive.tolist(), strict=True)) == plain.pairs(labels)


@batches
@pytest.mark.parametrize("n_negatives", [1, 3, 20])
def test_the_number_of_triplets_is_that_of_the_specification(labels: list[int], n_negatives: int) -> None:
    assert len(as_list(*drawn(labels, n_negatives))) == plain.count(labels, n_negatives)


@batches
@pytest.mark.parametrize("n_negatives", [1, 3, 20])
def test_no_negative_has_the_label_of_its_anchor_and_none_comes_twice_in_a_pair(
    labels: list[int], n_negatives: int
) -> None:
    known = torch.tensor(labels)
    for seed in range(20):
        anchor, _, negatives = drawn(labels, n_negatives, seed)
        assert (known[negatives] != known[anchor][:, None]).all()
        assert all(len(set(row)) == len(row) for row in negatives.tolist())


def test_negatives_are_drawn_evenly_and_in_every_combination() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 3, 3])
    anchor = torch.zeros(30_000, dtype=torch.int64)
    negatives = uniform_negatives(labels, anchor, 2, seeded(3))
    assert negatives.shape == (30_000, 2)
    # 10 unordered pairs of the five images of other labels, 3,000 each expected; 9 degrees of freedom
    low, high = negatives.sort(dim=1).values.T
    times = torch.unique(low * 7 + high, return_counts=True)[1].double()
    assert len(times) == 10
    assert ((times - 3000) ** 2 / 3000).sum() < 27.9  # the 99.9 % point of chi squared


def test_each_pair_draws_its_own_negatives() -> None:
    labels = torch.tensor([0] * 10 + list(range(1, 60)))
    anchor, _ = positive_pairs(labels)
    negatives = uniform_negatives(labels, anchor, 5, seeded())
    assert len(torch.unique(negatives.sort(dim=1).values, dim=0)) > 40  # of 45 pairs
    again = uniform_negatives(labels, anchor, 5, seeded())
    other = uniform_negatives(labels, anchor, 5, seeded(1))
    assert torch.equal(again, negatives)
    assert not torch.equal(other, negatives)


@batches
@pytest.mark.parametrize("n_nearest", [1, 2, 4, 50])
def test_nearest_negatives_are_the_nearest_image_of_each_of_the_nearest_clusters(
    labels: list[int], n_nearest: int
) -> None:
    known, distances = torch.tensor(labels), sq_distances(normalize(raw_rows(len(labels))))
    anchor, _ = positive_pairs(known)
    found = nearest_negatives(known, anchor, distances, n_nearest)
    assert found.shape == (len(anchor), min(n_nearest, len(set(labels)) - 1))
    for a, row in zip(anchor.tolist(), found.tolist(), strict=True):
        assert row == plain.nearest(labels, a, distances.numpy(), n_nearest)


def test_labels_may_be_any_numbers_and_come_in_any_order() -> None:
    labels, distances = torch.tensor([70_000, 3, 70_000, 12, 3]), sq_distances(normalize(raw_rows(5)))
    anchor, positive = positive_pairs(labels)
    assert (anchor.tolist(), positive.tolist()) == ([0, 1], [2, 4])
    assert uniform_negatives(labels, anchor, 20, seeded()).shape == (2, 2)
    found = nearest_negatives(labels, anchor, distances, 2)
    assert (labels[found] != labels[anchor][:, None]).all()
    assert all(len(set(labels[row].tolist())) == 2 for row in found)


@pytest.mark.parametrize("labels", [[0], [3, 1, 2], []], ids=["one image", "no label twice", "no image"])
def test_a_batch_in_which_no_label_comes_twice_has_no_pairs(labels: list[int]) -> None:
    anchor, positive = positive_pairs(torch.tensor(labels, dtype=torch.int64))
    assert len(anchor) == len(positive) == 0


def test_a_batch_of_one_label_has_pairs_and_no_negatives() -> None:
    anchor, positive, negatives = drawn([5, 5, 5])
    assert len(anchor) == len(positive) == 3
    assert negatives.shape == (3, 0)


# --- the loss


def check_loss(labels: list[int], margin: float, gamma: float, seed: int) -> float:
    """Value and gradient by the rows before they had length 1, against the loops; returns the value."""
    anchor, positive, negatives = drawn(labels, 4, seed)
    raw = raw_rows(len(labels), seed).requires_grad_()
    value = triplet_loss(normalize(raw), anchor, positive, negatives, margin=margin, gamma=gamma)
    value.backward()
    unit, triplets = normalize(raw.detach()).numpy(), as_list(anchor, positive, negatives)
    assert value.item() == pytest.approx(plain.loss(unit, triplets, margin, gamma), abs=1e-12)
    expected = plain.before_unit_length(raw.detach().numpy(), plain.gradient(unit, triplets, margin, gamma))
    assert raw.grad is not None
    np.testing.assert_allclose(raw.grad.numpy(), expected, atol=1e-12)
    return value.item()


@batches
@pytest.mark.parametrize("gamma", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
def test_the_loss_and_its_gradient_are_those_of_the_loops(labels: list[int], margin: float, gamma: float) -> None:
    for seed in range(2):
        assert check_loss(labels, margin, gamma, seed) >= 0


@batches
def test_the_gradient_of_the_release_reaches_the_anchors_only(labels: list[int]) -> None:
    anchor, positive, negatives = drawn(labels, 4)
    raw = raw_rows(len(labels)).requires_grad_()
    value = triplet_loss_of_release(normalize(raw), anchor, positive, negatives, margin=0.2)
    value.backward()
    unit, triplets = normalize(raw.detach()).numpy(), as_list(anchor, positive, negatives)
    assert value.item() == pytest.approx(plain.loss(unit, triplets, 0.2, 1.0), abs=1e-12)
    by_rows = plain.gradient(unit, triplets, 0.2, 1.0, anchors_only=True)
    assert raw.grad is not None
    np.testing.assert_allclose(raw.grad.numpy(), plain.before_unit_length(raw.detach().numpy(), by_rows), atol=1e-12)
    never_anchor = sorted(set(range(len(labels))) - set(anchor.tolist()))
    assert never_anchor
    assert (raw.grad[never_anchor] == 0).all()


def test_the_release_and_the_right_gradient_agree_on_images_that_are_anchors_alone() -> None:
    anchor, positive = torch.tensor([0, 1]), torch.tensor([2, 3])
    negatives = torch.tensor([[4, 5], [5, 6]])
    found = []
    for loss in (triplet_loss, triplet_loss_of_release):
        raw = raw_rows(7).requires_grad_()
        loss(normalize(raw), anchor, positive, negatives, margin=2.0).backward()
        assert raw.grad is not None
        found.append(raw.grad)
    right, of_release = found
    assert torch.allclose(of_release[:2], right[:2])
    assert (right[2:].norm(dim=1) > 0).all()
    assert (of_release[2:] == 0).all()


def test_a_triplet_that_is_farther_apart_than_the_margin_costs_nothing_and_moves_nothing() -> None:
    raw = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value = triplet_loss(
        normalize(raw), torch.tensor([0]), torch.tensor([1]), torch.tensor([[2]]), margin=0.2, gamma=2.0
    )
    value.backward()
    assert value.item() == 0
    assert raw.grad is not None
    assert (raw.grad == 0).all()


def test_the_order_of_the_images_in_a_batch_does_not_matter() -> None:
    labels, raw = BATCHES["uneven"], raw_rows(13)
    anchor, positive, negatives = drawn(labels)
    order = torch.randperm(13, generator=seeded(5))
    place = order.argsort()  # image i of the first batch stands at place[i] of the second
    one = triplet_loss(normalize(raw), anchor, positive, negatives, margin=0.2, gamma=2.0)
    two = triplet_loss(normalize(raw[order]), place[anchor], place[positive], place[negatives], margin=0.2, gamma=2.0)
    assert one.item() == pytest.approx(two.item(), abs=1e-12)


def test_embeddings_that_are_all_the_same_cost_the_margin_and_give_a_finite_gradient() -> None:
    anchor, positive, negatives = drawn(BATCHES["pairs"])
    for loss in (triplet_loss, triplet_loss_of_release):
        raw = torch.ones(8, 5, dtype=torch.float64, requires_grad=True)
        value = loss(normalize(raw), anchor, positive, negatives, margin=0.2)
        value.backward()
        assert value.item() == pytest.approx(0.2, abs=1e-12)
        assert raw.grad is not None
        np.testing.assert_allclose(raw.grad.numpy(), 0.0, atol=1e-12)  # in every direction the same, so in none


def test_distances_of_unit_rows_are_squared_and_carry_no_gradient() -> None:
    raw = raw_rows(6).requires_grad_()
    found = sq_distances(normalize(raw))
    assert not found.requires_grad
    unit = normalize(raw.detach()).numpy()
    expected = [[plain.squared(one, other) for other in unit] for one in unit]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
