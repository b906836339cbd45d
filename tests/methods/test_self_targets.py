"""GATCluster's targets and losses against loops, and the properties of its Label Feature Theorem."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from coterie.methods.lloyd import kmeans_labels
from coterie.methods.self_targets import (
    Targets,
    Weights,
    attention_loss,
    attention_target,
    entropy_loss,
    log1mexp,
    make_targets,
    relation_groups,
    relation_loss,
    similarity_loss,
    similarity_target,
    total_loss,
)
from oracles import plain_self_targets as plain

K, M2 = 10, 40
Loss = Callable[[Tensor], Tensor]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labels(b: int, k: int = 4, seed: int = 0, sharpness: float = 1.5) -> Tensor:
    logits = torch.randn(b, k, dtype=torch.float64, generator=generator(seed))
    return (sharpness * logits).softmax(1)


def one_hot(index: Tensor, k: int = K) -> Tensor:
    return torch.nn.functional.one_hot(index, k).double()


# --- against loops


@pytest.mark.parametrize("b", [1, 2, 7, 20])
def test_targets_are_those_of_the_loops(b: int) -> None:
    q = labels(b)
    np.testing.assert_allclose(similarity_target(q).numpy(), plain.sim_target(q.numpy()), rtol=1e-12)
    np.testing.assert_allclose(attention_target(q).numpy(), plain.att_target(q.numpy()), rtol=1e-12)


def test_rows_of_targets_sum_to_nearly_1_and_lift_rare_clusters() -> None:
    q = labels(1000, K)
    for target in (similarity_target(q), attention_target(q)):
        assert 0.99 < float(target.sum(1).min()) <= float(target.sum(1).max()) < 1
    crowded = torch.full((1000, 2), 0.5, dtype=torch.float64)
    crowded[1:] = torch.tensor([0.9, 0.1])
    balanced = similarity_target(crowded)
    assert balanced[0, 1] > 0.8  # as sure as any of the rarer cluster
    assert attention_target(q).max(1).values.mean() > q.max(1).values.mean()


@pytest.mark.parametrize("b", [1, 2, 9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_are_those_of_the_loops(b: int, dtype: torch.dtype) -> None:
    label, attended, target = labels(b), labels(b, seed=1), labels(b, seed=2)
    groups = torch.arange(b) % 3
    close = {"rtol": 1e-9} if dtype == torch.float64 else {"rtol": 2e-4, "atol": 1e-6}
    pairs = [
        (similarity_loss(label.to(dtype), target.to(dtype)), plain.sim_loss(label.numpy(), target.numpy())),
        (relation_loss(label.to(dtype), groups), plain.rel_loss(label.numpy(), groups.numpy())),
        (entropy_loss(label.to(dtype)), plain.ent_loss(label.numpy())),
        (attention_loss(attended.to(dtype).log(), target.to(dtype)), plain.att_loss(attended.numpy(), target.numpy())),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(float(found), expected, **close)


def test_the_total_is_the_weighted_sum_of_its_parts() -> None:
    label, attended, targets = labels(9), labels(9, seed=1), make_targets(labels(9, seed=2), generator())
    loss, parts = total_loss(label.log(), attended.log(), targets, Weights(2, 3, 5, 7))
    similarity, relation, entropy, entropy_attended, attention = parts.tolist()
    expected = 2 * similarity + 3 * relation + 5 * (entropy + entropy_attended) + 7 * attention
    assert float(loss) == pytest.approx(expected)
    assert Weights() == (5, 1, 3, 5), "those of the paper"
    alone, rest = total_loss(label.log(), None, targets, Weights(2, 3, 5, 0))
    assert rest.tolist() == pytest.approx([similarity, relation, entropy, 0, 0])
    assert float(alone) == pytest.approx(2 * similarity + 3 * relation + 5 * entropy)


LOSSES: dict[str, Loss] = {
    "similarity": lambda z: similarity_loss(z.softmax(1), labels(len(z), seed=2)),
    "relation": lambda z: relation_loss(z.softmax(1), torch.arange(len(z)) % 2),
    "entropy": lambda z: entropy_loss(z.softmax(1)),
    "attention": lambda z: attention_loss(z.log_softmax(1), labels(len(z), seed=2)),
}


@pytest.mark.parametrize("loss", list(LOSSES))
def test_gradients_are_right(loss: str) -> None:
    z = torch.randn(5, 4, dtype=torch.float64, generator=generator(4)).requires_grad_()
    assert torch.autograd.gradcheck(LOSSES[loss], z)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("scale", [0.0, 1e-4, 60.0, 1e4])
def test_gradients_are_finite_where_outputs_are_equal_or_one_hot(loss: str, scale: float) -> None:
    z = (scale * torch.randn(6, 4, generator=generator(4))).requires_grad_()
    found = LOSSES[loss](z.double() if loss != "entropy" else z)
    found.backward()
    assert z.grad is not None
    assert torch.isfinite(found)
    assert torch.isfinite(z.grad).all()


def test_losses_do_not_depend_on_the_order_of_images_or_of_clusters() -> None:
    label, attended, q = labels(12), labels(12, seed=1), labels(12, seed=2)
    targets = Targets(similarity_target(q), attention_target(q), torch.arange(12) % 3, torch.tensor(False))
    rows, columns = torch.randperm(12, generator=generator(5)), torch.tensor([2, 0, 3, 1])
    moved = Targets(
        targets.similarity[rows][:, columns], targets.attention[rows][:, columns], targets.groups[rows], targets.guarded
    )
    first, _ = total_loss(label.log(), attended.log(), targets, Weights())
    again, _ = total_loss(label[rows][:, columns].log(), attended[rows][:, columns].log(), moved, Weights())
    assert float(first) == pytest.approx(float(again), rel=1e-12)


def test_log_of_1_minus_p_is_exact_at_both_ends() -> None:
    p = torch.tensor([1e-20, 1e-9, 0.3, 0.5, 0.7, 1 - 1e-9], dtype=torch.float64)
    np.testing.assert_allclose(log1mexp(p.log()).numpy(), np.log1p(-p.numpy()), rtol=1e-6)
    assert float(log1mexp(torch.tensor(0.0))) < -80


# --- relations


def blobs(each: int, k: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    index = torch.arange(k).repeat_interleave(each)
    points = 4 * one_hot(index, k) + 0.1 * torch.randn(each * k, k, dtype=torch.float64, generator=generator(seed))
    return points.softmax(1), index


def same_groups(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a[:, None] == a, b[:, None] == b)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_k_means_finds_groups_that_are_apart(k: int) -> None:
    points, index = blobs(30, k)
    assert same_groups(kmeans_labels(points, k, generator()), index)
    assert same_groups(kmeans_labels(points.float(), k, generator()), index)


def test_k_means_is_as_good_as_that_of_scikit_learn() -> None:
    from sklearn.cluster import KMeans

    points = labels(300, 5, sharpness=2.0)
    found = kmeans_labels(points, 5, generator())
    centres = torch.stack([points[found == label].mean(0) for label in range(5)])
    inertia = float((points - centres[found]).square().sum())
    assert inertia <= 1.02 * KMeans(5, n_init=20, random_state=0).fit(points.numpy()).inertia_


def test_k_means_tells_points_apart_that_are_nearly_the_same() -> None:
    points, index = blobs(20, 4)
    nearly = (0.25 + 1e-4 * (points - 0.25)).float()  # as the first outputs of a network are
    assert same_groups(kmeans_labels(nearly, 4, generator()), index)


def test_k_means_gives_the_same_bits_again_and_survives_equal_points() -> None:
    points = labels(100, 5)
    assert torch.equal(kmeans_labels(points, 5, generator(1)), kmeans_labels(points, 5, generator(1)))
    assert kmeans_labels(torch.ones(20, 3), 3, generator()).unique().numel() == 1


def test_groups_that_are_large_enough_relate_their_members() -> None:
    points, index = blobs(30, 5)
    groups, guarded = relation_groups(points, 5, generator())
    assert not guarded
    assert same_groups(groups, index)


@pytest.mark.parametrize("few", [1, 2, 3, 4])
def test_the_guard_relates_no_two_images_where_a_cluster_is_lost_or_tiny(few: int) -> None:
    points, index = blobs(30, 4)
    kept = torch.cat([torch.nonzero(index > 0)[:, 0], torch.arange(few)])
    groups, guarded = relation_groups(points[kept], 4, generator())
    assert bool(guarded) == (few < 0.1 * len(kept) / 4)
    if guarded:
        assert torch.equal(groups, torch.arange(len(kept)))


def test_a_collapsed_output_puts_the_guard_up() -> None:
    collapsed = one_hot(torch.zeros(50, dtype=torch.int64))
    assert make_targets(collapsed, generator()).guarded
    assert make_targets(torch.full((50, K), 0.1, dtype=torch.float64), generator()).guarded


# --- section 1: the theorem


def test_p1_l_times_l_is_1_exactly_for_one_hot_labels() -> None:
    inside = torch.distributions.Dirichlet(torch.full((K,), 0.3, dtype=torch.float64)).sample((500,))
    assert (inside.square().sum(1) < 1).all()
    assert (one_hot(torch.arange(K)).square().sum(1) == 1).all()


def test_p2_unit_labels_are_equal_exactly_when_labels_are() -> None:
    label = labels(50, K)
    y = label / label.norm(dim=1, keepdim=True)
    assert torch.equal(y[:, None].isclose(y, rtol=1e-12).all(2), torch.eye(50, dtype=torch.bool))
    back = y / y.sum(1, keepdim=True)
    torch.testing.assert_close(back, label)  # the simplex gives the length back


def test_p3_different_one_hot_labels_are_orthogonal() -> None:
    y = one_hot(torch.arange(K))
    assert torch.equal(y @ y.T, torch.eye(K, dtype=torch.float64))


def test_p4_all_k_labels_occur_only_because_no_cluster_may_be_empty() -> None:
    every, one = one_hot(torch.arange(M2) % K), one_hot(torch.zeros(M2, dtype=torch.int64))

    def pairs_alone(label: Tensor) -> float:
        return float(relation_loss(label, label.argmax(1), eps=0))  # r estimated from the labels themselves, as in DAC

    assert pairs_alone(every) == pairs_alone(one) == 0  # without the constraint, one cluster is an optimum too
    assert float((one * one).sum(1).mean()) == 1
    assert every.mean(0).min() > 0
    assert one.mean(0).min() == 0
    assert entropy_loss(every) < entropy_loss(one)


def own_targets(label: Tensor) -> Targets:
    return make_targets(label, generator())


def test_p5_the_losses_are_those_of_the_specification() -> None:
    balanced = one_hot(torch.arange(M2) % K)
    # 1e-5 beside sums of 4 and 1
    loss, parts = total_loss(balanced.log(), balanced.log(), own_targets(balanced), Weights())
    similarity, relation, entropy, entropy_attended, attention = parts.tolist()
    assert 5 * similarity == pytest.approx(-5, abs=1e-3)
    assert 3 * (entropy + entropy_attended) == pytest.approx(-6 * math.log(10), abs=1e-6)
    assert relation == pytest.approx(0, abs=1e-4)
    assert attention == pytest.approx(0, abs=2e-3)
    assert float(loss) == pytest.approx(-18.82, abs=0.02)


def test_p5_a_collapsed_output_is_punished() -> None:
    collapsed = one_hot(torch.zeros(32, dtype=torch.int64))
    targets = own_targets(collapsed)
    loss, parts = total_loss(collapsed.log(), collapsed.log(), targets, Weights())
    assert parts[2:4].abs().max() < 2e-3, "both entropies"
    # the eps in y = l / (|l| + eps) keeps 1 - s at 2e-5; without it the logarithm ends at -100, which gives the
    # specification's 93.9
    assert float(parts[1]) == pytest.approx(-math.log(1 - 1 / 1.00001**2) * 496 / 528, rel=1e-6)
    assert float(relation_loss(collapsed, targets.groups, eps=0)) == pytest.approx(100 * 496 / 528)
    assert float(loss) > -18.82 + 20


def test_p5_the_uniform_output_is_a_saddle() -> None:
    uniform = torch.full((M2, K), 1 / K, dtype=torch.float64)
    _, parts = total_loss(uniform.log(), uniform.log(), own_targets(uniform), Weights())
    assert 5 * float(parts[0]) == pytest.approx(-0.5, abs=1e-3)
    assert 3 * float(parts[2] + parts[3]) == pytest.approx(-13.816, abs=1e-3)
    balanced = one_hot(torch.arange(M2) % K)
    half, quarter = 0.5 * uniform + 0.5 * balanced, 0.75 * uniform + 0.25 * balanced
    losses = [float(total_loss(p.log(), p.log(), own_targets(p), Weights())[0]) for p in (quarter, half)]
    assert losses[0] > losses[1], "surer is better all the way"


def test_dacs_trivial_solution_is_an_optimum_of_the_pairs_and_not_of_this() -> None:
    """dac.md section 8, T1: all labels equal, relations estimated from the labels themselves."""
    trivial, good = one_hot(torch.zeros(M2, dtype=torch.int64)), one_hot(torch.arange(M2) % K)
    for label in (trivial, good):
        related = (label @ label.T > 0.5).long().argmax(1)
        assert float(relation_loss(label, related, eps=0)) < 1e-6
    scores = [float(total_loss(p.log(), p.log(), own_targets(p), Weights())[0]) for p in (trivial, good)]
    assert scores[0] > scores[1] + 10


# --- small sub-batches


@pytest.mark.parametrize(("m2", "k"), [(32, 10), (64, 10), (32, 20)])
def test_a_small_sub_batch_cannot_look_balanced(m2: int, k: int) -> None:
    """docs/methods/gatcluster.md has the table: what the entropy misses for right labels, about (k - 1) / (2 m2)."""
    draws = torch.randint(k, (2000, m2), generator=generator())
    short = [math.log(k) + float(entropy_loss(one_hot(rows, k))) for rows in draws]
    assert np.mean(short) == pytest.approx((k - 1) / (2 * m2), rel=0.2)
