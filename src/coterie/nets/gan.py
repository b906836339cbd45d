"""Generator, critic and classifier of UDC (Gan, Dong, Zhou, Gao, Dong, IEEE Trans. Cybernetics), for r runs at once.

Convolutions of kernel 5 halve the image until it is about 4 x 4; the generator goes the same way back. Nothing is
normalised, biases are everywhere, ReLU in the generator and LeakyReLU .2 in the two others (udc.md section 5):

    image      28 x 28 x c                     noise and cluster
    critic     14 x 14 x w, 7 x 7 x 2w         generator  4 x 4 x 4w
    classifier 4 x 4 x 4w, then a linear layer            7 x 7 x 2w, 14 x 14 x w, 28 x 28 x c

with w = 64 in the paper. Images of 16 pixels have stride 1 where the image is whole, and one of 64 pixels has a layer
more with 8w maps. Grey pixels lie in 0..1 and come out of a sigmoid, colours in -1..1 out of a tanh. Points have three
linear layers of 512 instead, with ReLU, and come out as they are.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot

from coterie.errors import ConfigError
from coterie.nets.stacked import Generators, StackedConv, StackedDeconv, StackedLinear, after_conv, apart

WIDTH = 64  # of the paper
SMALLEST, N_LAYERS, WIDEST = 4, 3, 8  # the map at the end; layers at least; maps at most, in widths
LEAK = 0.2
HIDDEN = (512, 512, 512)  # for points

Shape = tuple[int, ...]


class Stage(NamedTuple):
    """One convolution of critic and classifier: its maps, its stride, and the pixels (h, w) that come in."""

    maps: int
    stride: int
    size: tuple[int, int]


def stages(shape: Shape, width: int) -> list[Stage]:
    """The convolutions for images of ``shape`` (c, h, w), the first one first."""
    height, wide = shape[1:]
    halvings = max(0, math.ceil(math.log2(max(height, wide) / SMALLEST)))
    strides = [1] * (N_LAYERS - halvings) + [2] * halvings
    found, size = [], (height, wide)
    for i, stride in enumerate(strides):
        found.append(Stage(width * min(2**i, WIDEST), stride, size))
        size = after_conv(size[0], stride), after_conv(size[1], stride)
    return found


def end_of(plan: list[Stage]) -> tuple[int, int, int]:
    """(maps, h, w) that the convolutions ``plan`` leave of an image."""
    maps, stride, (height, wide) = plan[-1]
    return maps, after_conv(height, stride), after_conv(wide, stride)


def is_signed(shape: Shape) -> bool:
    """Whether the networks see images of ``shape`` (c, h, w) as -1..1: colours do, greys stay in 0..1."""
    return len(shape) == 3 and shape[0] > 1


class Tower(nn.Module):
    """What critic and classifier are: layers with LeakyReLU (points: ReLU), then a linear layer of ``n_out`` numbers.

    shape: (c, h, w) of an image, or (d,) of a point. width: maps of the first convolution, of images. hidden: numbers
    in each hidden layer, of points. n_groups: the linear layer has ``n_out`` numbers for each of so many groups, and
    tells those of the group that comes with an input.
    """

    def __init__(
        self,
        shape: Shape,
        n_out: int,
        *,
        width: int = WIDTH,
        n_runs: int = 1,
        hidden: Shape = HIDDEN,
        n_groups: int = 1,
    ) -> None:
        super().__init__()
        self.n_groups = n_groups
        self.leak = LEAK if len(shape) == 3 else 0.0
        self.layers = nn.ModuleList()
        if len(shape) == 3:
            plan, c = stages(shape, width), shape[0]
            for maps, stride, size in plan:
                self.layers.append(StackedConv(n_runs, c, maps, stride, size))
                c = maps
            self.end: Shape = end_of(plan)
        else:
            self.layers.extend(_hidden(n_runs, shape[0], hidden))
            self.end = hidden[-1:]
        self.n_features = math.prod(self.end)
        self.head = StackedLinear(n_runs, self.n_features, n_out * n_groups)

    def start(self, generators: Generators) -> None:
        """Draws the first weights, network i from generator i."""
        for layer in _layers(self):
            layer.start(generators)

    def forward(self, x: Tensor, groups: Tensor | None = None) -> Tensor:
        """(b, r, n_out) of ``x`` (b, r, *shape), which belong to ``groups`` (b,) int64 where there are several."""
        return self._of_groups(self.head(self.features(x)), groups)

    def features(self, x: Tensor) -> Tensor:
        """(b, r, n_features): what comes into the last layer."""
        for layer in self.layers:
            x = leaky_relu(layer(x), self.leak)
        return x.flatten(2)

    def scores_and_slopes(self, x: Tensor, groups: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """As ``forward``, and the slope of each layer's activation where it stood: 1 or the leak, without gradient."""
        slopes = []
        for layer in self.layers:
            x = leaky_relu(layer(x), self.leak)
            slopes.append(torch.where(x.detach() > 0, x.new_ones(()), x.new_full((), self.leak)))
        return self._of_groups(self.head(x.flatten(2)), groups), slopes

    def input_gradient(self, slopes: list[Tensor], groups: Tensor | None = None) -> Tensor:
        """(b, r, *shape): the gradient, at the input, of the sum of the outputs, where ``slopes`` were taken.

        Slopes are constant about every input but those on a kink, so this is the whole gradient; it is a function of
        the weights that autograd differentiates once (udc.md section 12).
        """
        b, runs = slopes[0].shape[:2]
        sums = self.head.weight.view(runs, self.n_features, self.n_groups, -1).sum(3)
        own = sums.sum(2)[None] if groups is None else (sums @ self._coded(groups, sums.dtype).T).movedim(2, 0)
        g: Tensor = own.reshape(-1, runs, *self.end).expand(b, *[-1] * (1 + len(self.end)))
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            g = layer.back(g * slope)  # type: ignore[operator]
        return g

    def _of_groups(self, numbers: Tensor, groups: Tensor | None) -> Tensor:
        """(b, r, n_out) of ``numbers`` (b, r, groups n_out)."""
        if groups is None:
            return numbers
        coded = self._coded(groups, numbers.dtype)[:, None, :, None]
        own: Tensor = (numbers.view(*numbers.shape[:2], self.n_groups, -1) * coded).sum(2)
        return own

    def _coded(self, groups: Tensor, dtype: torch.dtype) -> Tensor:
        """One-hot (b, groups): sums with it, unlike a gather, have gradients in the same order on every device."""
        return one_hot(groups, self.n_groups).to(dtype)


class Generator(nn.Module):
    """(b, r, n_noise) noise and (b, r, k) clusters to (b, r, *shape) images or points.

    k: numbers that say what to draw: clusters, and groups beside them where there are any.
    n_noise: one number, or one for each run, of which the largest is what comes in: a run with less sees zeros instead.
    noise_scale: what noise is multiplied by, likewise one or one for each run.
    norm: "none" (paper), or "bn", batch normalisation between deconvolution and ReLU, always by the batch (what the
    base code has for colour).
    """

    def __init__(
        self,
        shape: Shape,
        k: int,
        n_noise: int | Sequence[int],
        *,
        width: int = WIDTH,
        n_runs: int = 1,
        norm: str = "none",
        noise_scale: float | Sequence[float] = 1.0,
        hidden: Shape = HIDDEN,
    ) -> None:
        super().__init__()
        self.shape, self.n_runs = shape, n_runs
        numbers = [n_noise] * n_runs if isinstance(n_noise, int) else list(n_noise)
        scales = [noise_scale] * n_runs if isinstance(noise_scale, int | float) else list(noise_scale)
        n_noise = max(numbers)
        kept = torch.arange(n_noise) < torch.tensor(numbers)[:, None]
        seen = kept * torch.tensor(scales, dtype=torch.float32)[:, None]
        self.seen: Tensor | None  # (r, n_noise): how much of each number of noise a run sees
        self.register_buffer("seen", None if (seen == 1).all() else seen, persistent=False)
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        if len(shape) == 3:
            plan = stages(shape, width)
            self.first: Shape = end_of(plan)
            self.layers.append(StackedLinear(n_runs, n_noise + k, math.prod(self.first)))
            maps = [shape[0], *(stage.maps for stage in plan)]
            for i, (_, stride, size) in reversed(list(enumerate(plan))):
                self.layers.append(StackedDeconv(n_runs, maps[i + 1], maps[i], stride, size))
        else:
            self.first = hidden[:1]
            self.layers.extend([*_hidden(n_runs, n_noise + k, hidden), StackedLinear(n_runs, hidden[-1], shape[0])])
        if norm == "bn" and len(shape) == 3:
            self.norms.extend(
                [nn.BatchNorm2d(n_runs * stage.maps, track_running_stats=False) for stage in reversed(plan)]
            )

    def start(self, generators: Generators) -> None:
        """Draws the first weights, network i from generator i."""
        for layer in _layers(self):
            layer.start(generators)

    def forward(self, noise: Tensor, clusters: Tensor) -> Tensor:
        """(b, r, *shape) of ``noise`` (b, r, n_noise) and one-hot ``clusters`` (b, r, k)."""
        noise = noise if self.seen is None else noise * self.seen
        x: Tensor = self.layers[0](torch.cat([noise, clusters], 2)).reshape(len(noise), self.n_runs, *self.first)
        for i, layer in enumerate(self.layers[1:]):
            if self.norms:
                x = apart(self.norms[i](x.flatten(1, 2)), self.n_runs)
            x = layer(torch.relu(x))
        if len(self.shape) == 1:
            return x
        return torch.tanh(x) if is_signed(self.shape) else torch.sigmoid(x)


class GanTrunk(nn.Module):
    """Images (b, c, h, w) in 0..1 to what a classifier sees in them before its last layer, (b, d) float32."""

    def __init__(self, shape: tuple[int, int, int], width: int = WIDTH) -> None:
        super().__init__()
        self.signed = is_signed(shape)
        self.tower = Tower(shape, 1, width=width)
        del self.tower.head

    def forward(self, images: Tensor) -> Tensor:
        """(b, d) of ``images`` (b, c, h, w)."""
        return self.tower.features(as_seen(images[:, None], self.signed))[:, 0]


def as_seen(images: Tensor, signed: bool) -> Tensor:
    """``images`` in 0..1 as the networks see them: -1..1 when ``signed``."""
    return images * 2 - 1 if signed else images


def as_shown(images: Tensor, signed: bool) -> Tensor:
    """What networks see or make, in 0..1 again."""
    return (images + 1) / 2 if signed else images


def check_sides(shape: Shape) -> None:
    """ConfigError for images too small to be halved at all."""
    if min(shape[1:]) < 2:
        raise ConfigError(f"images of {shape[1]} x {shape[2]} pixels are too small for UDC; give a larger --size")


def _hidden(n_runs: int, n_in: int, hidden: Shape) -> Iterator[StackedLinear]:
    """Linear layers before ReLUs: weights evenly within sqrt(6 / n_in), He's (udc.md section 5)."""
    for n_out in hidden:
        yield StackedLinear(n_runs, n_in, n_out, math.sqrt(6 / n_in))
        n_in = n_out


def _layers(network: nn.Module) -> Iterator[StackedLinear | StackedConv | StackedDeconv]:
    for layer in network.modules():
        if isinstance(layer, StackedLinear | StackedConv | StackedDeconv):
            yield layer
