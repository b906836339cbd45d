"""One iteration of UDC: the plan that saves work against the algorithm as printed, stacked runs against single ones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie.images.augment import Augmentation
from coterie.images.presets import preset
from coterie.methods.adversaries import FIGURES, FigureSums, Players, Terms, iterate
from coterie.methods.probes import change_by
from coterie.methods.run_draws import Draw, RunDraws
from coterie.nets.gan import Generator, Tower

K, B, Z = 3, 6, 4
SHAPES = [(1, 16, 16), (3, 12, 12), (2,)]


class Trained:
    """Players of some runs with plain optimisers."""

    def __init__(
        self, shape: tuple[int, ...], seeds: tuple[int, ...], heads: int = 1, norm: str = "none", n_groups: int = 1
    ) -> None:
        n: dict[str, Any] = {"width": 2, "n_runs": len(seeds), "hidden": (12, 11, 10)}
        told = K + n_groups if n_groups > 1 else K
        self.networks: dict[str, Any] = {
            "generator": Generator(shape, told, Z, norm=norm, **n),
            "critic": Tower(shape, heads, n_groups=n_groups, **n), "classifier": Tower(shape, K, **n),
        }  # fmt: skip
        starts = [torch.Generator().manual_seed(seed) for seed in seeds]
        for network in self.networks.values():
            network.double().start(starts)
        self.players = Players(**self.networks, k=K, by_batch=norm == "bn")
        self.adams = {name: torch.optim.Adam(net.parameters(), 1e-2, (0.5, 0.9)) for name, net in self.networks.items()}
        self.losses: list[tuple[str, Tensor]] = []

    def update(self, player: str, losses: Tensor) -> None:
        self.losses.append((player, losses.detach().clone()))
        self.adams[player].zero_grad()
        losses.sum().backward()
        self.adams[player].step()

    def weights(self) -> dict[str, Tensor]:
        return {f"{name}.{key}": w for name, net in self.networks.items() for key, w in net.state_dict().items()}


def doubled(draw: Draw) -> Draw:
    grain = None if draw.grain is None else draw.grain.double()
    return draw._replace(noise=draw.noise.double(), mix=draw.mix.double(), grain=grain)


def drawn(seeds: tuple[int, ...], n_critic: int = 3, n_class: int = 2) -> Draw:
    return doubled(RunDraws(seeds, [1 / K] * K).take(n_critic, n_class, (B, Z)))


def real(shape: tuple[int, ...], n_critic: int = 3) -> Tensor:
    return torch.rand(n_critic, B, 1, *shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("heads", "n_groups"), [(1, 1), (10, 1), (1, 4), (3, 4)])
@pytest.mark.parametrize("at_once", [False, True])
def test_the_fused_plan_gives_the_losses_of_the_algorithm_line_by_line(
    shape: tuple[int, ...], heads: int, n_groups: int, at_once: bool
) -> None:
    """Gate (v), over two iterations and down to the weights."""
    fused, plain = (Trained(shape, (0, 1), heads, n_groups=n_groups) for _ in range(2))
    for seed in (5, 6):
        draw = drawn((seed, seed + 10))
        if n_groups > 1:
            draw = draw._replace(groups=torch.arange(6 * B).view(6, B) * seed % n_groups)
        a = iterate(fused.players, real(shape), draw, Terms(10.0, 2.0, at_once=at_once), fused.update)
        b = iterate(plain.players, real(shape), draw, Terms(10.0, 2.0, fused=False), plain.update)
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)
    assert [player for player, _ in fused.losses] == 2 * (["critic"] * 3 + ["classifier"] * 2 + ["generator"])
    for (name, one), (same, other) in zip(fused.losses, plain.losses, strict=True):
        assert name == same
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-7)
    for name, weight in fused.weights().items():
        torch.testing.assert_close(weight, plain.weights()[name], atol=1e-6, rtol=1e-6, msg=name)


def test_a_generator_that_normalises_by_the_batch_makes_its_batches_one_by_one_in_either_plan() -> None:
    shape = (3, 16, 16)
    fused, plain = Trained(shape, (0, 1), norm="bn"), Trained(shape, (0, 1), norm="bn")
    a = iterate(fused.players, real(shape), drawn((5, 6)), Terms(10.0, 2.0), fused.update)
    b = iterate(plain.players, real(shape), drawn((5, 6)), Terms(10.0, 2.0, fused=False), plain.update)
    torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stacked_runs_learn_what_single_runs_with_their_seeds_learn(shape: tuple[int, ...]) -> None:
    seeds = (3, 4, 5)
    stacked, singles = Trained(shape, seeds), [Trained(shape, (seed,)) for seed in seeds]
    draws, own = RunDraws(seeds, [1 / K] * K), [RunDraws((seed,), [1 / K] * K) for seed in seeds]
    for _ in range(3):
        iterate(stacked.players, real(shape), doubled(draws.take(3, 2, (B, Z))), Terms(10.0, 2.0), stacked.update)
        for single, draw in zip(singles, own, strict=True):
            iterate(single.players, real(shape), doubled(draw.take(3, 2, (B, Z))), Terms(10.0, 2.0), single.update)
    for i, single in enumerate(singles):
        for name, weight in single.weights().items():
            torch.testing.assert_close(stacked.weights()[name][i : i + 1], weight, atol=1e-7, rtol=1e-6, msg=name)


def test_a_step_moves_its_own_player_only_and_gradients_of_the_others_are_none() -> None:
    trained = Trained((1, 16, 16), (0,))
    before = {name: weight.clone() for name, weight in trained.weights().items()}
    moved: list[tuple[str, set[str]]] = []

    def update(player: str, losses: Tensor) -> None:
        last = {name: weight.clone() for name, weight in trained.weights().items()}
        trained.update(player, losses)
        now = trained.weights()
        moved.append((player, {name.split(".")[0] for name in now if not torch.equal(now[name], last[name])}))

    iterate(trained.players, real((1, 16, 16)), drawn((1,)), Terms(10.0, 2.0), update)
    assert all(names == {player} for player, names in moved)
    assert before.keys() == trained.weights().keys()
    assert all(weight.requires_grad for net in trained.networks.values() for weight in net.parameters())


@pytest.mark.parametrize("fused", [False, True])
def test_the_classifier_alone_looks_through_noise_and_each_run_through_its_own(fused: bool) -> None:
    """The critic's losses are as without, and so is all that a run without noise learns."""
    shape, seeds = (1, 16, 16), (0, 1)
    draw = RunDraws(seeds, [1 / K] * K, grain=(0.0, 0.5), shape=shape).take(3, 2, (B, Z))
    assert draw.grain is not None
    assert draw.grain.shape == (3, B, 2, *shape)
    assert not draw.grain[:, :, 0].any()
    assert draw.grain[:, :, 1].std().item() == pytest.approx(0.5, rel=0.05)
    noisy, clean = Trained(shape, seeds), Trained(shape, seeds)
    through, plain = doubled(draw), doubled(draw)._replace(grain=None)
    iterate(noisy.players, real(shape), through, Terms(10.0, 2.0, fused=fused), noisy.update)
    iterate(clean.players, real(shape), plain, Terms(10.0, 2.0, fused=fused), clean.update)
    for (name, one), (_, other) in zip(noisy.losses, clean.losses, strict=True):
        torch.testing.assert_close(one[0], other[0])
        if name == "critic":
            torch.testing.assert_close(one, other)
    first, before = noisy.losses[3][1][1], Trained(shape, seeds)
    seen = before.networks["generator"](through.noise[3], torch.eye(K, dtype=torch.float64)[through.clusters[3]])
    logits = before.networks["classifier"](seen + through.grain[0])[:, 1]  # type: ignore[index]
    torch.testing.assert_close(first, torch.nn.functional.cross_entropy(logits, through.clusters[3][:, 1]).detach())


def test_the_figures_are_the_means_of_what_the_steps_saw() -> None:
    trained = Trained((2,), (0, 1))
    figures = dict(
        zip(FIGURES, iterate(trained.players, real((2,)), drawn((1, 2)), Terms(10.0, 2.0), trained.update), strict=True)
    )
    critic = torch.stack([losses for player, losses in trained.losses if player == "critic"]).mean(0)
    torch.testing.assert_close(critic, 10 * figures["penalty"] - figures["wasserstein"])
    entropy = torch.stack([losses for player, losses in trained.losses if player == "classifier"]).mean(0)
    torch.testing.assert_close(entropy, figures["cross_entropy"])
    assert ((figures["fake_accuracy"] >= 0) & (figures["fake_accuracy"] <= 1)).all()


def augmentation() -> Augmentation:
    return preset("udc")


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 12)], ids=str)
def test_augmentation_lets_gradients_through_and_gives_each_run_its_own_draws(shape: tuple[int, ...]) -> None:
    images = torch.rand(4, 2, *shape).requires_grad_()
    generators: Callable[[], list[torch.Generator]] = lambda: [torch.Generator().manual_seed(s) for s in (1, 2)]  # noqa: E731
    change = change_by(augmentation(), generators(), shape[0] == 3)
    changed = change(images)
    assert changed.shape == images.shape
    changed.sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().sum() > 0
    alone = change_by(augmentation(), generators()[1:], shape[0] == 3)(images[:, 1:])
    torch.testing.assert_close(alone[:, 0], changed[:, 1])
    torch.testing.assert_close(change_by(augmentation(), generators(), shape[0] == 3)(images.detach()), changed)


def test_consistency_and_augmentation_train() -> None:
    trained = Trained((1, 16, 16), (0, 1))
    change = change_by(augmentation(), [torch.Generator().manual_seed(s) for s in (1, 2)], False)
    for net in trained.networks.values():
        net.float()
    draw = RunDraws((0, 1), [1 / K] * K).take(2, 2, (B, Z))
    terms = Terms(10.0, 2.0, consistency=1.0)
    figures = iterate(trained.players, real((1, 16, 16), 2).float(), draw, terms, trained.update, change)
    assert torch.isfinite(figures).all()
    own = [losses for player, losses in trained.losses if player == "classifier"]
    assert (torch.stack(own).mean(0) > figures[FIGURES.index("cross_entropy")]).all()


def test_sums_go_on_where_they_were_saved() -> None:
    sums, more = FigureSums(2), FigureSums(2)
    sums.add(torch.arange(8.0).reshape(4, 2))
    more.load_state_dict(sums.state_dict())
    assert sums.take() == more.take() == {
        "wasserstein": [0, 1], "penalty": [2, 3], "cross_entropy": [4, 5], "fake_accuracy": [6, 7],
    }  # fmt: skip
    assert sums.count == 0
