"""Layers of several networks at once: ``r`` networks of one shape whose weights lie in one tensor.

Ten small networks give a GPU little to do when they are trained one after another. Stacked, they are one grouped
convolution (on a GPU one launch of ``stacked_kernels``) or one batch of matrix products, and network ``i`` computes
what it would alone: activations are (b, r, ...), and nothing mixes the second dimension.

Each layer has a ``back``: what a gradient at its output is at its input, as a function of the weights, from which a
gradient penalty can be trained without differentiating twice.
"""

import math
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, conv_transpose2d, pad

from coterie.errors import SlowPathWarning

convolution_backward = torch.ops.aten.convolution_backward

KERNEL = 5  # of every convolution of UDC (udc.md section 5)
TF32_FROM = (8, 0)  # compute capability

Generators = Sequence[torch.Generator | None]


def uniform_(weight: Tensor, bound: float, generators: Generators) -> None:
    """Fills ``weight`` (r, ...) evenly from -bound to bound, network i from generator i."""
    with torch.no_grad():
        for own, generator in zip(weight, generators, strict=True):
            own.uniform_(-bound, bound, generator=generator)


def same_padding(size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after ``size`` pixels, as TensorFlow's SAME lays them for a kernel of 5."""
    total = max((after_conv(size, stride) - 1) * stride + KERNEL - size, 0)
    return total // 2, total - total // 2


def after_conv(size: int, stride: int) -> int:
    """Pixels that a SAME convolution leaves of ``size``."""
    return -(-size // stride)


def apart(maps: Tensor, n_runs: int) -> Tensor:
    """(b, r, c, h, w) of ``maps`` (b, r c, h, w)."""
    return maps.view(len(maps), n_runs, -1, *maps.shape[2:])


class StackedLinear(nn.Module):
    """(b, r, n_in) to (b, r, n_out).

    bound: weights start evenly from -bound to bound; None is Glorot's sqrt(6 / (n_in + n_out)). Biases start at 0.
    """

    def __init__(self, n_runs: int, n_in: int, n_out: int, bound: float | None = None) -> None:
        super().__init__()
        self.bound = math.sqrt(6 / (n_in + n_out)) if bound is None else bound
        self.weight = nn.Parameter(torch.empty(n_runs, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_runs, n_out))

    def start(self, generators: Generators) -> None:
        """Draws the first weights."""
        uniform_(self.weight.data, self.bound, generators)

    def forward(self, x: Tensor) -> Tensor:
        """(b, r, n_out) of ``x`` (b, r, n_in)."""
        return torch.baddbmm(self.bias[:, None], x.transpose(0, 1), self.weight).transpose(0, 1)

    def back(self, gradient: Tensor) -> Tensor:
        """(b, r, n_in) of a ``gradient`` (b, r, n_out)."""
        return torch.bmm(gradient.transpose(0, 1), self.weight.transpose(1, 2)).transpose(0, 1)


class StackedConv(nn.Module):
    """(b, r, c_in, h, w) to (b, r, c_out, h / stride, w / stride), rounded up: kernel 5, TensorFlow's SAME padding.

    Weights start evenly from -a to a, a = sqrt(3) sqrt(4 / (fan_in + fan_out)), where fan_out is divided by the square
    of the stride (udc.md section 5); biases at 0.
    """

    def __init__(self, n_runs: int, c_in: int, c_out: int, stride: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.stride, self.size = stride, size
        self.bound = conv_bound(c_in, c_out / stride**2)
        self.weight = nn.Parameter(torch.empty(n_runs, c_out, c_in, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(n_runs, c_out))
        (self._top, bottom), (self._left, right) = (same_padding(side, stride) for side in size)
        self._padding = (self._left, right, self._top, bottom)

    def start(self, generators: Generators) -> None:
        """Draws the first weights."""
        uniform_(self.weight.data, self.bound, generators)

    def forward(self, x: Tensor) -> Tensor:
        """(b, r, c_out, ...) of ``x`` (b, r, c_in, h, w)."""
        runs = len(self.weight)
        if (kernels := _kernels(x)) is not None:
            size = [after_conv(side, self.stride) for side in self.size]
            place = kernels.Place(self.stride, (self._top, self._left))
            y: Tensor = kernels.conv(x, self.weight, self.bias, place, size)
            return y
        padded = pad(pixel_by_pixel(x.flatten(1, 2)), self._padding)
        return apart(conv2d(padded, self.weight.flatten(0, 1), self.bias.flatten(), self.stride, groups=runs), runs)

    def back(self, gradient: Tensor) -> Tensor:
        """(b, r, c_in, h, w) of a ``gradient`` (b, r, c_out, ...)."""
        runs = len(self.weight)
        if (kernels := _kernels(gradient)) is not None:
            place = kernels.Place(self.stride, (self._top, self._left))
            x: Tensor = kernels.transposed(gradient, self.weight, place, self.size)
            return x
        padded = transposed_conv(gradient.flatten(1, 2), self.weight.flatten(0, 1), self.stride, 0, runs)
        height, width = self.size
        return apart(padded[:, :, self._top : self._top + height, self._left : self._left + width], runs)


class StackedDeconv(nn.Module):
    """(b, r, c_in, h, w) to (b, r, c_out, *size): kernel 5, the transpose of a SAME convolution, cut off at ``size``.

    Weights start evenly from -a to a, a = sqrt(3) sqrt(4 / (fan_in + fan_out)), where fan_in is divided by the square
    of the stride (udc.md section 5); biases at 0.
    """

    def __init__(self, n_runs: int, c_in: int, c_out: int, stride: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.stride, self.size = stride, size
        self.bound = conv_bound(c_in / stride**2, c_out)
        self.weight = nn.Parameter(torch.empty(n_runs, c_in, c_out, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(n_runs, c_out))

    def start(self, generators: Generators) -> None:
        """Draws the first weights."""
        uniform_(self.weight.data, self.bound, generators)

    def forward(self, x: Tensor) -> Tensor:
        """(b, r, c_out, *size) of ``x`` (b, r, c_in, h, w)."""
        runs, first = len(self.weight), 1 if self.stride == 2 else 2  # what SAME pads in front of an even side
        if (kernels := _kernels(x)) is not None:
            made: Tensor = kernels.transposed(x, self.weight, kernels.Place(self.stride, (first, first)), self.size)
            return made + self.bias[:, :, None, None]
        y = transposed_conv(x.flatten(1, 2), self.weight.flatten(0, 1), self.stride, first, runs)
        y = y + self.bias.flatten()[:, None, None]
        return apart(y[:, :, : self.size[0], : self.size[1]], runs)


def _kernels(maps: Tensor) -> ModuleType | None:
    """Our kernels where they can compute with ``maps`` (b, r, ...) and are faster: for several runs, on a GPU that
    multiplies TF32, with Triton there and without mixed precision. Of one run cuDNN's are (docs/results/udc.md).
    """
    if maps.device.type != "cuda" or maps.shape[1] == 1 or maps.dtype != torch.float32:
        return None
    return None if torch.is_autocast_enabled("cuda") else _found(maps.device)


@cache
def _found(device: torch.device) -> ModuleType | None:
    """Our kernels, if one compiles for ``device``: Triton wants a C compiler, and knows other GPUs less well."""
    if torch.version.hip is not None or find_spec("triton") is None:
        return None
    if torch.cuda.get_device_capability(device) < TF32_FROM:
        return None
    kernels = import_module("coterie.nets.stacked_kernels")
    one = torch.ones(1, 1, 1, 1, 1, device=device)
    try:
        kernels.conv(one, torch.ones(1, 1, 1, KERNEL, KERNEL, device=device), None, kernels.Place(1, (2, 2)), (1, 1))
    except Exception as error:  # whatever it is, cuDNN goes on without
        reason = " ".join(str(error).split())[:200]
        warnings.warn(
            f"Triton compiles no kernel for this GPU ({reason}); several runs train with cuDNN's, slower",
            SlowPathWarning,
            stacklevel=2,
        )
        return None
    return kernels


def conv_bound(c_in: float, c_out: float) -> float:
    """The largest first weight of a convolution that counts ``c_in`` maps coming in and ``c_out`` going out."""
    return math.sqrt(3) * math.sqrt(4 / (KERNEL**2 * (c_in + c_out)))


def transposed_conv(maps: Tensor, weight: Tensor, stride: int, padding: int, n_runs: int) -> Tensor:
    """``conv_transpose2d`` of ``maps`` (b, r c_in, h, w) by ``weight`` (r c_in, c_out, 5, 5), for each of r runs alone.

    On a CPU it is computed as what it is, the gradient of a convolution, for which there is a kernel that minds groups
    and strides; PyTorch's own transposed convolution does not always take it.
    """
    if maps.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return conv_transpose2d(maps, weight, None, stride, padding, groups=n_runs)
    given = (pixel_by_pixel(maps), weight, stride, padding, n_runs)
    made: Tensor = _TransposedConv.apply(*given)  # type: ignore[no-untyped-call]
    return made


def pixel_by_pixel(maps: Tensor) -> Tensor:
    """``maps`` (b, c, h, w), on a CPU with the numbers of a pixel side by side, as its convolutions are fastest."""
    return maps.contiguous(memory_format=torch.channels_last) if maps.device.type == "cpu" else maps


class _TransposedConv(torch.autograd.Function):
    """What ``transposed_conv`` says; it can be differentiated once."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int, padding: int, n_runs: int) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.how = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], n_runs)
        height, width = ((side - 1) * stride + KERNEL - 2 * padding for side in maps.shape[2:])
        size = (len(maps), n_runs * weight.shape[1], height, width)
        shaped = torch.empty(size, dtype=maps.dtype, memory_format=torch.channels_last)  # only its shape is looked at
        made: Tensor = convolution_backward(maps, shaped, weight, None, *ctx.how, [True, False, False])[0]
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        gradient, (stride, padding, *_, n_runs) = pixel_by_pixel(gradient), ctx.how
        of_maps = conv2d(gradient, weight, None, stride, padding, groups=n_runs) if ctx.needs_input_grad[0] else None
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = convolution_backward(maps, gradient, weight, None, *ctx.how, [False, True, False])[1]
        return of_maps, of_weight, None, None, None
