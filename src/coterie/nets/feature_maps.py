"""The convolutions of GATCluster: images to a small map of features (gatcluster.md section 2, the lost Table A4).

From 96 pixels on they are the authors': three blocks of three 3 x 3 convolutions without padding and a pooling, then
3 x 3 convolutions that shrink the map by 2 each until it has the size asked for, then a 1 x 1 convolution. Networks for
smaller images were never released; ours pad, so that something is left: blocks of the same kind down to a map of 6 to
11, then a convolution with padding, those that shrink, and one more with padding. 28 x 28 is first framed to 32 x 32.
Every convolution has a bias, batch normalisation with running statistics, and ReLU.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from coterie.errors import ConfigError

Shape = tuple[int, int, int]

LARGE = 96  # pixels of the shorter side from which the authors' networks are used
FRAMED = (16, 32, 64)  # sides that smaller images are framed to, where an eighth is missing at most
BLOCKS, CONVOLUTIONS = 3, 3  # at most, and in each
USUAL_MAP = 6  # of the paper
LARGEST_AUTO, SMALLEST_MAP = 7, 2
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as the authors' grey


class Stage(NamedTuple):
    """A convolution to ``maps`` maps; 0 is a pooling by 2."""

    maps: int
    kernel: int = 3
    padding: int = 0

    def after(self, side: int) -> int:
        """Pixels on a side, where ``side`` came in; the edge that does not fill a pooling is left out."""
        return side // 2 if not self.maps else side + 2 * self.padding - self.kernel + 1


class FeatureMaps(nn.Module):
    """Images (b, c, h, w) float32 to features (b, n_features, h', w').

    Args:
        shape: (c, h, w) of the images; c is 1 or 3.
        n_features: F, of each place of the map.
        map_size: places on the shorter side of the map; "auto" is 6 (paper) where that can be, else at most 7.
        width: maps of the first block, 64 in the paper; the second and the third have two and four times as many.
        colour: look at three channels; otherwise at their luma, as in the paper.

    Weights start as PyTorch has them, as the authors' do. Raises ConfigError for a map that these images cannot have.

    Attributes:
        map_shape: (h', w').
    """

    _luma: Tensor

    def __init__(
        self, shape: Shape, n_features: int, *, map_size: int | str = "auto", width: int = 64, colour: bool = False
    ) -> None:
        super().__init__()
        plan = stages(shape, n_features, map_size, width)
        self.map_shape = (side_after(plan, shape[1]), side_after(plan, shape[2]))
        self._grey = shape[0] == 3 and not colour
        self.register_buffer("_luma", torch.tensor(LUMA)[:, None, None], persistent=False)
        channels, layers = 1 if self._grey else shape[0], list[nn.Module]()
        for stage in plan:
            layers.append(_layer(channels, stage))
            channels = stage.maps or channels
        self.layers = nn.Sequential(*layers)
        # weights with the channels last make every map so, which a CPU convolves without reordering it
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """(b, F, h', w') of images (b, c, h, w), or of their luma (b, 1, h, w)."""
        if self._grey and images.shape[1] == 3:
            images = (images * self._luma).sum(1, keepdim=True)
        maps: Tensor = self.layers(images)
        return maps


def stages(shape: Shape, n_features: int, map_size: int | str = "auto", width: int = 64) -> list[Stage]:
    """The network for images of ``shape`` (c, h, w), layer by layer; arguments and errors are those of
    ``FeatureMaps``."""
    first = _blocks(min(shape[1:]), width)
    here = side_after(first, min(shape[1:]))
    n_shrinking = (here - _map_side(shape, here, map_size)) // 2
    shrinking = [Stage(4 * width)] * n_shrinking
    features = Stage(n_features, kernel=1)
    if min(shape[1:]) >= LARGE:
        return [*first, *shrinking, features]
    padded = Stage(4 * width, padding=1)
    return [*first, padded, *shrinking, padded, features]


def side_after(plan: list[Stage], side: int) -> int:
    """Pixels that the stages of ``plan`` leave of ``side`` pixels."""
    for stage in plan:
        side = stage.after(side)
    return side


def multiplications(plan: list[Stage], shape: Shape, channels: int = 1) -> int:
    """Multiplications of one image of ``shape`` (c, h, w), of which the network sees ``channels``."""
    total, (height, width) = 0, shape[1:]
    for stage in plan:
        height, width = stage.after(height), stage.after(width)
        total += height * width * stage.kernel**2 * channels * stage.maps
        channels = stage.maps or channels
    return total


def _blocks(side: int, width: int) -> list[Stage]:
    """Blocks of three convolutions and a pooling: three from 96 pixels on, else as many as leave a map of 6 or more."""
    pooling = Stage(0)
    if side >= LARGE:
        return [stage for i in range(BLOCKS) for stage in (*[Stage(width << i)] * CONVOLUTIONS, pooling)]
    frame = _frame(side)
    n_blocks = max(n for n in range(BLOCKS + 1) if n == 0 or (side + 2 * frame) >> n >= USUAL_MAP)
    found = [stage for i in range(n_blocks) for stage in (*[Stage(width << i, padding=1)] * CONVOLUTIONS, pooling)]
    return [found[0]._replace(padding=1 + frame), *found[1:]] if found else []


def _frame(side: int) -> int:
    """Zeros on each side that make 28 pixels 32, and the like."""
    missing = min((target - side for target in FRAMED if side <= target), default=0)
    return missing // 2 if missing % 2 == 0 and 8 * missing <= side + missing else 0


def _map_side(shape: Shape, largest: int, asked: int | str) -> int:
    """Places on the shorter side of the map; each convolution takes 2 off the ``largest`` that can be."""
    possible = range(largest, SMALLEST_MAP - 1, -2)
    if not possible:
        raise ConfigError(
            f"images of {shape[1]} x {shape[2]} pixels leave no map to attend to; open them at a larger size"
        )
    if asked == "auto":
        return next(side for side in possible if side <= LARGEST_AUTO)
    if asked not in possible:
        raise ConfigError(
            f"map_size is {asked!r}; expected one of {', '.join(map(str, possible))} for images of {shape[1]} x "
            f"{shape[2]} pixels, or 'auto'"
        )
    return int(asked)


def _layer(channels: int, stage: Stage) -> nn.Module:
    if not stage.maps:
        return nn.MaxPool2d(2)
    conv = nn.Conv2d(channels, stage.maps, stage.kernel, padding=stage.padding)
    return nn.Sequential(conv, nn.BatchNorm2d(stage.maps), nn.ReLU(inplace=True))
