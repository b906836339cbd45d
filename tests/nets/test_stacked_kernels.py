"""Our kernels for a GPU are convolutions: by PyTorch's, in float64, each network alone; gradients and theirs too.

Without a GPU, Triton's interpreter can run them (``pip install triton``, then TRITON_INTERPRET=1 before pytest).
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from coterie.nets import stacked
from coterie.nets.gan import Generator, Tower
from coterie.nets.stacked import after_conv, same_padding

triton = pytest.importorskip("triton", reason="Triton is not installed, and the kernels are written in it")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("the kernels need a CUDA device, or TRITON_INTERPRET=1", allow_module_level=True)

from coterie.nets import stacked_kernels as kernels  # noqa: E402 (it imports Triton)

NEAR = 2e-3 if DEVICE == "cuda" else 1e-6  # TF32 has 10 bits, the interpreter float32
# runs, images, channels in and out, rows, columns, stride
SHAPES = [
    (2, 3, 1, 4, 9, 8, 2), (2, 3, 4, 6, 7, 7, 2), (1, 2, 3, 5, 6, 6, 1), (2, 5, 16, 32, 4, 4, 2),
    (1, 2, 80, 70, 4, 4, 2), (2, 3, 2, 3, 5, 1, 2), (1, 2, 2, 3, 1, 1, 1),
]  # fmt: skip


class Case:
    """Random operands for one of ``SHAPES``, and where its convolution moves."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.runs, b, c_in, c_out, h, w, self.stride = shape
        self.size, self.out = (h, w), (after_conv(h, self.stride), after_conv(w, self.stride))
        self.padding = [same_padding(side, self.stride) for side in self.size]
        self.place = kernels.Place(self.stride, (self.padding[0][0], self.padding[1][0]))
        self.random = torch.Generator().manual_seed(0)
        self.x, self.y = self.numbers(b, self.runs, c_in, h, w), self.numbers(b, self.runs, c_out, *self.out)
        self.weight, self.bias = self.numbers(self.runs, c_out, c_in, 5, 5), self.numbers(self.runs, c_out)

    def numbers(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random).to(DEVICE).requires_grad_()

    def conv(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        (top, bottom), (left, right) = self.padding
        alone = [
            conv2d(pad(x[:, i], (left, right, top, bottom)), weight[i], bias[i], self.stride) for i in range(self.runs)
        ]
        return torch.stack(alone, 1)

    def transposed(self, y: Tensor, weight: Tensor) -> Tensor:
        """The gradient of ``conv`` at its input, by autograd."""
        x = torch.zeros_like(self.x, dtype=y.dtype).requires_grad_()
        made = self.conv(x, weight, torch.zeros_like(self.bias, dtype=y.dtype))
        return torch.autograd.grad(made, x, y, create_graph=True)[0]


@pytest.fixture(params=SHAPES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def exact(*tensors: Tensor) -> list[Tensor]:
    return [tensor.detach().double().requires_grad_() for tensor in tensors]


def agree(found: Any, expected: Any, near: float = NEAR) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert float(((one - other).norm() / other.norm()).detach()) < near


def values_and_gradients(function: Callable[..., Tensor], *operands: Tensor) -> list[Tensor]:
    made = function(*operands)
    gradient = torch.randn(made.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(made)
    return [made, *torch.autograd.grad(made, operands, gradient)]


def test_a_convolution_and_its_gradients_are_those_of_each_network_alone(case: Case) -> None:
    operands = case.x, case.weight, case.bias
    found = values_and_gradients(lambda *own: kernels.conv(*own, case.place, case.out), *operands)
    agree(found, values_and_gradients(case.conv, *exact(*operands)))


def test_a_transposed_convolution_is_the_gradient_at_the_input_and_has_its_gradients(case: Case) -> None:
    operands = case.y, case.weight
    found = values_and_gradients(lambda *own: kernels.transposed(*own, case.place, case.size), *operands)
    agree(found, values_and_gradients(case.transposed, *exact(*operands)))


def test_a_penalty_on_a_gradient_can_be_differentiated(case: Case) -> None:
    def penalty(conv: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
        slope = torch.autograd.grad((conv(x, weight, bias) ** 2).sum(), x, create_graph=True)[0]
        return list(torch.autograd.grad((slope**2).sum(), (x, weight)))

    operands = case.x, case.weight, case.bias
    found = penalty(lambda *own: kernels.conv(*own, case.place, case.out), *operands)
    agree(found, penalty(case.conv, *exact(*operands)), 4 * NEAR)  # four products, one after another


def test_any_order_of_memory_is_read(case: Case) -> None:
    swapped = case.x.detach().permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0)
    found = kernels.conv(swapped, case.weight, case.bias, case.place, case.out)
    assert torch.equal(found, kernels.conv(case.x, case.weight, case.bias, case.place, case.out))


@pytest.mark.parametrize(("n", "programs"), [(1, 1), (37_632, 10), (1000, 500), (256, 1), (14_700, 250)])
def test_what_is_summed_in_parts_is_summed_once(n: int, programs: int) -> None:
    parts, length = kernels._cut(n, programs, 32)
    assert parts * length >= n > (parts - 1) * length
    assert length % 32 == 0


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 9), (1, 28, 3)], ids=str)
def test_networks_with_our_kernels_are_the_networks_without(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images, scores, the gradient for the penalty, and what both players learn of them."""

    def learned() -> list[Tensor]:
        starts = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
        generator, critic = Generator(shape, 3, 4, width=4, n_runs=2), Tower(shape, 1, width=4, n_runs=2)
        for network in (generator, critic):
            network.start(starts)
            network.to(DEVICE)
        noise = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(2)).to(DEVICE)
        made = generator(noise, torch.eye(3, device=DEVICE)[[0, 1, 2, 0, 1]][:, None].expand(5, 2, 3))
        scores, slopes = critic.scores_and_slopes(made)
        gradient = critic.input_gradient(slopes)
        (scores.sum() + (gradient**2).sum()).backward()  # type: ignore[no-untyped-call]
        weights = [*generator.parameters(), *critic.parameters()]
        return [made, scores, gradient, *(weight.grad for weight in weights if weight.grad is not None)]

    monkeypatch.setattr(stacked, "_kernels", lambda maps: None)
    expected = [tensor.detach().double() for tensor in learned()]
    monkeypatch.setattr(stacked, "_kernels", lambda maps: kernels)
    agree([tensor.detach() for tensor in learned()], expected, 10 * NEAR)
