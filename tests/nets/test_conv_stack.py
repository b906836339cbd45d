"""JULE's network: Table 1 of the supplement, the rule for other sizes, and where its weights start (jule.md B3)."""

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from coterie.errors import ConfigError
from coterie.nets.conv_stack import ConvStack, blocks_for, check_blocks

# data set: shape, blocks, padding, last map (h, w), numbers before the head
TABLE = {
    "COIL20": ((1, 128, 128), "PPPP", 0, (5, 5), 1250),
    "COIL100": ((3, 128, 128), "PPPP", 0, (5, 5), 1250),
    "USPS": ((1, 16, 16), "P", 0, (6, 6), 1800),
    "MNIST": ((1, 28, 28), "PC", 0, (8, 8), 3200),
    "UMist": ((1, 112, 92), "PPP", 2, (14, 12), 8400),
    "FRGC": ((3, 32, 32), "PP", 0, (5, 5), 1250),
    "CMU-PIE": ((1, 32, 32), "PP", 0, (5, 5), 1250),
    "YTF": ((3, 55, 55), "PP", 0, (11, 11), 6050),
}
sets = pytest.mark.parametrize("name", TABLE)


def side_after(side: int, blocks: str, padding: int) -> int:
    """Convolution by 5, then pooling by 2 that rounds up, by counting."""
    for letter in blocks:
        places = [x for x in range(-padding, side + padding) if x + 4 < side + padding]
        side = len(places[::2]) if letter == "P" else len(places)
    return side


@sets
def test_every_network_of_table_1_has_its_last_map_and_its_linear_layer(name: str) -> None:
    shape, blocks, padding, last, flat = TABLE[name]
    net = ConvStack(shape, blocks=blocks, padding=padding)
    assert (side_after(shape[1], blocks, padding), side_after(shape[2], blocks, padding)) == last
    assert (net.head.in_features, net.head.out_features) == (flat, 160)
    with torch.no_grad():
        assert net.features(torch.zeros(1, *shape)).shape == (1, 50, *last)


@sets
def test_the_rule_for_blocks_gives_those_of_table_1(name: str) -> None:
    shape, blocks, *_ = TABLE[name]
    assert blocks_for(shape) == blocks


def test_a_padded_set_of_youtube_faces_has_the_linear_layer_that_the_release_asked_for() -> None:
    assert ConvStack((3, 55, 55), blocks="PP", padding=2).head.in_features == 9800


@pytest.mark.parametrize(
    ("side", "blocks"), [(5, "P"), (6, "P"), (12, "P"), (26, "P"), (27, "PC"), (29, "PP"), (64, "PPP"), (224, "PPPP")]
)
def test_other_sizes_follow_the_same_pattern(side: int, blocks: str) -> None:
    assert blocks_for((3, side, side)) == blocks


def test_every_size_from_five_pixels_on_gets_a_network_whose_last_map_is_neither_empty_nor_large() -> None:
    for side in range(5, 300):
        blocks = blocks_for((1, side, 2 * side))
        left = side_after(side, blocks, 0)
        assert 1 <= left <= 11, side
        assert left >= 5 or len(blocks) == 1, side


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 9, 14), (1, 28, 28), (2, 33, 21)])
def test_any_shape_becomes_rows_of_length_one(shape: tuple[int, int, int]) -> None:
    rows = ConvStack(shape)(torch.rand(3, *shape))
    assert rows.shape == (3, 160)
    assert torch.allclose(rows.norm(dim=1), torch.ones(3))


def test_a_block_is_a_convolution_its_normalisation_a_relu_and_a_pooling_that_rounds_up() -> None:
    net = ConvStack((1, 28, 28)).eval()
    images = torch.rand(2, 1, 28, 28)
    (conv_1, norm_1, *_), (conv_2, norm_2, *_) = net.features  # type: ignore[misc]
    x = torch.relu(norm_1(conv_1(images)))
    x = nn.functional.max_pool2d(x, 2, ceil_mode=True)
    x = torch.relu(norm_2(conv_2(x)))
    assert torch.allclose(net(images), normalize(net.head(x.flatten(1))), atol=1e-6)
    assert (conv_1.kernel_size, conv_1.stride, conv_1.out_channels) == ((5, 5), (1, 1), 50)
    assert (norm_1.eps, norm_1.momentum) == (1e-5, 0.1)


@pytest.mark.parametrize("bn_weight", ["ones", "uniform"])
def test_weights_start_as_in_the_release(bn_weight: str) -> None:
    torch.manual_seed(0)
    net = ConvStack((1, 28, 28), bn_weight=bn_weight)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
            assert layer.weight.mean().item() == pytest.approx(0.0, abs=0.001)
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            assert (layer.bias == 0).all()
        if isinstance(layer, nn.BatchNorm2d) and bn_weight == "ones":
            assert (layer.weight == 1).all()
        elif isinstance(layer, nn.BatchNorm2d):
            assert 0 <= layer.weight.min() < 0.2
            assert 0.8 < layer.weight.max() <= 1


def test_the_dry_pass_leaves_no_trace_in_the_running_statistics() -> None:
    net = ConvStack((1, 12, 12))
    assert net.training
    assert all(part.training for part in net.modules())
    for norm in (part for part in net.modules() if isinstance(part, nn.BatchNorm2d)):
        assert (norm.running_mean == 0).all()
        assert (norm.running_var == 1).all()


def test_rows_have_length_one_in_half_precision_too() -> None:
    net = ConvStack((1, 16, 16))
    with torch.autocast("cpu", torch.bfloat16):
        rows = net(torch.rand(8, 1, 16, 16))
    assert rows.dtype == torch.float32
    assert torch.allclose(rows.norm(dim=1), torch.ones(8))


@pytest.mark.parametrize(
    ("shape", "blocks", "padding"),
    [((1, 4, 4), "auto", 0), ((1, 4, 40), "P", 0), ((1, 16, 16), "PPP", 0), ((3, 28, 12), "PPC", 0)],
)
def test_images_too_small_for_the_blocks_are_refused_with_what_to_do(
    shape: tuple[int, int, int], blocks: str, padding: int
) -> None:
    with pytest.raises(ConfigError, match=f"leave nothing of images of {shape[1]} x {shape[2]} pixels; use fewer"):
        ConvStack(shape, blocks=blocks, padding=padding)


def test_padding_makes_room_for_small_images() -> None:
    assert ConvStack((1, 4, 4), padding=2)(torch.rand(2, 1, 4, 4)).shape == (2, 160)


@pytest.mark.parametrize("blocks", ["", "PX", "p", 5, None, ["P"]])
def test_blocks_that_are_no_blocks_are_refused(blocks: object) -> None:
    with pytest.raises(ConfigError, match="expected one letter per block"):
        check_blocks(blocks)
    with pytest.raises(ConfigError, match="expected one letter per block"):
        ConvStack((1, 28, 28), blocks=blocks)  # type: ignore[arg-type]


def test_the_widths_can_be_chosen() -> None:
    net = ConvStack((1, 12, 12), maps=7, embedding=9)
    assert net(torch.rand(2, 1, 12, 12)).shape == (2, 9)
    assert net.head.in_features == 7 * 16
