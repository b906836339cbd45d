"""The factorised discriminator against plain concatenation, pair by pair."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, relu

from coterie.nets.discriminator import PairDiscriminator, places_of

B, SHALLOW, DEEP, WIDTH = 5, 6, 4, 7


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made() -> tuple[PairDiscriminator, Tensor, Tensor, Tensor, Tensor]:
    """A discriminator, deep features, maps, anchors and partners."""
    torch.manual_seed(0)
    net = PairDiscriminator(SHALLOW, DEEP, WIDTH).double()
    deep = torch.randn(B, DEEP, dtype=torch.float64, requires_grad=True)
    maps = torch.randn(B, SHALLOW, 3, 2, dtype=torch.float64, requires_grad=True)
    anchors, partners = torch.randint(B, (2, 3, B))
    return net, deep, maps, anchors, partners


def concatenated(net: PairDiscriminator, deep: Tensor, one_map: Tensor) -> Tensor:
    """(h, w): the deep feature (d,) laid over the map (c, h, w), three 1 x 1 convolutions on both together."""
    laid = deep[:, None, None].expand(-1, *one_map.shape[1:])
    x = torch.cat([one_map, laid])[None]
    x = relu(conv2d(x, net.first.weight[:, :, None, None]))
    x = relu(conv2d(x, net.hidden.weight[:, :, None, None]))
    return conv2d(x, net.score.weight[:, :, None, None])[0, 0]


def plain(net: PairDiscriminator, deep: Tensor, maps: Tensor, anchors: Tensor, partners: Tensor) -> Tensor:
    rows = [
        torch.stack([concatenated(net, deep[i], maps[j]).flatten() for i, j in zip(*row, strict=True)])
        for row in zip(anchors.tolist(), partners.tolist(), strict=True)
    ]
    return torch.stack(rows)


def test_scores_are_those_of_the_concatenation() -> None:
    net, deep, maps, anchors, partners = made()
    found = net(deep, places_of(maps), anchors, partners)
    assert found.shape == (3, B, 6)
    torch.testing.assert_close(found, plain(net, deep, maps, anchors, partners))


def test_slopes_are_those_of_the_concatenation() -> None:
    net, deep, maps, anchors, partners = made()
    wanted_from = [deep, maps, *net.parameters()]
    factorised = torch.autograd.grad(net(deep, places_of(maps), anchors, partners).sin().sum(), wanted_from)
    wanted = torch.autograd.grad(plain(net, deep, maps, anchors, partners).sin().sum(), wanted_from)
    for one, other in zip(factorised, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("shallow", "deep", "n"),
    [(64, 10, 300_544), (64, 20, 305_664), (64, 64, 328_192), (128, 64, 360_960), (128, 256, 459_264)],
)
def test_it_has_the_parameters_of_the_specification(shallow: int, deep: int, n: int) -> None:
    assert sum(weight.numel() for weight in PairDiscriminator(shallow, deep).parameters()) == n


def test_the_first_layer_starts_as_one_convolution_of_both_parts_would() -> None:
    torch.manual_seed(0)
    bound = (64 + 10) ** -0.5
    weight = PairDiscriminator(64, 10).first.weight
    assert 0.95 * bound < weight.abs().max() <= bound


def test_some_places_are_drawn_for_all_images_alike_each_once() -> None:
    maps = torch.arange(24.0).view(1, 1, 4, 6) + torch.tensor([0.0, 100.0]).view(2, 1, 1, 1)
    some = places_of(maps, 5, seeded())
    assert some.shape == (2, 5, 1)
    assert len(set(some[0, :, 0].tolist())) == 5
    assert torch.equal(some[1], some[0] + 100)
    drawn = torch.cat([places_of(maps, 5, generator)[0, :, 0] for generator in [seeded(7)] for _ in range(400)])
    counts = torch.bincount(drawn.long(), minlength=24)
    assert (counts - 400 * 5 / 24).abs().max() < 5 * (400 * 5 / 24) ** 0.5


@pytest.mark.parametrize("n", [0, 24, 99])
def test_all_places_are_taken_in_their_order_where_none_are_left_out(n: int) -> None:
    maps = torch.arange(24.0).view(1, 1, 4, 6)
    assert places_of(maps, n, seeded())[0, :, 0].tolist() == list(range(24))
