"""The small convolutional network of JULE (Yang, Parikh, Batra, CVPR 2016, supplement, Table 1).

A block is a 5 x 5 convolution of 50 maps, batch normalisation, ReLU and, in most blocks, max pooling by 2 that rounds
up. The last map is flattened into a linear layer of 160 numbers, and their direction is the embedding.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from coterie.errors import ConfigError

KERNEL = 5
MAPS = 50
EMBEDDING = 160
SMALLEST_MAP, LARGEST_MAP = 5, 11  # of Table 1: 5 x 5 (COIL) to 11 x 11 (YouTube faces)
LETTERS = "P pooled, C not"


class ConvStack(nn.Module):
    """Images (b, c, h, w) float32 to embeddings (b, 160) of length 1.

    Args:
        shape: (c, h, w) of an image; the linear layer is sized by a dry pass, so any size works that the blocks leave
            something of.
        blocks: one letter per block, "P" with pooling and "C" without; "auto" is ``blocks_for(shape)``.
        padding: zeros around the input of every convolution; 0, as everywhere in Table 1 but UMist (2).
        maps: of every convolution.
        embedding: numbers in an embedding.
        bn_weight: "ones", as in PyTorch, or "uniform" in 0..1, as in the Lua Torch of the release (jule.md B3).

    Weights start as N(0, 0.01) with zero biases (jule.md B3). Raises ConfigError when the images are too small for the
    blocks.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        blocks: str = "auto",
        padding: int = 0,
        maps: int = MAPS,
        embedding: int = EMBEDDING,
        bn_weight: str = "ones",
    ) -> None:
        super().__init__()
        self.blocks = blocks_for(shape) if blocks == "auto" else blocks
        _check(shape, self.blocks, padding)
        widths = [shape[0]] + [maps] * len(self.blocks)
        self.features = nn.Sequential(
            *(_block(widths[i], maps, letter == "P", padding) for i, letter in enumerate(self.blocks))
        )
        with torch.no_grad():
            flat = self.features.eval()(torch.zeros(1, *shape)).numel()
        self.features.train()
        self.head = nn.Linear(flat, embedding)
        _start(self, bn_weight)

    def forward(self, images: Tensor) -> Tensor:
        """(b, embedding) unit rows of ``images`` (b, c, h, w)."""
        # float: a norm taken in 16 bits would leave the rows up to 1 % too long or too short
        return normalize(self.head(self.features(images).flatten(1)).float())


def blocks_for(shape: tuple[int, int, int]) -> str:
    """The blocks for images of ``shape`` (c, h, w), by the pattern of Table 1.

    Pooled blocks as long as the map stays at least 5 wide, then one block without pooling if more than 11 are left.
    This gives the blocks of Table 1 for every size in it: 16 P, 28 PC, 32 PP, 55 PP, 112 x 92 PPP (with which the paper
    pads by 2), 128 PPPP.
    """
    side, blocks = min(shape[1:]), ""
    while (pooled := _after(side, "P")) >= SMALLEST_MAP or (not blocks and pooled >= 1):
        side, blocks = pooled, blocks + "P"
    return blocks + "C" if side > LARGEST_MAP or not blocks else blocks


def _after(side: int, letter: str, padding: int = 0) -> int:
    convolved = side + 2 * padding - KERNEL + 1
    return -(-convolved // 2) if letter == "P" else convolved


def check_blocks(blocks: object) -> None:
    """ConfigError unless ``blocks`` is "auto" or one letter per block."""
    if blocks != "auto" and (not isinstance(blocks, str) or not blocks or set(blocks) - {"P", "C"}):
        raise ConfigError(f"blocks is {blocks!r}; expected one letter per block ({LETTERS}), or 'auto'")


def _check(shape: tuple[int, int, int], blocks: str, padding: int) -> None:
    check_blocks(blocks)
    side = min(shape[1:])
    for letter in blocks:
        side = _after(side, letter, padding)
        if side < 1:
            raise ConfigError(
                f"blocks {blocks!r} with padding {padding} leave nothing of images of {shape[1]} x {shape[2]} pixels; "
                "use fewer blocks, more padding or a larger --size"
            )


def _block(incoming: int, maps: int, pooled: bool, padding: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(incoming, maps, KERNEL, padding=padding), nn.BatchNorm2d(maps), nn.ReLU(inplace=True),
    ]  # fmt: skip
    return nn.Sequential(*layers, *([nn.MaxPool2d(2, ceil_mode=True)] if pooled else []))


def _start(net: nn.Module, bn_weight: str) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d) and bn_weight == "uniform":
            nn.init.uniform_(layer.weight)
