"""Networks written as text: the published ones have the parameters of the specification, and any other what it says."""

import pytest
import torch
from torch import nn

from coterie.errors import ConfigError
from coterie.nets.label_network import LabelNetwork, LabelTrunk
from coterie.nets.valid_conv import DAC_PUBLISHED, dac_layout, identity_linear, out_shape, valid_conv


def parameters(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


# dac.md section 3: parameters with biases, gamma and beta; multiplications of an image in millions, forward
@pytest.mark.parametrize(
    ("name", "shape", "k", "n_parameters", "millions"),
    [
        ("cifar10_1", (3, 32, 32), 10, 262_498, 55.85),
        ("cifar10_1", (3, 32, 32), 20, 264_468, 55.88),
        ("cifar10_2", (3, 32, 32), 10, 447_394, 83.48),
        ("stl", (3, 96, 96), 10, 1_925_538, 1552.1),
        ("imagenetdog", (3, 96, 96), 15, 332_041, 910.9),
        ("mnist", (1, 28, 28), 10, 446_646, 56.4),
    ],
)
def test_a_published_network_has_the_size_of_the_specification(
    name: str, shape: tuple[int, int, int], k: int, n_parameters: int, millions: float
) -> None:
    layers = DAC_PUBLISHED[name].format(k=k)
    stages = valid_conv(layers, shape[0])
    assert parameters(LabelNetwork(shape, layers)) == n_parameters
    assert out_shape(stages, shape) == (k, 1, 1)
    assert multiplications(stages, shape) / 1e6 == pytest.approx(millions, rel=0.01)


def multiplications(stages: nn.Sequential, shape: tuple[int, int, int]) -> int:
    total, x = 0, torch.zeros(2, *shape)
    for stage in stages:
        x = stage(x)
        if isinstance(stage, nn.Sequential):
            conv = stage[0]
            assert isinstance(conv, nn.Conv2d)
            total += x[0].numel() * conv.in_channels * conv.kernel_size[0] ** 2
    return total


def test_child_i_is_stage_i_of_the_text() -> None:
    net = valid_conv("conv3-64 conv3-64 max2 bn conv1-10 avg4", 3)
    kinds = [nn.Sequential, nn.Sequential, nn.MaxPool2d, nn.BatchNorm2d, nn.Sequential, nn.AvgPool2d]
    assert [type(stage) for stage in net] == kinds
    assert [type(part) for part in net[0]] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert out_shape(net[:2], (3, 32, 32)) == (64, 28, 28)
    assert out_shape(net[:3], (3, 32, 32)) == (64, 14, 14)
    assert out_shape(net[:0], (3, 32, 20)) == (3, 32, 20)


def test_weights_start_as_he_said_and_normalisation_keeps_no_statistics() -> None:
    torch.manual_seed(0)
    conv, norm, _ = valid_conv("conv3-128 conv3-128", 64)[0]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert conv.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert conv.bias is not None
    assert conv.bias.abs().max() == 0
    assert norm.running_mean is None
    assert (norm.eps, norm.weight.min(), norm.bias.max()) == (1e-5, 1, 0)


@pytest.mark.parametrize(("n_in", "n_out"), [(4, 4), (6, 3), (3, 6)])
def test_a_linear_layer_starts_as_the_identity(n_in: int, n_out: int) -> None:
    layer = identity_linear(n_in, n_out)
    x = torch.randn(5, n_in)
    y = layer(x)
    common = min(n_in, n_out)
    assert torch.equal(y[:, :common], x[:, :common])
    assert (y[:, common:] == 0).all()


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ("conv3-64 pool2", "layers has 'pool2'; expected conv<size>-<maps>, max<size>, avg<size>, mean or bn"),
        ("conv3", "layers has 'conv3'"),
        ("conv3-0", "layers has 'conv3-0'"),
        ("", "layers is empty"),
    ],
)
def test_a_stage_of_another_form_is_refused(layers: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        valid_conv(layers, 3)


def test_images_too_small_for_a_stage_are_refused_with_its_number() -> None:
    net = valid_conv("conv3-8 conv3-8 max2 conv3-8", 1)
    assert out_shape(net, (1, 10, 12)) == (8, 1, 2)
    with pytest.raises(ConfigError, match=r"images of 9 x 12 pixels are too small .* stage 4 looks at 3 x 3 and 2 x 4"):
        out_shape(net, (1, 9, 12))


@pytest.mark.parametrize(("side", "name"), [(28, "mnist"), (32, "cifar10_1"), (96, "stl")])
def test_published_sizes_get_the_published_network(side: int, name: str) -> None:
    assert dac_layout((1, side, side), 10) == DAC_PUBLISHED[name].format(k=10)
    assert dac_layout((1, side, side), 10, maps=32) != DAC_PUBLISHED[name].format(k=10)


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((1, 16, 16), "conv3-32 conv3-32 max2 conv3-64 conv3-64 conv1-7 mean"),
        ((1, 28, 28), "conv3-32 conv3-32 max2 conv3-64 conv3-64 max2 conv1-7 mean"),
        ((3, 32, 32), "conv3-32 conv3-32 max2 conv3-64 conv3-64 max2 conv1-7 mean"),
        ((3, 64, 64), "conv3-32 conv3-32 max2 conv3-64 conv3-64 max2 conv3-128 conv3-128 max2 conv1-7 mean"),
        ((1, 5, 5), "conv3-32 conv1-7 mean"),
        ((1, 1, 1), "conv1-7 mean"),
    ],
)
def test_other_sizes_get_blocks_of_the_same_pattern(shape: tuple[int, int, int], layers: str) -> None:
    assert dac_layout(shape, 7, maps=32) == layers


@pytest.mark.parametrize("oblong", [0, 3, 40])
def test_every_size_of_image_ends_in_one_number_for_each_cluster(oblong: int) -> None:
    for side in (*range(1, 30), 32, 63, 92):
        for shape in ((1, side, side + oblong), (1, side + oblong, side)):
            trunk = LabelTrunk(shape, dac_layout(shape, 3, maps=2))
            assert trunk(torch.zeros(2, *shape)).shape == (2, trunk.n_features + 3)


def test_layers_that_do_not_end_in_one_number_are_refused() -> None:
    with pytest.raises(ConfigError, match="layers leave maps of 2 x 3 of images of 6 x 8 pixels"):
        LabelTrunk((1, 6, 8), "conv3-4 max2 conv1-3")
    with pytest.raises(ConfigError, match="layers have no convolution"):
        LabelTrunk((3, 6, 6), "mean")


def test_a_trunk_gives_the_means_of_the_maps_before_the_last_convolution_and_then_the_clusters() -> None:
    trunk = LabelTrunk((1, 12, 12), "conv3-6 max2 conv3-8 conv1-3 mean", frozen=False)
    x = torch.rand(5, 1, 12, 12)
    rows = trunk(x)
    assert (rows.shape, trunk.n_features, trunk.n_clusters) == ((5, 11), 8, 3)
    torch.testing.assert_close(rows[:, :8], trunk.before(x).mean((2, 3)))
    torch.testing.assert_close(rows[:, 8:], trunk.clusters(trunk.before(x)).flatten(1))


def test_a_shift_of_brightness_or_a_factor_changes_nothing() -> None:
    """dac.md section 4: so the mean colour and the rescaling of the scripts do nothing."""
    torch.manual_seed(0)
    net = LabelNetwork((3, 16, 16), "conv3-8 conv3-8 max2 conv1-4 mean").double()
    x = torch.rand(20, 3, 16, 16, dtype=torch.float64)
    shifted = x + torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)[:, None, None]
    first = net.trunk.before[0][0]
    assert isinstance(first, nn.Conv2d)
    gradients = []
    for images in (x, shifted):
        net.zero_grad()
        net(images).square().sum().backward()
        assert first.weight.grad is not None
        gradients.append(first.weight.grad.clone())
    torch.testing.assert_close(net(shifted), net(x), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(net(0.95 * x), net(x), rtol=0, atol=1e-3)
