"""Convolutions without padding, written as text: the networks of DAC and DCCM.

    net = valid_conv("conv3-64 conv3-64 max2 conv3-128 conv3-128 max2 conv1-10 avg4", channels=3)
    out_shape(net, (3, 32, 32))  # (10, 1, 1)
    out_shape(net[:3], (3, 32, 32))  # (64, 14, 14): child i of the network is stage i of the text

A stage is ``conv<size>-<maps>`` (convolution with bias, batch normalisation, ReLU), ``max<size>`` or ``avg<size>``
(pooling with as large a step; what is left over at the edge is not looked at), ``mean`` (of all that is left), or
``bn`` (batch normalisation alone).

Batch normalisation is by the statistics of the batch, in evaluation too (dac.md section 4): there are no running ones
until ``training.batch_statistics`` writes them.
"""

import re

import torch
from torch import Tensor, nn

from coterie.errors import ConfigError

EPS = 1e-5  # of batch normalisation; DCCM sets it, Keras 1 probably did (dac.md section 4)
STAGE = re.compile(r"conv([1-9]\d*)-([1-9]\d*)|(max|avg)([1-9]\d*)|mean|bn")
POOLS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}

# dac.md section 3, from the authors' scripts; {k} is the number of clusters
DAC_PUBLISHED = {
    "cifar10_1": "conv3-64 conv3-64 max2 conv3-128 conv3-128 max2 conv1-{k} avg4",  # CIFAR-100 too
    "cifar10_2": "conv3-64 conv3-64 conv3-64 max2 conv3-128 conv3-128 conv3-128 max2 conv1-{k} avg3",
    "stl": "conv3-64 conv3-64 conv3-64 max2 conv3-128 conv3-128 conv3-128 max2 conv3-256 conv3-256 conv3-256 max2 "
    "conv1-{k} avg6",  # ImageNet-10 too
    "imagenetdog": "conv5-64 conv5-64 max4 conv3-128 conv3-128 max4 conv1-{k} avg4",
    "mnist": "conv3-64 conv3-64 conv3-64 max2 bn conv3-128 conv3-128 conv3-128 max2 bn conv1-{k} avg2 bn",
}
DAC_BY_SIDE = {28: "mnist", 32: "cifar10_1", 96: "stl"}
DAC_MAPS = 64  # of the first block, in all of them
BLOCKS = 3


def valid_conv(layers: str, channels: int) -> nn.Sequential:
    """The network of ``layers`` for images of ``channels``, one child for each stage.

    Weights of convolutions are He normal by the fan-in (gain sqrt 2) and their biases 0. Raises ConfigError for a
    stage of another form.
    """
    stages: list[nn.Module] = []
    for word in layers.split():
        stage = STAGE.fullmatch(word)
        if stage is None:
            raise ConfigError(f"layers has {word!r}; expected conv<size>-<maps>, max<size>, avg<size>, mean or bn")
        size, maps, pool, step = stage.groups()
        if maps:
            stages.append(_conv(channels, int(maps), int(size)))
            channels = int(maps)
        else:
            plain = nn.AdaptiveAvgPool2d(1) if word == "mean" else batch_norm(channels)
            stages.append(POOLS[pool](int(step)) if pool else plain)
    if not stages:
        raise ConfigError("layers is empty; expected stages such as 'conv3-64 max2 conv1-10 mean'")
    return nn.Sequential(*stages)


def batch_norm(channels: int, *, flat: bool = False) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """Batch normalisation by the batch, also in evaluation; ``flat`` for (b, channels) instead of maps."""
    kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
    return kind(channels, eps=EPS, track_running_stats=False)


def identity_linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer that starts as the identity, cut off or filled with zeros where it is not square; zero bias.

    With it the channels before the layer are already the clusters when training begins (dac.md section 3).
    """
    layer = nn.Linear(n_in, n_out)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def out_shape(net: nn.Sequential, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(maps, h, w) that ``net``, or a slice of it, makes of images of ``shape`` (c, h, w), by a dry pass.

    Raises ConfigError when a stage is larger than what the stages before it leave of the images.
    """
    first = next(net.parameters(), torch.empty(0))
    maps: Tensor = torch.zeros(2, *shape, device=first.device)  # two, which batch normalisation needs
    with torch.no_grad():
        for i, stage in enumerate(net):
            height, width = maps.shape[2:]
            size = _size(stage)
            if size > min(height, width):
                raise ConfigError(
                    f"images of {shape[1]} x {shape[2]} pixels are too small for the network: stage {i + 1} looks at "
                    f"{size} x {size} and {height} x {width} are left; use fewer layers or a larger --size"
                )
            maps = stage(maps)
    return int(maps.shape[1]), int(maps.shape[2]), int(maps.shape[3])


def dac_layout(shape: tuple[int, int, int], n_clusters: int, maps: int = DAC_MAPS) -> str:
    """The layers for images of ``shape`` (c, h, w): one map for each cluster, averaged to a single number.

    For 28, 32 and 96 pixels and 64 ``maps`` they are the published ones ("mnist", "cifar10_1", "stl"). Otherwise their
    pattern: up to three blocks of two 3 x 3 convolutions and max2, whose maps double from block to block, as long as
    the map stays 2 wide; one convolution instead of two in images too small for that.
    """
    side = min(shape[1:])
    if maps == DAC_MAPS and shape[1] == shape[2] and side in DAC_BY_SIDE:
        return DAC_PUBLISHED[DAC_BY_SIDE[side]].format(k=n_clusters)
    words: list[str] = []
    for block in range(BLOCKS):
        n_conv = 2 if side >= 6 else 1  # what two leave is 2 wide at least
        if side - 2 * n_conv < 1 or (words and n_conv == 1):
            break
        words += [f"conv3-{maps * 2**block}"] * n_conv
        side -= 2 * n_conv
        if side >= 4:
            words.append("max2")
            side //= 2
    return " ".join([*words, f"conv1-{n_clusters}", "mean"])


def _conv(incoming: int, maps: int, size: int) -> nn.Sequential:
    conv = nn.Conv2d(incoming, maps, size)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, batch_norm(maps), nn.ReLU())


def _size(stage: nn.Module) -> int:
    """Pixels on a side that a stage must have in front of it."""
    window = stage[0] if isinstance(stage, nn.Sequential) else stage
    size = getattr(window, "kernel_size", 1)
    return int(size[0] if isinstance(size, tuple) else size)
