"""The discriminator of DCCM's mutual information (dccm.md section 3), "concat and convolve" of Deep InfoMax.

The deep feature d of one image is laid over the shallow map s of another, and three 1 x 1 convolutions score every
place of the map. The first one acts on the two parts by themselves, W [s; d] = A s + B d, so A s is computed once for
every place of every image and B d once for every image, however many pairs they are in; per pair there is a sum left.
The score is that of the concatenation (tests/nets/test_discriminator.py).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

WIDTH = 512


class PairDiscriminator(nn.Module):
    """T(d, s): how much the deep feature of one image looks as if it belonged to the shallow map of another.

    Args:
        shallow: channels of the map.
        deep: numbers of the deep feature.
        width: of the two hidden layers.

    Weights start as PyTorch's convolutions do; there are no biases and no normalisation, as in the authors' code.
    """

    def __init__(self, shallow: int, deep: int, width: int = WIDTH) -> None:
        super().__init__()
        self.n_shallow = shallow
        self.first = nn.Linear(shallow + deep, width, bias=False)
        self.hidden = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, deep: Tensor, places: Tensor, anchors: Tensor, partners: Tensor) -> Tensor:
        """Scores (q, a, p) of q times a pairs: the deep feature of image ``anchors[i, j]`` with the map of image
        ``partners[i, j]``, at every place.

        deep: (b, deep). places: (b, p, shallow), the maps as ``places_of`` gives them. anchors, partners: (q, a) int64.
        """
        of_map = linear(places, self.first.weight[:, : self.n_shallow])  # A s
        of_deep = linear(deep, self.first.weight[:, self.n_shallow :])  # B d
        pairs = of_map[partners] + of_deep[anchors][:, :, None]
        scores: Tensor = self.score(self.hidden(pairs.relu_()).relu_())
        return scores[..., 0]


def places_of(maps: Tensor, n_places: int = 0, generator: torch.Generator | None = None) -> Tensor:
    """(b, p, c): the places of ``maps`` (b, c, h, w) in a row; ``n_places`` of them, drawn at random for all images
    alike, or all of them (0, or more than there are).
    """
    flat = maps.flatten(2).transpose(1, 2)
    n = flat.shape[1]
    if not 0 < n_places < n:
        return flat
    chosen = torch.rand(n, generator=generator, device=maps.device).topk(n_places).indices
    return flat[:, chosen]
