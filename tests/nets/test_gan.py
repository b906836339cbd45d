"""The networks of UDC: sizes and counts of the specification, TensorFlow's padding, first weights, stacked runs."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

from coterie.errors import ConfigError
from coterie.nets.gan import GanTrunk, Generator, Tower, as_seen, as_shown, check_sides, end_of, stages
from coterie.nets.stacked import StackedConv, StackedDeconv, StackedLinear, same_padding, transposed_conv

GREY = [(1, 16, 16), (1, 28, 28), (1, 32, 32), (1, 64, 64)]
COLOUR = [(3, 16, 16), (3, 28, 28), (3, 32, 32), (3, 64, 64)]
POINTS = (2,)


def started(network: Tower | Generator, *seeds: int) -> Tower | Generator:
    network.start([torch.Generator().manual_seed(seed) for seed in seeds])
    return network


def count(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("shape", [*GREY, *COLOUR, (1, 8, 8), (3, 12, 9), (1, 28, 23), POINTS], ids=str)
@pytest.mark.parametrize("n_runs", [1, 2])
def test_generator_and_critic_fit_images_of_every_size(shape: tuple[int, ...], n_runs: int) -> None:
    seeds = range(n_runs)
    generator = started(Generator(shape, 5, 6, width=2, n_runs=n_runs), *seeds)
    critic = started(Tower(shape, 1, width=2, n_runs=n_runs), *seeds)
    made = generator(torch.randn(3, n_runs, 6), torch.eye(5)[:3, None].expand(3, n_runs, 5))
    assert made.shape == (3, n_runs, *shape)
    assert critic(made).shape == (3, n_runs, 1)
    if len(shape) == 3:
        low, high = (0, 1) if shape[0] == 1 else (-1, 1)
        assert low <= made.min() <= made.max() <= high


def test_parameters_are_counted_as_in_the_specification() -> None:
    """udc.md section 5, layer by layer and in all."""
    generator, critic = Generator((1, 28, 28), 10, 128), Tower((1, 28, 28), 1)
    sizes = [layer.weight.numel() + layer.bias.numel() for layer in generator.layers]
    assert sizes == [569_344, 819_328, 204_864, 1_601]
    assert [layer.weight.numel() + layer.bias.numel() for layer in critic.layers] == [1_664, 204_928, 819_456]
    assert count(critic.head) == 4_097
    assert count(Tower((1, 28, 28), 10).head) == 40_970
    totals = {(1, 28, 28, 3): 3.64, (1, 32, 32, 40): 3.94, (3, 32, 32, 10): 3.70, (1, 16, 16, 10): 3.69}
    for (*shape, k), millions in totals.items():
        own = tuple(shape)
        both = count(Tower(own, 1)) + count(Tower(own, k))
        assert (both + count(Generator(own, k, 128))) / 1e6 == pytest.approx(millions, abs=0.006)
    large = (3, 64, 64)
    whole = count(Generator(large, 10, 128)) + count(Tower(large, 1)) + count(Tower(large, 10))
    assert whole / 1e6 == pytest.approx(14.1, abs=0.06)


@pytest.mark.parametrize(
    ("shape", "strides", "end"),
    [
        ((1, 16, 16), [1, 2, 2], (256, 4, 4)),
        ((1, 28, 28), [2, 2, 2], (256, 4, 4)),
        ((1, 32, 32), [2, 2, 2], (256, 4, 4)),
        ((3, 64, 64), [2, 2, 2, 2], (512, 4, 4)),
        ((1, 8, 8), [1, 1, 2], (256, 4, 4)),
        ((1, 112, 92), [2, 2, 2, 2, 2], (512, 4, 3)),
    ],
)
def test_stages_halve_until_the_map_is_four_wide(
    shape: tuple[int, int, int], strides: list[int], end: tuple[int, int, int]
) -> None:
    plan = stages(shape, 64)
    assert [stage.stride for stage in plan] == strides
    assert end_of(plan) == end


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [(28, 2, (1, 2)), (14, 2, (1, 2)), (7, 2, (2, 2)), (32, 2, (1, 2)), (8, 2, (1, 2)), (16, 1, (2, 2))],
)
def test_padding_is_tensorflows_same(size: int, stride: int, padding: tuple[int, int]) -> None:
    assert same_padding(size, stride) == padding


def test_first_weights_lie_within_the_bounds_of_the_code_and_biases_are_zero() -> None:
    generator = started(Generator((1, 28, 28), 10, 128, n_runs=1), 0)
    critic = started(Tower((1, 28, 28), 1, n_runs=1), 0)
    bounds = {
        critic.layers[0]: math.sqrt(3) * math.sqrt(4 / (25 + 64 * 25 / 4)),
        critic.layers[1]: math.sqrt(3) * math.sqrt(4 / (64 * 25 + 128 * 25 / 4)),
        generator.layers[1]: math.sqrt(3) * math.sqrt(4 / (256 * 25 / 4 + 128 * 25)),
        critic.head: math.sqrt(6 / (4096 + 1)),
        started(Tower(POINTS, 8), 0).layers[1]: math.sqrt(6 / 512),
        started(Tower((1, 16, 16), 8), 0).layers[0]: math.sqrt(3) * math.sqrt(4 / (25 + 64 * 25)),
    }
    for layer, bound in bounds.items():
        largest = float(layer.weight.detach().abs().max())
        assert 0.97 * bound < largest <= bound
        assert not layer.bias.any()


def test_a_deconvolution_is_the_transpose_of_the_convolution_with_same_padding() -> None:
    """<conv(x), y> = <x, deconv(y)> when both have the same weights, on sides that are even."""
    for stride, size in ((2, 8), (1, 6)):
        conv = StackedConv(2, 3, 4, stride, (size, size)).double()
        deconv = StackedDeconv(2, 4, 3, stride, (size, size)).double()
        generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
        conv.start(generators)
        deconv.weight.data.copy_(conv.weight)
        x = torch.randn(5, 2, 3, size, size, dtype=torch.float64)
        y = torch.randn(5, 2, 4, size // stride, size // stride, dtype=torch.float64)
        torch.testing.assert_close((conv(x) * y).sum(), (x * deconv(y)).sum())
        torch.testing.assert_close(deconv(y), conv.back(y))


@pytest.mark.parametrize(("stride", "padding"), [(1, 2), (2, 1), (2, 0)])
def test_a_transposed_convolution_and_its_gradients_are_those_of_pytorch(stride: int, padding: int) -> None:
    runs, rng = 3, torch.Generator().manual_seed(0)
    maps = torch.randn(4, runs * 2, 5, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(runs * 2, 7, 5, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    own = transposed_conv(maps, weight, stride, padding, runs)
    theirs = conv_transpose2d(maps, weight, None, stride, padding, groups=runs)
    torch.testing.assert_close(own, theirs)
    away = torch.randn(own.shape, generator=rng, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((own * away).sum(), (maps, weight)),
        torch.autograd.grad((theirs * away).sum(), (maps, weight)), strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(one, other)
    frozen = weight.detach()  # as in the generator's step, where the critic stands still
    (of_maps,) = torch.autograd.grad((transposed_conv(maps, frozen, stride, padding, runs) * away).sum(), maps)
    torch.testing.assert_close(of_maps, conv2d(away, frozen, None, stride, padding, groups=runs))


def test_back_is_the_gradient_at_the_input() -> None:
    layers = [
        (StackedLinear(2, 7, 3), (4, 2, 7)),
        (StackedConv(2, 3, 4, 2, (7, 9)), (4, 2, 3, 7, 9)),
        (StackedConv(2, 3, 4, 1, (6, 5)), (4, 2, 3, 6, 5)),
    ]
    for layer, shape in layers:
        layer.double().start([torch.Generator().manual_seed(seed) for seed in (0, 1)])
        x = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        y = layer(x)
        weights = torch.randn_like(y)
        expected = torch.autograd.grad((y * weights).sum(), x)[0]
        torch.testing.assert_close(layer.back(weights), expected)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 13, 12), POINTS], ids=str)
def test_stacked_networks_compute_what_each_would_alone(shape: tuple[int, ...]) -> None:
    seeds = (3, 4, 5)
    towers = started(Tower(shape, 4, width=3, n_runs=3), *seeds)
    generators = started(Generator(shape, 4, 6, width=3, n_runs=3), *seeds)
    noise, codes = torch.randn(5, 3, 6), torch.eye(4)[[0, 3, 1, 1, 2]][:, None].expand(-1, 3, -1)
    made = generators(noise, codes)
    scores = towers(made)
    for i, seed in enumerate(seeds):
        alone = started(Generator(shape, 4, 6, width=3), seed)(noise[:, i : i + 1], codes[:, i : i + 1])
        torch.testing.assert_close(made[:, i], alone[:, 0], atol=1e-6, rtol=1e-5)
        own = started(Tower(shape, 4, width=3), seed)(alone)
        torch.testing.assert_close(scores[:, i], own[:, 0], atol=1e-5, rtol=1e-5)


def test_a_run_with_less_noise_sees_its_own_numbers_and_no_others() -> None:
    generator = started(Generator((1, 8, 8), 3, [2, 5, 0], width=2, n_runs=3), 0, 1, 2)
    noise, clusters = torch.randn(4, 3, 5), torch.eye(3)[[0, 1, 2, 0]][:, None].expand(4, 3, 3)
    before = generator(noise, clusters)
    for run, own in enumerate([2, 5, 0]):
        other = noise.clone()
        other[:, :, own:] += 1
        assert torch.equal(generator(other, clusters)[:, run], before[:, run])
        if own:
            other[:, :, own - 1] += 1
            assert not torch.equal(generator(other, clusters)[:, run], before[:, run])
    assert "seen" not in generator.state_dict()


def test_noise_is_multiplied_by_the_scale_of_each_run() -> None:
    noise, clusters = torch.randn(4, 2, 5), torch.eye(3)[[0, 1, 2, 0]][:, None].expand(4, 2, 3)
    one, scaled = (
        started(Generator((1, 8, 8), 3, 5, width=2, n_runs=2, noise_scale=scale), 0, 1) for scale in (1, (0.1, 2))
    )
    assert torch.equal(scaled(noise, clusters), one(noise * torch.tensor([0.1, 2.0])[:, None], clusters))


def test_batch_norm_in_the_generator_keeps_the_runs_apart() -> None:
    generators = started(Generator((3, 16, 16), 4, 6, width=3, n_runs=2, norm="bn"), 0, 1)
    noise, codes = torch.randn(5, 2, 6), torch.eye(4)[[0, 3, 1, 1, 2]][:, None].expand(-1, 2, -1)
    alone = started(Generator((3, 16, 16), 4, 6, width=3, norm="bn"), 1)
    torch.testing.assert_close(generators(noise, codes)[:, 1], alone(noise[:, 1:], codes[:, 1:])[:, 0])


def test_the_trunk_sees_what_the_classifier_sees() -> None:
    for shape in ((1, 16, 16), (3, 16, 16)):
        tower = started(Tower(shape, 4, width=3), 0)
        trunk = GanTrunk(shape, 3)
        trunk.load_state_dict(
            {f"tower.{name}": value for name, value in tower.state_dict().items() if not name.startswith("head")}
        )
        images = torch.rand(5, *shape)
        seen = tower.features(as_seen(images[:, None], shape[0] == 3))
        torch.testing.assert_close(trunk(images), seen[:, 0])


def test_colours_lie_between_minus_one_and_one_and_come_back() -> None:
    images = torch.rand(4, 3, 2, 2)
    assert as_seen(images, True).min() < 0
    torch.testing.assert_close(as_shown(as_seen(images, True), True), images)
    assert as_seen(images, False) is images


def test_a_line_of_pixels_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 x 20 pixels are too small for UDC"):
        check_sides((1, 1, 20))


def test_multiplications_are_those_of_the_specification() -> None:
    """udc.md section 5: 24.02 M of the generator, 23.46 M of the critic for 28 pixels."""
    critic = Tower((1, 28, 28), 1)
    outputs = [14 * 14, 7 * 7, 4 * 4]
    macs = sum(n * layer.weight.numel() for n, layer in zip(outputs, critic.layers, strict=True)) + 4096
    assert macs / 1e6 == pytest.approx(23.46, abs=0.01)
    generator = Generator((1, 28, 28), 10, 128)
    inputs = [1, 4 * 4, 7 * 7, 14 * 14]
    macs = sum(n * layer.weight.numel() for n, layer in zip(inputs, generator.layers, strict=True))
    assert macs / 1e6 == pytest.approx(24.02, abs=0.01)
    assert np.isclose(macs, 24.02e6, rtol=1e-3)
