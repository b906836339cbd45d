"""GATCluster's networks: the published layers, the Gaussian by its formula, both branches."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from coterie.errors import ConfigError
from coterie.nets.attention import GAUSSIANS, GaussianAttentionNet, LabelFeatures, gaussian_map
from coterie.nets.feature_maps import FeatureMaps, Stage, multiplications, side_after, stages
from oracles.plain_self_targets import gaussian


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("side", "n_parameters", "multiplied"),
    [  # gatcluster.md section 2; the last one is ours
        (96, 1_924_126, 1.542e9),
        (128, 3_105_310, 3.122e9),
        (32, 1_924_126, 231.9e6),
    ],
)
def test_the_networks_have_the_size_of_the_specification(side: int, n_parameters: int, multiplied: float) -> None:
    shape = (1, side, side)
    assert parameters(FeatureMaps(shape, 10)) == n_parameters
    assert multiplications(stages(shape, 10), shape) == pytest.approx(multiplied, rel=3e-4)


def test_the_layers_are_those_of_the_lost_table() -> None:
    sides, side = [], 96
    for stage in stages((1, 96, 96), 10):
        side = stage.after(side)
        sides.append(side)
    assert sides == [94, 92, 90, 45, 43, 41, 39, 19, 17, 15, 13, 6, 6]
    last = stages((1, 128, 128), 10)[-4:]
    assert last == [Stage(0), Stage(256), Stage(256), Stage(10, kernel=1)]
    assert [stage.maps for stage in stages((1, 32, 32), 10)] == [64, 64, 64, 0, 128, 128, 128, 0, 256, 256, 256, 10]


@pytest.mark.parametrize(
    ("side", "extra"), [(96, 0), (128, 2), (160, 4), (192, 6), (224, 8)]
)  # the first four of section 2
def test_larger_images_keep_the_map_by_further_convolutions(side: int, extra: int) -> None:
    plan = stages((1, side, side), 10)
    assert side_after(plan, side) == 6
    assert len(plan) == len(stages((1, 96, 96), 10)) + extra


@pytest.mark.parametrize("map_size", [10, 8, 6, 4, 2])
def test_the_map_can_be_chosen(map_size: int) -> None:
    assert side_after(stages((1, 128, 128), 10, map_size), 128) == map_size


@pytest.mark.parametrize(
    ("shape", "map_shape"),
    [
        ((1, 8, 8), (6, 6)),
        ((1, 12, 12), (6, 6)),
        ((1, 16, 16), (6, 6)),
        ((1, 28, 28), (6, 6)),
        ((3, 32, 32), (6, 6)),
        ((3, 64, 64), (6, 6)),
        ((1, 112, 92), (10, 7)),
        ((1, 128, 96), (10, 6)),
        ((3, 100, 120), (7, 9)),
    ],
)
def test_every_size_gets_a_map_and_the_plan_says_which(shape: tuple[int, int, int], map_shape: tuple[int, int]) -> None:
    net = FeatureMaps(shape, 5, width=2).eval()
    assert net.map_shape == map_shape
    with torch.no_grad():
        assert net(torch.rand(2, *shape)).shape == (2, 5, *map_shape)


def test_images_of_28_pixels_are_framed_to_32() -> None:
    first, *rest = stages((1, 28, 28), 10)
    assert first == Stage(64, padding=3)
    assert rest == stages((1, 32, 32), 10)[1:]


@pytest.mark.parametrize("map_size", [5, 12, 1])
def test_a_map_that_these_images_cannot_have_is_refused_with_those_they_can(map_size: int) -> None:
    with pytest.raises(ConfigError, match=f"map_size is {map_size}; expected one of 10, 8, 6, 4, 2 for images of 128"):
        FeatureMaps((1, 128, 128), 10, map_size=map_size)
    with pytest.raises(ConfigError, match="images of 1 x 1 pixels leave no map to attend to"):
        FeatureMaps((1, 1, 1), 10)


def test_colours_are_seen_only_where_asked_for() -> None:
    shape = (3, 16, 16)
    images = torch.rand(3, *shape)
    grey = FeatureMaps(shape, 4, width=8).eval()
    luma = (images * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    with torch.no_grad():
        torch.testing.assert_close(grey(images), grey(luma))
        red, green = images * torch.tensor([1.0, 0, 0])[:, None, None], images[:, [1, 0, 2]]
        assert not torch.equal(grey(images), grey(red))
        colour = FeatureMaps(shape, 4, width=8, colour=True).eval()
        assert not torch.allclose(colour(images), colour(green))
    assert grey.layers[0][0].in_channels == 1
    assert colour.layers[0][0].in_channels == 3


# --- the Gaussian


@pytest.mark.parametrize("form", list(GAUSSIANS))
@pytest.mark.parametrize("shape", [(6, 6), (2, 2), (4, 7)])
def test_the_gaussian_is_that_of_the_formula(form: str, shape: tuple[int, int]) -> None:
    theta = torch.rand(5, GAUSSIANS[form], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = gaussian_map(theta, shape, form)
    expected = np.stack([gaussian(row.tolist(), *shape, form) for row in theta])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert ((found > 0) & (found <= 1)).all()


@pytest.mark.parametrize("form", list(GAUSSIANS))
def test_the_gradient_of_the_gaussian_is_right(form: str) -> None:
    theta = torch.rand(3, GAUSSIANS[form], dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.1
    assert torch.autograd.gradcheck(lambda t: gaussian_map(t, (3, 4), form), theta.requires_grad_())


def test_the_peak_is_1_in_the_middle_and_the_width_at_most_a_fifth_of_the_side() -> None:
    centre = gaussian_map(torch.tensor([[0.4, 0.8, 1.0]]), (6, 6))[0]
    assert centre[2, 4] == 1
    assert centre.sum() > 1, "not a distribution"
    wide = gaussian_map(torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64), (101, 2))[0, :, 0]
    assert float(wide[int(100 * 0.05**0.5) + 1]) == pytest.approx(np.exp(-0.5), abs=0.02)  # one standard deviation


def test_in_the_released_form_column_and_width_are_one_number_and_one_number_is_dead() -> None:
    theta = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    gaussian_map(theta, (6, 6), "compat_theta").square().sum().backward()
    assert theta.grad is not None
    assert not theta.grad[:, 1].any()
    assert theta.grad[:, [0, 2]].abs().min() > 0
    tied = theta.detach().clone()
    tied[:, 1] = tied[:, 2]
    torch.testing.assert_close(gaussian_map(tied, (6, 6)), gaussian_map(theta.detach(), (6, 6), "compat_theta"))


def test_without_correlation_and_with_one_width_the_anisotropic_form_is_round() -> None:
    theta = torch.tensor([[0.4, 0.6, 0.7, 0.7, 0.0]], dtype=torch.float64)
    found = gaussian_map(theta, (6, 6), "anisotropic")
    # its width stands in the square, the isotropic one's does not
    expected = gaussian_map(torch.tensor([[0.4, 0.6, 0.49]], dtype=torch.float64), (6, 6))
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-9)


# --- the whole network


def network(**settings: object) -> GaussianAttentionNet:
    torch.manual_seed(3)
    features = LabelFeatures((1, 16, 16), 6, width=2)
    return GaussianAttentionNet(features, 4, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", list(GAUSSIANS))
def test_both_branches_give_log_probabilities_and_theta_is_within_the_map(form: str) -> None:
    views = network(gaussian=form)(torch.rand(5, 1, 16, 16))
    assert views.log_attended is not None
    assert views.theta is not None
    for label in (views.log_label, views.log_attended):
        assert label.shape == (5, 4)
        torch.testing.assert_close(label.exp().sum(1), torch.ones(5))
    assert views.theta.shape == (5, GAUSSIANS[form])
    assert ((views.theta > 0) & (views.theta < 1)).all()
    assert views.pooled.shape == (5, 6)


def test_the_branches_are_those_of_the_specification() -> None:
    net = network().eval()
    images = torch.rand(5, 1, 16, 16)
    with torch.no_grad():
        maps = net.features.maps(images)
        f = net.features.label_maps(maps)
        views = net(images)
        label = net.label(f.mean((2, 3))).softmax(1)
        u = net.attention.conv(maps).flatten(1)  # type: ignore[union-attr]
        theta = torch.sigmoid(net.attention.linear(u))  # type: ignore[union-attr]
        looked = (f * gaussian_map(theta, (6, 6))[:, None]).sum((2, 3))
        attended = net.attended_label(looked).softmax(1)
        torch.testing.assert_close(views.log_label.exp(), label)
        torch.testing.assert_close(views.log_attended.exp(), attended)
        torch.testing.assert_close(views.pooled, net.features(images))


def test_without_its_branch_there_is_no_attention_and_the_label_stays() -> None:
    whole, alone = network(), network(attend=False)
    assert parameters(alone) < parameters(whole)
    views = alone.eval()(torch.rand(2, 1, 16, 16))
    assert views.log_attended is None
    assert views.theta is None


def test_the_gaussian_may_be_placed_without_a_convolution() -> None:
    net = network(attention_conv=False)
    assert net.attention is not None
    assert net.attention.linear.in_features == 6 * 36
    assert net(torch.rand(2, 1, 16, 16)).theta.shape == (2, 3)


def test_the_attention_reaches_the_features_with_its_gradient() -> None:
    net = network()
    views = net(torch.rand(8, 1, 16, 16))
    views.log_attended[:, 0].sum().backward()
    assert net.features.maps.layers[0][0].weight.grad.abs().sum() > 0
    assert net.attention.linear.weight.grad.abs().sum() > 0
    assert net.label[0].weight.grad is None


def test_an_unknown_gaussian_is_refused() -> None:
    with pytest.raises(ConfigError, match="gaussian is 'round'; expected one of isotropic, compat_theta, anisotropic"):
        network(gaussian="round")


def test_sides_fall_from_stage_to_stage() -> None:
    side, sides = 192, []
    for stage in stages((1, 192, 192), 10):
        side = stage.after(side)
        sides.append(side)
    assert all(after <= before for before, after in pairwise(sides))
