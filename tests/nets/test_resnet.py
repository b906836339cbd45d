"""The trunks: sizes and costs that were published, shapes, their start, and that a name and a shape rebuild them."""

import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from coterie.errors import ConfigError
from coterie.nets.resnet import NAMES, BasicBlock, ResNet, build_trunk, small_trunk, trunk_for

CLASSIFIER = 512 * 1000 + 1000


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(("name", "published"), [("resnet18", 11_689_512), ("resnet34", 21_797_672)])
def test_with_the_imagenet_stem_the_weights_are_as_many_as_published_without_the_classifier(
    name: str, published: int
) -> None:
    assert count(build_trunk(f"{name}-96", (3, 224, 224))) == published - CLASSIFIER


@pytest.mark.parametrize(
    ("name", "shape", "weights", "multiplications"),
    [
        ("resnet34", (3, 32, 32), 21.277e6, 1.159e9),  # tcc.md section 8
        ("resnet34", (3, 64, 64), 21.277e6, 1.165e9),
        ("resnet34-32", (3, 64, 64), 21.277e6, 4.638e9),
        ("resnet34-96", (3, 64, 64), 21.285e6, 0.299e9),
        ("resnet34", (3, 96, 96), 21.285e6, 0.673e9),
        ("resnet34", (3, 224, 224), 21.285e6, 3.663e9),  # baselines.md section 24
        ("resnet18", (3, 32, 32), 11.169e6, 0.555e9),
        ("resnet18", (3, 96, 96), 11.177e6, 0.333e9),
        ("small", (1, 16, 16), 139_168, 7.15e6),
        ("small", (1, 28, 28), 139_168, 21.9e6),
    ],
)
def test_weights_and_multiplications_are_those_of_the_literature(
    name: str, shape: tuple[int, int, int], weights: float, multiplications: float
) -> None:
    with torch.device("meta"):
        net = build_trunk(name, shape)
        with FlopCounterMode(display=False) as counter:
            assert net(torch.empty(1, *shape)).shape == (1, net.n_features)
    assert count(net) == pytest.approx(weights, rel=5e-5)
    assert counter.get_total_flops() / 2 == pytest.approx(multiplications, rel=2e-3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("name", "width"), [("small", 128), ("resnet18", 512)])
def test_any_number_of_channels_and_any_shape_of_image_become_one_row_each(
    name: str, width: int, channels: int
) -> None:
    for sides in ((4, 4), (5, 17), (30, 23), (50, 90)):
        with torch.device("meta"):
            net = build_trunk(name, (channels, *sides))
            assert net(torch.empty(2, channels, *sides)).shape == (2, width)


def test_the_last_map_has_four_by_four_pixels_at_32_and_64_and_three_by_three_at_96() -> None:
    maps = {}
    for side in (32, 64, 96):
        with torch.device("meta"):
            net = build_trunk("resnet18", (3, side, side))
            assert isinstance(net, ResNet)
            maps[side] = tuple(net.stages(net.stem(torch.empty(1, 3, side, side))).shape[2:])
    assert maps == {32: (4, 4), 64: (4, 4), 96: (3, 3)}


@pytest.mark.parametrize(
    ("side", "stem"),
    [(4, "32"), (28, "32"), (45, "32"), (46, "64"), (64, "64"), (78, "64"), (79, "96"), (96, "96"), (224, "96")],
)
def test_the_stem_follows_the_shorter_side(side: int, stem: str) -> None:
    with torch.device("meta"):
        chosen, named = build_trunk("resnet18", (3, side, 300)), build_trunk(f"resnet18-{stem}", (3, side, 300))
    assert str(chosen) == str(named)


@pytest.mark.parametrize("name", NAMES)
def test_no_convolution_has_a_bias_and_each_is_followed_by_batch_norm(name: str) -> None:
    with torch.device("meta"):
        modules = list(build_trunk(name, (3, 32, 32)).modules())
    convs = [module for module in modules if isinstance(module, nn.Conv2d)]
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    assert all(conv.bias is None for conv in convs)
    assert [conv.out_channels for conv in convs] == [norm.num_features for norm in norms]


@pytest.mark.parametrize("name", ["small", "resnet18"])
def test_weights_start_from_kaimings_normal_over_the_fan_out(name: str) -> None:
    torch.manual_seed(0)
    for module in build_trunk(name, (3, 32, 32)).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            spread = math.sqrt(2 / (module.out_channels * math.prod(module.kernel_size)))
            assert module.weight.std().item() == pytest.approx(spread, rel=0.05)
            assert abs(module.weight.mean().item()) < 0.05 * spread
        if isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all())
            assert bool((module.bias == 0).all())


def test_with_zero_init_residual_every_block_starts_as_its_shortcut() -> None:
    net = build_trunk("resnet18", (1, 8, 8), zero_init_residual=True).eval()
    x = torch.rand(2, 64, 8, 8)
    first = next(module for module in net.modules() if isinstance(module, BasicBlock))
    assert torch.equal(first(x), x)
    norms = [module.norm2.weight for module in net.modules() if isinstance(module, BasicBlock)]
    assert len(norms) == 8
    assert not any(bool(weight.any()) for weight in norms)


@pytest.mark.parametrize(("c_in", "stride"), [(4, 1), (4, 2), (6, 1)])
def test_a_block_is_two_normalised_convolutions_beside_a_shortcut(c_in: int, stride: int) -> None:
    block = BasicBlock(c_in, 6, stride).double()
    state, x = block.state_dict(), torch.randn(3, c_in, 7, 5, dtype=torch.float64)

    def step(y: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        y = nn.functional.conv2d(y, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
        return (y - mean) / (variance + 1e-5).sqrt()

    beside = x if (c_in, stride) == (6, 1) else step(x, "shortcut.0", stride)
    expected = (step(step(x, "conv1", stride).clamp(min=0), "conv2") + beside).clamp(min=0)
    assert torch.allclose(block(x), expected, atol=1e-10)


@pytest.mark.parametrize("name", ["small", "resnet18"])
def test_a_trunk_is_rebuilt_from_its_name_the_shape_and_its_tensors_in_any_memory_order(name: str) -> None:
    net = build_trunk(name, (3, 20, 20))
    net(torch.rand(4, 3, 20, 20))  # running statistics that are not those of the start
    state = {key: tensor.contiguous() for key, tensor in net.state_dict().items()}
    again = build_trunk(name, (3, 20, 20))
    again.load_state_dict(state, strict=True)
    x = torch.rand(3, 3, 20, 20)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), net.eval()(x))


@pytest.mark.parametrize("name", ["small", "resnet18-32", "resnet18-64", "resnet18-96"])
def test_every_weight_gets_a_gradient_and_features_are_finite_on_images_of_one_colour(name: str) -> None:
    net = build_trunk(name, (1, 16, 16))
    features = net(torch.zeros(3, 1, 16, 16))
    assert bool(features.isfinite().all())
    net(torch.rand(3, 1, 16, 16)).sum().backward()
    assert [key for key, weight in net.named_parameters() if weight.grad is None] == []


def test_maps_lie_in_memory_with_the_channels_last() -> None:
    net = small_trunk((3, 16, 16))
    maps = net.get_submodule("layers")(torch.rand(2, 3, 16, 16))
    assert maps.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("side", "name"), [(16, "small"), (32, "small"), (45, "small"), (46, "resnet18"), (96, "resnet18")]
)
def test_auto_takes_the_small_trunk_for_small_images_and_says_why(side: int, name: str) -> None:
    choice = trunk_for((3, side, side + 10))
    assert choice.name == name
    assert f"images of {side} x {side + 10} pixels" in choice.reason
    with torch.device("meta"):
        assert str(build_trunk("auto", (3, side, side + 10))) == str(build_trunk(name, (3, side, side + 10)))


def test_an_unknown_name_and_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"trunk='resnet50' is unknown: give auto, small, resnet18, resnet34, "):
        build_trunk("resnet50", (3, 32, 32))
    with pytest.raises(ConfigError, match=r"at least 4 pixels a side, not \(3, 3, 32\)"):
        build_trunk("small", (3, 3, 32))
    with pytest.raises(ConfigError, match=r"not \(0, 32, 32\)"):
        trunk_for((0, 32, 32))
