"""Convolutions of r networks at once on a CUDA GPU: three Triton kernels, for the layers of ``stacked``.

cuDNN has no fast kernel for a grouped convolution whose groups are whole networks: ten stacked runs of the paper's size
train 1.9 times as fast with these (docs/results/udc.md). Here a network is a layer of the grid of one launch, and each
kernel is a matrix product whose rows are gathered from the image (implicit GEMM). With q a pixel of y, p one of x, a
stride of s and ``first`` zeros before x:

    conv        y[b, q, o]    = sum over taps and c of  x[b, s q + tap - first, c] w[o, c, tap]
    transposed  x[b, p, c]    = sum over taps and o of  y[b, (p + first - tap) / s, o] w[o, c, tap]
    of_weights  w[o, c, tap]  = sum over b and q of     x[b, s q + tap - first, c] y[b, q, o]

Each is the gradient of the other two, so all can be differentiated as often as one likes. A transposed convolution is
done for the pixels of one parity at a time, which have the same taps: nothing is multiplied by zeros that a stride
would leave. Maps are (b, r, c, h, w) in any order of memory; what comes out has the channels of a pixel side by side.

Products are of TF32 numbers, as cuDNN's are by PyTorch's default, but cut off after 10 bits and not rounded; those of
``of_weights`` are of two bf16 parts each (16 bits), since tensor cores take TF32 from one order of memory only. Sums
are float32, in a fixed order.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from coterie.nets import stacked_triton as programs

KERNEL, TAPS = 5, 25  # a side of a kernel, and its numbers
PROGRAMS = 264  # that ``of_weights`` is at least cut into where there is enough to sum: two for a multiprocessor
ONE_TAP_FROM = 64  # channels from which rows of ``of_weights`` belong to one tap

Size = Sequence[int]


class Place(NamedTuple):
    """How a convolution moves over its image: its stride, and the zeros before the first row and column."""

    stride: int
    first: tuple[int, int]


class Conv(torch.autograd.Function):
    """(b, r, c_out, *size) of x (b, r, c_in, h, w), weight (r, c_out, c_in, 5, 5) and bias (r, c_out) or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, place: Place, size: Size) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.place = place
        return _convolved(x, weight, bias, place, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, *_ = ctx.needs_input_grad
        return (
            transposed(gradient, weight, ctx.place, x.shape[3:]) if of_x else None,
            of_weights(x, gradient, ctx.place) if of_weight else None,
            gradient.sum((0, 3, 4)) if of_bias else None, None, None,
        )  # fmt: skip


class Transposed(torch.autograd.Function):
    """(b, r, c_in, *size) of y (b, r, c_out, h, w) and weight (r, c_out, c_in, 5, 5)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, place: Place, size: Size) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.place = place
        return _brought_back(y, weight, place, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, weight = ctx.saved_tensors
        of_y, of_weight, *_ = ctx.needs_input_grad
        return (
            conv(gradient, weight, None, ctx.place, y.shape[3:]) if of_y else None,
            of_weights(gradient, y, ctx.place) if of_weight else None, None, None,
        )  # fmt: skip


class OfWeights(torch.autograd.Function):
    """(r, c_out, c_in, 5, 5): the gradient of ``Conv`` of x (b, r, c_in, h, w), where y is that at its output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, place: Place) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.place = place
        return _summed(x, y, place)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        of_x, of_y, _ = ctx.needs_input_grad
        return (
            transposed(y, gradient, ctx.place, x.shape[3:]) if of_x else None,
            conv(x, gradient, None, ctx.place, y.shape[3:]) if of_y else None, None,
        )  # fmt: skip


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, place: Place, size: Size) -> Tensor:
    """``Conv``."""
    made: Tensor = Conv.apply(x, weight, bias, place, size)  # type: ignore[no-untyped-call]
    return made


def transposed(y: Tensor, weight: Tensor, place: Place, size: Size) -> Tensor:
    """``Transposed``."""
    made: Tensor = Transposed.apply(y, weight, place, size)  # type: ignore[no-untyped-call]
    return made


def of_weights(x: Tensor, y: Tensor, place: Place) -> Tensor:
    """``OfWeights``."""
    made: Tensor = OfWeights.apply(x, y, place)  # type: ignore[no-untyped-call]
    return made


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, place: Place, size: Size) -> Tensor:
    (b, r, c_in, *sides), c_out = x.shape, weight.shape[1]
    y, tile = _side_by_side((b, r, c_out, *size), x), _tile(128, c_out)
    packed = weight.permute(0, 1, 3, 4, 2).contiguous()
    grid = (triton.cdiv(b * math.prod(size), tile["rows"]), triton.cdiv(c_out, tile["columns"]), r)
    programs.conv[grid](
        x, packed, packed if bias is None else bias, y, b, c_in, c_out, *sides, *size, *place.first, *x.stride(),
        *y.stride(), stride=place.stride, has_bias=bias is not None, how=_how(), **tile,
    )  # fmt: skip
    return y


def _brought_back(y: Tensor, weight: Tensor, place: Place, size: Size) -> Tensor:
    (b, r, c_out, *sides), c_in = y.shape, weight.shape[2]
    x, tile = _side_by_side((b, r, c_in, *size), y), _tile(128, c_in)
    packed = weight.permute(0, 3, 4, 2, 1).contiguous()
    of_a_parity = b * math.prod(triton.cdiv(side, place.stride) for side in size)
    grid = (triton.cdiv(of_a_parity, tile["rows"]), triton.cdiv(c_in, tile["columns"]), r * place.stride**2)
    programs.transposed[grid](
        y, packed, x, b, c_in, c_out, *size, *sides, *place.first, *x.stride(), *y.stride(), stride=place.stride,
        how=_how(), **tile,
    )  # fmt: skip
    return x


def _summed(x: Tensor, y: Tensor, place: Place) -> Tensor:
    (b, r, c_in, *sides), (_, _, c_out, *size) = x.shape, y.shape
    flat = c_in < ONE_TAP_FROM
    tile = _tile(TAPS * c_in if flat else c_in, c_out)
    tiles = triton.cdiv(TAPS * c_in, tile["rows"]) if flat else TAPS * triton.cdiv(c_in, tile["rows"])
    grid = (tiles, triton.cdiv(c_out, tile["columns"]))
    parts, length = _cut(b * math.prod(size), math.prod(grid) * r, tile["depth"])
    w = x.new_empty(parts, r, KERNEL, KERNEL, c_in, c_out)
    programs.of_weights[(*grid, r * parts)](
        x, y, w, b, c_in, c_out, *sides, *size, *place.first, *x.stride(), *y.stride(), r, length,
        stride=place.stride, flat=flat, how=_how(), **tile,
    )  # fmt: skip
    return (w.sum(0) if parts > 1 else w[0]).permute(0, 4, 3, 1, 2)


def _cut(n: int, many: int, depth: int) -> tuple[int, int]:
    """In how many parts, and of what length, ``n`` rows are summed where one part makes ``many`` programs."""
    wanted = max(1, min(PROGRAMS // many, n // (8 * depth)))
    length = triton.cdiv(triton.cdiv(n, wanted), depth) * depth
    return triton.cdiv(n, length), length


def _tile(rows: int, columns: int) -> dict[str, int]:
    """What a program computes, at most 128 x 128 sums over 32 at a time, its warps, and stages of loads (H200)."""
    rows, columns = (min(128, max(16, triton.next_power_of_2(n))) for n in (rows, columns))
    large = rows * columns > 64 * 128
    return {"rows": rows, "columns": columns, "depth": 32, "num_warps": 8 if large else 4, "num_stages": 3}


def _how() -> str:
    """Of which numbers products are: TF32 and halves of bf16 on a GPU, float32 in Triton's interpreter (tests)."""
    return "ieee" if triton.knobs.runtime.interpret else "tf32"


def _side_by_side(shape: Size, like: Tensor) -> Tensor:
    """An empty (b, r, c, h, w) with the channels of a pixel side by side in memory."""
    b, r, c, h, w = shape
    return like.new_empty(b, h, w, r, c).permute(0, 3, 4, 1, 2)
