"""The queue of keys and the slow twin: arithmetic against loops, checkpoints, and two processes that equal one."""

import signal
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from coterie.errors import CheckpointError, ConfigError, TrainingStopped
from coterie.nets.resnet import small_trunk
from coterie.training.memory import EMATwin, Queue, unit
from coterie.training.run import Run

IMAGES = np.random.default_rng(5).integers(0, 256, (24, 1, 8, 8), dtype=np.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def held(queue: Queue) -> list[tuple[int, list[float]]]:
    """Rows of a queue, oldest first."""
    order = torch.arange(queue.pushed, queue.pushed + len(queue)) % max(len(queue), 1)
    return [(int(queue.ids[row]), queue.keys[row].tolist()) for row in order]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 7), st.lists(st.integers(0, 16), max_size=8))
def test_a_queue_holds_what_a_list_that_drops_its_oldest_rows_holds(size: int, batches: list[int]) -> None:
    queue = Queue(size, 3, generator=seeded())
    expected = deque(held(queue), maxlen=size)
    numbers = iter(range(1000))
    for b in batches:
        keys, ids = torch.randn(b, 3, generator=seeded(b)), torch.tensor([next(numbers) for _ in range(b)])
        queue.push(keys, ids.long())
        expected.extend((int(i), unit(key).tolist()) for i, key in zip(ids, keys, strict=True))
    assert [i for i, _ in held(queue)] == [i for i, _ in expected]
    np.testing.assert_allclose([key for _, key in held(queue)], [key for _, key in expected], atol=1e-6)
    assert (len(queue), queue.pushed, queue.filled) == (size, sum(batches), min(size, sum(batches)))


def test_a_new_queue_holds_random_directions_of_no_image() -> None:
    queue = Queue(5000, 3, generator=seeded())
    assert torch.allclose(queue.keys.norm(dim=1), torch.ones(5000))
    assert queue.keys.mean(0).abs().max() < 0.03
    assert bool((queue.ids == -1).all())
    assert torch.equal(queue.keys, Queue(5000, 3, generator=seeded()).keys)


def test_keys_are_kept_in_single_precision_at_length_one_without_gradients() -> None:
    queue = Queue(4, 2, generator=seeded())
    keys = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    queue.push(keys, torch.tensor([7, 8], dtype=torch.int32))
    assert queue.keys.dtype == torch.float32
    assert not queue.keys.requires_grad
    assert torch.allclose(queue.keys[:2], torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_rows_of_the_same_image_are_told_from_true_negatives() -> None:
    queue = Queue(4, 2, generator=seeded())
    queue.push(torch.randn(3, 2), torch.tensor([5, 6, 5]))
    assert queue.is_other(torch.tensor([5, 9])).tolist() == [[False, True, False, True], [True, True, True, True]]


def test_going_backward_after_the_push_fails_rather_than_using_the_wrong_rows() -> None:
    queue = Queue(4, 2, generator=seeded())
    features = torch.randn(3, 2, requires_grad=True)
    loss = (features @ queue.keys.T).sum()
    queue.push(features, torch.arange(3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_keys_of_another_length_are_refused_and_a_queue_cannot_be_negative() -> None:
    with pytest.raises(RuntimeError):
        Queue(4, 2).push(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ConfigError, match="a queue of -1 keys of 2 numbers cannot be"):
        Queue(-1, 2)
    with pytest.raises(ConfigError, match="a queue of 4 keys of 0 numbers cannot be"):
        Queue(4, 0)


def test_a_saved_queue_goes_on_where_it_stood_and_fits_only_its_own_shape() -> None:
    queue, other = Queue(5, 2, generator=seeded(1)), Queue(5, 2, generator=seeded(2))
    queue.push(torch.randn(7, 2, generator=seeded(3)), torch.arange(7))
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.push(torch.ones(2, 2), torch.tensor([90, 91]))
    assert held(queue) == held(other)
    with pytest.raises(ValueError, match=r"a queue of \(5, 2\) numbers was saved, and this one has \(6, 2\)"):
        Queue(6, 2).load_state_dict(queue.state_dict())


def convolutional() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4))


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.999, 1.0])
def test_weights_of_the_twin_are_averages_over_the_steps(momentum: float) -> None:
    net = convolutional().double()
    twin = EMATwin(net, momentum)
    expected = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    for step in range(4):
        with torch.no_grad():
            for weight in net.parameters():
                weight.add_(0.1 * torch.randn(weight.shape, generator=seeded(step), dtype=torch.float64))
        twin.update()
        for name, weight in net.named_parameters():
            expected[name] = momentum * expected[name] + (1 - momentum) * weight.detach()
    for name, weight in twin.net.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[name], rtol=0, atol=1e-12)
    if momentum in (0.0, 1.0):
        same = net if momentum == 0.0 else convolutional().double()
        assert all(torch.equal(a, b) for a, b in zip(twin.net.parameters(), same.parameters(), strict=True))


def test_the_twin_starts_equal_gets_no_gradient_and_shares_no_memory() -> None:
    net = convolutional()
    twin = EMATwin(net)
    x = torch.rand(5, 1, 8, 8, requires_grad=True)
    assert torch.equal(twin(x), net(x))
    assert not twin(x).requires_grad
    assert not any(weight.requires_grad for weight in twin.parameters())
    with torch.no_grad():
        net[0].weight.zero_()
    assert bool(twin.net[0].weight.any())
    assert not any(name.startswith("_source") or "source" in name for name in twin.state_dict())


def test_own_statistics_are_those_of_the_twins_batches() -> None:
    net = convolutional()
    twin = EMATwin(net, 0.5, "own")
    x = torch.rand(6, 1, 8, 8)
    assert twin.training
    twin(x)
    twin.update()
    seen = nn.functional.conv2d(x, net[0].weight, net[0].bias).detach()
    assert torch.allclose(twin.net[1].running_mean, 0.1 * seen.mean((0, 2, 3)), atol=1e-6)
    assert int(twin.net[1].num_batches_tracked) == 1
    assert not bool(net[1].running_mean.any())


@pytest.mark.parametrize(("mode", "kept"), [("copy", 0.0), ("ema", 0.8)])
def test_copied_and_averaged_statistics_are_those_of_the_network(mode: Any, kept: float) -> None:
    net = convolutional()
    twin = EMATwin(net, 0.8, mode)
    assert not twin.training
    expected = twin.net[1].running_var.clone()
    for _ in range(3):
        net(torch.rand(6, 1, 8, 8))
        twin(torch.rand(6, 1, 8, 8) + 7)  # in evaluation mode this leaves no trace
        twin.update()
        expected = kept * expected + (1 - kept) * net[1].running_var
    assert torch.allclose(twin.net[1].running_var, expected, atol=1e-6)
    assert int(twin.net[1].num_batches_tracked) == 3


def test_the_mode_of_the_twin_can_be_changed_and_so_can_the_momentum() -> None:
    net = convolutional()
    twin = EMATwin(net, 0.9).eval()
    x = torch.rand(3, 1, 8, 8)
    assert torch.allclose(twin(x), convolutional().eval()(x))
    with torch.no_grad():
        net[4].bias.fill_(1.0)
    twin.momentum = 0.0
    twin.update()
    assert torch.equal(twin.net[4].bias, torch.ones(4))


@pytest.mark.parametrize("momentum", [-0.1, 1.5, float("nan")])
def test_a_momentum_that_is_no_share_is_refused(momentum: float) -> None:
    with pytest.raises(ConfigError, match="is not a share: give 0 to 1"):
        EMATwin(convolutional(), momentum)


def test_an_unknown_kind_of_statistics_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_norm='none' is unknown: give own, copy or ema"):
        EMATwin(convolutional(), 0.9, "none")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_network_that_was_set_up_gets_a_twin_that_is_set_up_too(precision: str) -> None:
    with Run(None, device="cpu", precision=precision) as run:
        net = run.setup(small_trunk((1, 8, 8)))
        twin = run.setup(EMATwin(net, 0.0))
        x = torch.rand(4, 1, 8, 8)
        assert torch.equal(net(x), twin(x))
        with torch.no_grad():
            for weight in net.parameters():
                weight.mul_(0.5)
        twin.update()
        assert torch.equal(net(x), twin(x))
        plain = twin.state_dict().keys()
    assert all(name.startswith("net.layers.") for name in plain)


def contrast(folder: Path | None, size: int = 30, stop: int | None = None) -> dict[str, Tensor]:
    """A training with a queue and a twin; a signal comes after ``stop`` steps."""
    with Run(folder, device="cpu", save_every=0.0) as run:
        net = run.setup(nn.Sequential(small_trunk((1, 8, 8)), nn.Linear(128, 6)))
        twin = run.setup(EMATwin(net, 0.9))
        queue = Queue(size, 6, run.device, run.random.device)
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.05))
        run.track(net=net, twin=twin, queue=queue, optimizer=optimizer)
        for _ in run.epochs(3):
            for batch in run.batches(IMAGES, 8):
                keys, features = unit(twin(batch.clean.flip(3))), unit(net(batch.clean))
                wrong = (features @ queue.keys.T).masked_fill(~queue.is_other(batch.index), -torch.inf)
                right = (features * keys).sum(1, keepdim=True)
                run.step(optimizer, torch.cat([right, wrong], 1).logsumexp(1).mean() - right.mean())
                twin.update()
                queue.push(keys, batch.index)
                if queue.pushed == 8 * (stop or -1):
                    signal.raise_signal(signal.SIGTERM)
        return {**twin.state_dict(), **net.state_dict(), "keys": queue.keys, "ids": queue.ids}


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_training_with_both_resumes_to_the_same_bits(tmp_path: Path, stop: int) -> None:
    with pytest.raises(TrainingStopped):
        contrast(tmp_path, stop=stop)
    again, straight = contrast(tmp_path), contrast(None)
    assert [name for name in straight if not torch.equal(again[name], straight[name])] == []
    with pytest.raises(CheckpointError, match=r"'queue' in the checkpoint does not fit .* this one has \(31, 6\)"):
        contrast(tmp_path, size=31)
