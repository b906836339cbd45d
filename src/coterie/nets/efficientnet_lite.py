"""EfficientNet-Lite0: a small convolutional network that turns a photo into 1,280 numbers.

After M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv 1905.11946), in the Lite variant of TensorFlow's model garden: no squeeze-and-excite, ReLU6 in place of swish,
and a stem (32) and head (1,280) of fixed width. 4,652,008 parameters, of which 1,281,000 belong to the ImageNet
classifier.

The published weights were trained in TensorFlow, which decides three details below: "same" padding that puts the odd
pixel on the right and the bottom, batch norm with eps 1e-3, and an input of ``(x - 127) / 128`` on 0..255 RGB
at 224 x 224 pixels.

The weights saw 1.28 million *labelled* ImageNet photos. Groups found from these features on images that stem from
ImageNet (Tiny-ImageNet, ImageNet-10, ImageNet-Dogs, STL-10, ...) are therefore not the result of unsupervised
learning.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6
from torch.nn.utils.fusion import fuse_conv_bn_eval

INPUT_SIZE = 224
N_FEATURES = 1280
N_CLASSES = 1000


class Stage(NamedTuple):
    """One row of the architecture table: ``repeats`` blocks of which only the first has the stride."""

    expand: int
    kernel: int
    stride: int
    width: int
    repeats: int


# Table 1 of the paper (B0); stride of the first block of each stage.
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
STEM_WIDTH = 32


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels to add (before, after) so that the output has ceil(size / stride) pixels, as TensorFlow does it."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class ConvNorm(nn.Module):
    """Convolution with "same" padding, batch norm, and ReLU6 if ``activate``: (b, c, h, w) to (b, c', h', w')."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, *, depthwise: bool = False, activate: bool = True
    ) -> None:
        super().__init__()
        # With stride 1 "same" is symmetric, and the convolution pads faster than F.pad.
        padding = kernel // 2 if stride == 1 else 0
        groups = c_in if depthwise else 1
        self.conv: nn.Module = nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.01)
        self.kernel, self.stride, self.activate = kernel, stride, activate

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            top, bottom = same_padding(x.shape[-2], self.kernel, self.stride)
            left, right = same_padding(x.shape[-1], self.kernel, self.stride)
            x = pad(x, (left, right, top, bottom))
        x = self.norm(self.conv(x))
        return relu6(x, inplace=not torch.is_grad_enabled()) if self.activate else x


class Block(nn.Module):
    """Inverted residual: widen by 1x1, filter each channel, narrow by 1x1; adds its input when the shapes agree."""

    def __init__(self, c_in: int, c_out: int, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = c_in * expand
        self.expand = ConvNorm(c_in, wide) if expand > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, depthwise=True)
        self.project = ConvNorm(wide, c_out, activate=False)
        self.has_skip = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_skip else y


class EfficientNetLite0(nn.Module):
    """The network. ``forward`` gives features; ``classify`` maps features to the 1,000 ImageNet logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_WIDTH, 3, 2)
        blocks, width = [], STEM_WIDTH
        for stage in STAGES:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                blocks.append(Block(width, stage.width, stage.expand, stage.kernel, stride))
                width = stage.width
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(width, N_FEATURES)
        self.classify = nn.Linear(N_FEATURES, N_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, h, w) from ``normalise``, ideally 224 x 224, to (b, 1280) globally averaged features, all >= 0."""
        features: Tensor = self.head(self.blocks(self.stem(x)))
        return features.mean(dim=(2, 3))


def normalise(x: Tensor) -> Tensor:
    """(b, 3, h, w) RGB values in 0..255 as the network was trained on them."""
    return (x.float() - 127.0) / 128.0


# The published file names its tensors after the first PyTorch port. One pattern per kind of tensor, in the order tried:
# "_blocks.3._depthwise_conv.weight" is our "blocks.3.depthwise.conv.weight", "_blocks.3._bn1.bias" our
# "...depthwise.norm.bias".
_BLOCK_NORM = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}
_TOP = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
    "_fc": "classify",
}


def published_name(name: str) -> str:
    """Our name of a tensor of the published file; an unknown name comes back unchanged and fails the strict load."""
    if match := re.fullmatch(r"_blocks\.(\d+)\._(expand|depthwise|project)_conv\.(\w+)", name):
        return f"blocks.{match[1]}.{match[2]}.conv.{match[3]}"
    if match := re.fullmatch(r"_blocks\.(\d+)\.(_bn[012])\.(\w+)", name):
        return f"blocks.{match[1]}.{_BLOCK_NORM[match[2]]}.norm.{match[3]}"
    top, _, leaf = name.rpartition(".")
    return f"{_TOP[top]}.{leaf}" if top in _TOP else name


def with_published_weights(state: Mapping[str, Tensor]) -> EfficientNetLite0:
    """The network in eval mode with the weights of a published state dict; RuntimeError unless every tensor fits."""
    net = EfficientNetLite0()
    net.load_state_dict({published_name(name): tensor for name, tensor in state.items()}, strict=True)
    return net.eval()


def fold_batch_norm(net: EfficientNetLite0) -> EfficientNetLite0:
    """The same network, changed in place: every batch norm folded into its convolution, for inference only.

    On two CPU cores this doubles the speed (batch of 64: 30 to 76 images/s) and moves features by 2e-6 of their length.
    """
    for module in net.modules():
        if isinstance(module, ConvNorm) and isinstance(module.conv, nn.Conv2d):
            assert isinstance(module.norm, nn.BatchNorm2d)
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    return net
