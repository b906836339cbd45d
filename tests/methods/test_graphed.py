"""An iteration between tensors that stay gives the bits of one that does not; on a GPU, as a graph, its numbers too."""

from typing import Any

import pytest
import torch
from torch import Tensor

from coterie.errors import SlowPathWarning, TrainingError
from coterie.methods import graphed as module
from coterie.methods.adversaries import CLASSIFIER, CRITIC, GENERATOR, Players, Terms, iterate
from coterie.methods.graphed import WARM_UP, GraphedIterations, StaticIteration
from coterie.methods.run_draws import Draw, RunDraws
from coterie.methods.udc import UDC
from coterie.nets.gan import Generator, Tower
from methods.udc_runs import assert_same, train

K, B, Z, SHAPE, GROUPS = 3, 6, 4, (1, 16, 16), 5
ETAS = (2.0, 2.0, 2.4, 2.4, 2.88, 2.88, 3.456)  # a stair may end anywhere
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")


def players_of(device: str = "cpu", n_runs: int = 2) -> tuple[Players, dict[str, torch.optim.Optimizer]]:
    own: dict[str, Any] = {"width": 2, "n_runs": n_runs}
    networks: dict[str, Any] = {
        GENERATOR: Generator(SHAPE, K + GROUPS, Z, **own), CRITIC: Tower(SHAPE, 1, n_groups=GROUPS, **own),
        CLASSIFIER: Tower(SHAPE, K, **own),
    }  # fmt: skip
    for network in networks.values():
        network.start([torch.Generator().manual_seed(seed) for seed in range(n_runs)])
        network.to(device)
    adams: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.9), fused=True) for name, net in networks.items()
    }
    return Players(**networks, k=K), adams


def inputs(t: int, device: str = "cpu", n_critic: int = 3, n_runs: int = 2) -> tuple[Tensor, Draw]:
    real = torch.rand(n_critic, B, 1, *SHAPE, generator=torch.Generator().manual_seed(t))
    seeds, grain = (t, t + 100)[:n_runs], (0.1, 0.3)[:n_runs]
    draw = RunDraws(seeds, [1 / K] * K, grain=grain, shape=SHAPE).take(n_critic, 2, (B, Z))
    groups = torch.randint(GROUPS, (n_critic + 3, B), generator=torch.Generator().manual_seed(t))
    draw = draw._replace(groups=groups)
    return real.to(device), Draw(*(tensor.to(device) for tensor in tensors(draw)))


def tensors(draw: Draw) -> list[Tensor]:
    return [tensor for tensor in draw if tensor is not None]


def eagerly(
    players: Players, adams: dict[str, torch.optim.Optimizer], real: Tensor, draw: Draw, terms: Terms
) -> tuple[Tensor, Tensor]:
    losses = []

    def update(player: str, own: Tensor) -> None:
        adams[player].zero_grad()
        own.sum().backward()
        adams[player].step()
        losses.append(own.detach().clone())

    return iterate(players, real, draw, terms, update), torch.stack(losses)


def weights(players: Players) -> list[Tensor]:
    return [w for net in (players.generator, players.critic, players.classifier) for w in net.state_dict().values()]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("of_runs", [False, True])
def test_tensors_that_stay_give_the_bits_of_the_eager_iteration(at_once: bool, of_runs: bool) -> None:
    (a, adams_a), (b, adams_b) = players_of(), players_of()
    etas: list[Any] = [torch.tensor([eta, 3 * eta]) if of_runs else eta for eta in ETAS]
    fixed = StaticIteration(b, adams_b, *inputs(0), Terms(10.0, etas[0], at_once=at_once))
    for t, eta in enumerate(etas):
        figures, losses = eagerly(a, adams_a, *inputs(t), Terms(10.0, eta, at_once=at_once))
        fixed.fill(*inputs(t), eta)
        found = fixed.compute()
        assert torch.equal(found.figures, figures)
        assert torch.equal(found.losses, losses)
    assert all(torch.equal(one, other) for one, other in zip(weights(a), weights(b), strict=True))


def test_what_is_filled_in_is_copied_and_read_from_the_same_place() -> None:
    real, draw = inputs(0)
    fixed = StaticIteration(*players_of(), real, draw, Terms(10.0, 2.0))
    places = [tensor.data_ptr() for tensor in (fixed.real, *tensors(fixed.draw), fixed.eta)]
    fixed.fill(real, draw, 3.0)
    real.zero_()
    fixed.fill(*inputs(1), 4.0)
    assert places == [tensor.data_ptr() for tensor in (fixed.real, *tensors(fixed.draw), fixed.eta)]
    assert torch.equal(fixed.real, inputs(1)[0])
    assert fixed.terms.eta is fixed.eta
    assert float(fixed.eta) == 4.0


class Fake:
    """What of torch.cuda a capture calls, on a CPU: streams that are none, and a graph that computes again."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.played = refuses, 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        fake = self

        class Stream:
            def wait_stream(self, other: Any) -> None: ...

        class Nothing:
            def __init__(self, *given: Any, **named: Any) -> None: ...
            def __enter__(self) -> None: ...
            def __exit__(self, *given: Any) -> None: ...

        class Recording(Nothing):
            def __enter__(self) -> None:
                if fake.refuses:
                    raise RuntimeError("operation not permitted when stream is capturing")

        class Graph:
            def replay(self) -> None:
                fake.played += 1

        for name, own in {"Stream": Stream, "stream": Nothing, "graph": Recording, "CUDAGraph": Graph}.items():
            patch.setattr(module.torch.cuda, name, own)
        patch.setattr(module.torch.cuda, "current_stream", Stream)
        patch.setattr(Tensor, "record_stream", lambda tensor, stream: None)


def test_a_graph_is_recorded_once_after_the_warm_up_and_played_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(refuses=False)
    fake.install(monkeypatch)
    graphed = GraphedIterations(*players_of())
    outcomes = [graphed.iterate(*inputs(t), Terms(10.0, 2.0)) for t in range(WARM_UP + 3)]
    assert fake.played == 3
    assert outcomes[-1] is outcomes[-2] is outcomes[-3]
    graphed.iterate(*inputs(0, n_critic=4), Terms(10.0, 2.0))  # other steps, another graph
    assert fake.played == 3


def test_a_graph_that_cannot_be_recorded_is_told_once_and_the_training_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Fake(refuses=True).install(monkeypatch)
    (a, adams_a), (b, adams_b) = players_of(), players_of()
    graphed = GraphedIterations(b, adams_b)
    for t, eta in enumerate(ETAS):
        expected = eagerly(a, adams_a, *inputs(t), Terms(10.0, eta))
        if t == WARM_UP:
            with pytest.warns(SlowPathWarning, match=r"cannot be recorded as a CUDA graph \(operation not permitted"):
                found = graphed.iterate(*inputs(t), Terms(10.0, eta))
        else:
            found = graphed.iterate(*inputs(t), Terms(10.0, eta))
        assert torch.equal(found.figures, expected[0])
    assert all(torch.equal(one, other) for one, other in zip(weights(a), weights(b), strict=True))


def test_a_training_whose_graphs_are_refused_has_the_bits_of_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(None, n_runs=1)
    Fake(refuses=True).install(monkeypatch)
    monkeypatch.setattr(UDC, "_graphed", lambda self, run, parts: parts.graphed())  # as on a CUDA device
    found = train(None, n_runs=1)
    assert_same(found, expected)
    assert [record["step"] for record in found.training_] == [12, 24, 28]


def test_a_loss_that_is_no_number_stops_a_training_with_graphs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def iterate(players: Any, real: Any, draw: Any, terms: Any, update: Any) -> Any:
        update(CLASSIFIER, players.classifier.head.weight.sum((1, 2)) * float("nan"))
        return torch.zeros(4, 2)

    Fake(refuses=True).install(monkeypatch)
    monkeypatch.setattr(UDC, "_graphed", lambda self, run, parts: parts.graphed())
    monkeypatch.setattr(module, "iterate", iterate)
    with pytest.raises(TrainingError, match=r"loss became NaN at epoch 1 step 1.*\(in run 1, 2 of 2\)"):
        train(None)


@pytest.mark.parametrize("more", [{"augment": "udc"}, {"precision": "bf16"}, {"cuda_graph": "off"}], ids=str)
def test_what_a_graph_cannot_hold_is_trained_without_one(more: dict[str, Any]) -> None:
    parts = type("Parts", (), {"graphed": lambda parts: "recorded"})()
    on_a_gpu = type("Run", (), {"device": torch.device("cuda")})()
    assert UDC(n_clusters=2, **more)._graphed(on_a_gpu, parts) is None
    assert UDC(n_clusters=2)._graphed(on_a_gpu, parts) == "recorded"


def test_without_a_cuda_device_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.methods.gan_parts.Parts.graphed", lambda parts: pytest.fail("recorded"))
    train(None, n_runs=1, iterations=2)


@needs_cuda
def test_on_a_gpu_a_training_with_graphs_has_the_figures_of_one_without() -> None:
    own: dict[str, Any] = {"device": "cuda", "iterations": 12, "every": 4, "schedule": "code"}
    for one, other in zip(train(None, **own).training_, train(None, **own, cuda_graph="off").training_, strict=True):
        for name in ("wasserstein", "cross_entropy", "held_out", "entropy"):
            assert one[name] == pytest.approx(other[name], abs=1e-3)


@needs_cuda
@pytest.mark.parametrize("n_runs", [1, 2])
def test_on_a_gpu_the_graph_and_the_eager_iteration_agree(n_runs: int) -> None:
    """One run convolves with cuDNN, several with our kernels, each with an eta of its own."""
    (a, adams_a), (b, adams_b) = players_of("cuda", n_runs), players_of("cuda", n_runs)
    graphed = GraphedIterations(b, adams_b)
    for t, eta in enumerate(ETAS):
        terms = Terms(10.0, eta * torch.arange(1, n_runs + 1, device="cuda") if n_runs > 1 else eta)
        figures, losses = eagerly(a, adams_a, *inputs(t, "cuda", n_runs=n_runs), terms)
        found = graphed.iterate(*inputs(t, "cuda", n_runs=n_runs), terms)
        torch.testing.assert_close(found.figures, figures, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.losses, losses, atol=1e-4, rtol=1e-4)
    for one, other in zip(weights(a), weights(b), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@needs_cuda
def test_on_a_gpu_a_graph_made_anew_goes_on_where_another_stopped() -> None:
    (a, adams_a), (b, adams_b) = players_of("cuda"), players_of("cuda")
    whole, first = GraphedIterations(a, adams_a), GraphedIterations(b, adams_b)
    for t, eta in enumerate(ETAS):
        if t == WARM_UP + 1:  # as a resume: other tensors with the same numbers
            c, adams_c = players_of("cuda")
            for one, other in zip(weights(b), weights(c), strict=True):
                other.copy_(one)
            for name, adam in adams_b.items():
                adams_c[name].load_state_dict(adam.state_dict())
            b, first = c, GraphedIterations(c, adams_c)
        expected = whole.iterate(*inputs(t, "cuda"), Terms(10.0, eta))
        found = first.iterate(*inputs(t, "cuda"), Terms(10.0, eta))
        torch.testing.assert_close(found.losses, expected.losses, atol=1e-4, rtol=1e-4)
