"""One step of twin contrast: what it computes, remembers and tells, in one process and in two."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from coterie.methods.contrast import ABSENT
from coterie.methods.epoch_figures import EpochFigures
from coterie.methods.twins import Known, Memory, Objective, Parts, Step, clusters_of, perturbed, taught, twin_contrast
from coterie.nets.heads import Assigned, TwinHead
from coterie.training.memory import EMATwin, Queue
from coterie.training.processes import Part
from methods.two_twins import BATCH, IDS, VIEWS, D, Encoder, K, every_training
from oracles import plain_contrast as plain
from two import start_two


def assigned(b: int, k: int, d: int, seed: int) -> Assigned:
    generator = torch.Generator().manual_seed(seed)
    f = normalize(torch.randn(b, d, generator=generator, dtype=torch.float64), dim=1)
    log_pi = torch.randn(b, k, generator=generator, dtype=torch.float64).log_softmax(1)
    c = torch.randn(1, b, k, generator=generator, dtype=torch.float64).softmax(-1)
    return Assigned(f, log_pi, c, f[None])


def pieces(k: int = K, images: int = 20, past: int = 4) -> tuple[TwinHead, EMATwin, Memory]:
    torch.manual_seed(0)
    net = TwinHead(Encoder(), k, D, tau_q=0.5, temperature=0.3)
    return net, EMATwin(net, 0.9), Memory(Queue(images, D), Queue(past * k, D))


@pytest.mark.parametrize("weights", ["pi", "gumbel"])
def test_representations_of_clusters_are_those_of_a_loop(weights: str) -> None:
    first, second = assigned(9, 3, 4, 0), assigned(9, 3, 4, 1)
    r, others, present = clusters_of(first, second, Part(0, 9), Objective(3, weights=weights))
    for view, found in ((first, r), (second, others)):
        shares = view.log_pi.exp() if weights == "pi" else view.c[0]
        expected = plain.representations(shares.tolist(), view.f.tolist())
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert present.all()


def test_representations_of_clusters_do_not_depend_on_the_order_of_the_batch_while_column_vectors_do() -> None:
    first, second = assigned(12, 3, 4, 0), assigned(12, 3, 4, 1)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    shuffled = Assigned(first.f[order], first.log_pi[order], first.c[:, order], first.v[:, order])
    r, _, _ = clusters_of(first, second, Part(0, 12), Objective(3))
    again, _, _ = clusters_of(shuffled, second, Part(0, 12), Objective(3))
    torch.testing.assert_close(again, r)

    def columns(log_pi: Tensor) -> Tensor:
        """The clusters of CC: a column of the assignments of the batch, as long as the batch."""
        return normalize(log_pi.exp().T, dim=1)

    kept = columns(first.log_pi) @ columns(second.log_pi).T
    moved = columns(shuffled.log_pi) @ columns(second.log_pi).T
    assert (kept - moved).abs().max() > 0.01


def test_halves_of_a_batch_represent_clusters_independently() -> None:
    first, second = assigned(8, 2, 3, 0), assigned(8, 2, 3, 1)
    r, others, _ = clusters_of(first, second, Part(0, 8), Objective(2, halves=True))
    shares, shares_ = first.log_pi.exp(), second.log_pi.exp()
    expected = plain.representations(shares[:4].tolist(), first.f[:4].tolist())
    expected_ = plain.representations(shares_[4:].tolist(), second.f[4:].tolist())
    torch.testing.assert_close(r, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(others, torch.tensor(expected_, dtype=torch.float64))


def test_a_cluster_without_images_is_absent_and_leaves_no_negative_behind() -> None:
    first, second = assigned(10, 3, 4, 0), assigned(10, 3, 4, 1)
    log_pi = first.log_pi.clone()
    log_pi[:, 1] = -30.0
    _, others, present = clusters_of(first._replace(log_pi=log_pi.log_softmax(1)), second, Part(0, 10), Objective(3))
    assert present.tolist() == [True, False, True]
    memory = Memory(Queue(4, 4), Queue(6, 4))
    memory.push_clusters(others, present)
    assert memory.clusters.ids.tolist() == [0, ABSENT, 2, -1, -1, -1]


def test_the_loss_is_the_sum_of_its_terms_and_switches_take_terms_away() -> None:
    net, twin, memory = pieces()
    views, ids = (VIEWS[0, 0], VIEWS[0, 1]), IDS[0]
    known = Known(ids, ids % K)

    def step(**settings: object) -> tuple[float, Tensor]:
        o = replace(Objective(K, beta=0.5, alpha=2.0, gumbel=False), **settings)  # type: ignore[arg-type]
        result = twin_contrast(net, twin, views, known, memory, o, torch.Generator())
        return float(result.loss.detach()), result.terms

    loss, (l_inst, kl, l_clu) = step()
    assert loss == pytest.approx(float(l_inst + 0.5 * kl + 2 * l_clu), rel=1e-6)
    assert step(alpha=0.0)[0] == pytest.approx(float(l_inst + 0.5 * kl), rel=1e-6)
    assert step(beta=0.0)[0] == pytest.approx(float(l_inst + 2 * l_clu), rel=1e-6)
    assert step(instance=0.0)[0] == pytest.approx(float(2 * l_clu), rel=1e-6)
    assert step(kl="sample")[1][1] > kl
    lesson = taught(net.log_pi(net.encoder(views[0])), known.labels)
    dec = plain.self_training(net.log_pi(net.encoder(views[0])).exp().tolist())
    assert step(self_training=4.0)[0] == pytest.approx(loss + 4 * dec, rel=1e-5)
    assert step(teach=3.0)[0] == pytest.approx(loss + 3 * float(lesson.detach()), rel=1e-5)


def test_the_terms_of_a_step_are_those_of_loops_over_its_own_embeddings() -> None:
    net, twin, memory = pieces()
    memory.images.push(normalize(VIEWS[1, 0, :, :D], dim=1), IDS[1])
    memory.clusters.push_shared(VIEWS[2, 0, :K, :D], torch.arange(K))
    o = Objective(K, gumbel=False, tau=0.4, tau_c=0.6)
    views = (VIEWS[0, 0], VIEWS[0, 1])
    step = twin_contrast(net, twin, views, Known(IDS[0], IDS[0] * 0 - 1), memory, o, torch.Generator())
    quiet = torch.zeros(1, BATCH, K)
    first, second = net(views[0], quiet), twin(views[1], quiet)
    other = (memory.images.ids[None] != IDS[0][:, None]).tolist()
    images = plain.instance_loss(first.v[0].tolist(), second.v[0].tolist(), memory.images.keys.tolist(), other, o.tau)
    r = plain.representations(first.log_pi.exp().tolist(), first.f.tolist())
    r_ = plain.representations(second.log_pi.exp().tolist(), second.f.tolist())
    clusters = plain.cluster_loss(
        r, r_, memory.clusters.keys.tolist(), memory.clusters.ids.tolist(), [True] * K, o.tau_c
    )
    marginal = first.log_pi.exp().mean(0).tolist()
    expected = [sum(images) / BATCH, plain.kl_to_uniform(marginal), clusters]
    torch.testing.assert_close(step.terms, torch.tensor(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kl", ["sample", "marginal"])
def test_the_bound_of_a_step_is_that_of_loops_with_an_images_own_rows_left_out(kl: str) -> None:
    net, _, memory = pieces()
    twin = EMATwin(net.double(), 0.9)
    memory.images.push(normalize(VIEWS[1, 0, :, :D], dim=1), IDS[0].roll(1))  # every image has a row of its own
    memory.images.keys, memory.clusters.keys = memory.images.keys.double(), memory.clusters.keys.double()
    own = memory.images.ids[None] == IDS[0][:, None]
    assert own.any(1).all()
    assert not own.all(1).any()
    o = Objective(K, gumbel=False, tau=0.4, tau_c=0.6, beta=0.7, alpha=0.0, kl=kl)
    views, known = (VIEWS[0, 0].double(), VIEWS[0, 1].double()), Known(IDS[0], IDS[0] * 0 - 1)
    quiet = torch.zeros(1, BATCH, K, dtype=torch.float64)
    first, second = net(views[0], quiet), twin(views[1], quiet)
    pi = first.log_pi.exp()
    kls = [plain.kl_to_uniform(row) for row in (pi if kl == "sample" else pi.mean(0)[None]).tolist()]

    def bound(is_negative: list[list[bool]]) -> float:
        """Eq. 3 with its sign turned, in Python's own numbers."""
        rows, keys = memory.images.keys.tolist(), second.v[0].tolist()
        images = plain.instance_loss(first.v[0].tolist(), keys, rows, is_negative, o.tau)
        return sum(images) / BATCH + o.beta * sum(kls) / len(kls)

    def found(**changes: bool) -> float:
        step = twin_contrast(net, twin, views, known, memory, replace(o, **changes), torch.Generator())
        assert step.loss.dtype == torch.float64
        return float(step.loss.detach())

    everything = [[True] * len(memory.images)] * BATCH
    assert found() == pytest.approx(bound((~own).tolist()), rel=1e-12)
    assert found(mask_own=False) == pytest.approx(bound(everything), rel=1e-12)
    assert abs(bound(everything) - bound((~own).tolist())) > 1e-3


def test_an_empty_queue_takes_the_other_keys_of_the_batch_for_negatives() -> None:
    net, twin, memory = pieces(images=0)
    views = (VIEWS[0, 0], VIEWS[0, 1])
    o = Objective(K, gumbel=False, tau=0.4)
    step = twin_contrast(net, twin, views, Known(IDS[0], IDS[0] * 0 - 1), memory, o, torch.Generator())
    quiet = torch.zeros(1, BATCH, K)
    v, keys = net(views[0], quiet).v[0].tolist(), twin(views[1], quiet).v[0].tolist()
    others = [[i != j for j in range(BATCH)] for i in range(BATCH)]
    expected = plain.instance_loss(v, keys, keys, others, 0.4)
    assert float(step.terms[0]) == pytest.approx(sum(expected) / BATCH, rel=1e-4)


def test_more_samples_of_the_cluster_average_the_loss_and_share_one_key() -> None:
    net, twin, memory = pieces()
    views, known = (VIEWS[0, 0], VIEWS[0, 1]), Known(IDS[0], IDS[0] * 0 - 1)

    def step(m: int, seed: int) -> Step:
        generator = torch.Generator().manual_seed(seed)
        return twin_contrast(net, twin, views, known, memory, Objective(K, n_samples=m), generator)

    assert step(5, 0).keys.shape == step(1, 0).keys.shape == (BATCH, D)
    singles, many = (
        [float(step(1, seed).terms[0]) for seed in range(100)],
        [float(step(100, s).terms[0]) for s in (0, 1)],
    )
    # the key's own draw is shared, so many samples spread less than single ones around about the same mean
    assert np.mean(many) == pytest.approx(np.mean(singles), rel=0.15)
    assert np.std(many) < np.std(singles)


def test_only_taught_images_are_taught() -> None:
    log_pi = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).log_softmax(1)
    found = taught(log_pi, torch.tensor([2, -1, 0, -1]))
    assert float(found) == pytest.approx(-float(log_pi[0, 2] + log_pi[2, 0]) / 4)
    assert float(taught(log_pi, torch.full((4,), -1))) == 0.0


def test_a_perturbed_queue_keeps_its_length_and_nearly_its_direction() -> None:
    rows = normalize(torch.randn(50, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    found = perturbed(rows, 0.1, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(50))
    assert 0.8 < float((found * rows).sum(1).mean()) < 0.95
    assert perturbed(rows, 0.0, torch.Generator()) is rows


@pytest.mark.parametrize("shared", [0.0, 20.0])
def test_a_new_start_puts_prototypes_and_the_memory_where_the_clusters_are(shared: float) -> None:
    net, twin, memory = pieces()
    parts = Parts(net, net, twin, twin, torch.optim.SGD(net.parameters(), 0.1), memory, EpochFigures(1, K, "cpu"))
    labels = torch.arange(60) % K
    noise = 0.05 * torch.randn(60, D, generator=torch.Generator().manual_seed(1))
    # early in a training all features have a direction in common
    f = normalize(torch.eye(K, D)[labels] + noise + shared * torch.eye(D)[D - 1], dim=1)
    parts.start_anew(f, labels, 30, 4, torch.Generator().manual_seed(0))
    for head in (net, twin.net):
        assert (head.log_pi(f).argmax(1) == labels).all()
        between = head.prototypes.detach() @ head.prototypes.detach().T
        assert between.fill_diagonal_(-1).max() < 0  # they stay apart, however close the clusters are
    assert sorted(memory.clusters.ids.tolist()) == sorted([0, 1, 2] * 4)
    closest = (memory.clusters.keys @ net.prototypes.detach().T).argmax(1)
    assert torch.equal(closest, memory.clusters.ids)


def test_the_figures_of_an_epoch_are_means_over_its_batches_and_go_into_a_checkpoint() -> None:
    figures = EpochFigures(6, 2, torch.device("cpu"))
    certain = torch.tensor([[1.0, 1e-9], [1e-9, 1.0]]).log()
    even = torch.full((2, 2), 0.5).log()
    r = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    figures.add(torch.tensor([4, 1]), certain, r, torch.tensor([1.0, 2.0, 3.0]))
    again = EpochFigures(6, 2, torch.device("cpu"))
    again.load_state_dict(figures.state_dict())
    again.add(torch.tensor([0, 2]), even, r, torch.tensor([3.0, 2.0, 1.0]))
    told = again.take()
    assert told == pytest.approx(
        {
            "max_pi": 0.75, "entropy_each": math.log(2) / 2, "entropy_mean": math.log(2), "r_cosine": 0.6,
            "loss_instance": 2.0, "kl": 2.0, "loss_cluster": 2.0,
        },
        abs=1e-6,
    )  # fmt: skip
    assert again.labels.tolist() == [0, 1, 0, 0, 0, 0]
    assert again.sizes(2) == [5, 1]
    assert set(again.take().values()) == {0.0}


def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    both = start_two("methods.two_twins", tmp_path)
    for name, value in every_training(0, 1).items():
        np.testing.assert_allclose(both[0][name], value.detach().numpy(), rtol=0, atol=5e-6, err_msg=name)
        np.testing.assert_array_equal(both[0][name], both[1][name], err_msg=name)
