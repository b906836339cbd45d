"""The networks of Table 4, the rule for other sizes, their taps, and where their weights start (dccm.md section 2)."""

import pytest
import torch
from torch.nn.functional import conv2d, linear

from coterie.errors import ConfigError
from coterie.nets.batch_statistics import write_statistics
from coterie.nets.dccm_net import TAPS, DCCMNet, DCCMTrunk, Probabilities, dccm_layout, n_features_for, stage_of
from coterie.nets.valid_conv import out_shape, valid_conv

# shape, K, features, parameters, multiplications of a forward pass in millions
TABLE = {
    "CIFAR-10": ((3, 32, 32), 10, 426_014, 45.81),
    "CIFAR-100": ((3, 32, 32), 20, 426_684, 45.81),
    "Tiny-ImageNet": ((3, 64, 64), 200, 481_176, 364.0),
    "ImageNet-10": ((3, 96, 96), 10, 380_318, 911.4),
    "ImageNet-dog": ((3, 96, 96), 15, 380_653, 911.4),
}
# of each layer: maps, height and width
MAPS = {
    32: [(64, 30), (64, 28), (64, 14), (128, 12), (128, 6), (256, 4), (256, 1)],
    64: [(64, 60), (64, 56), (64, 14), (128, 12), (128, 10), (128, 2), (256, 2), (256, 1)],
    96: [(64, 92), (64, 88), (64, 22), (128, 20), (128, 18), (128, 4), (256, 4), (256, 1)],
}


def network(shape: tuple[int, int, int], k: int, tap: str = "pool1") -> DCCMNet:
    trunk = DCCMTrunk(shape, dccm_layout(shape), n_features=n_features_for(k), tap=tap, frozen=False)
    return DCCMNet(trunk, k)


@pytest.mark.parametrize("name", TABLE)
def test_the_networks_of_the_paper_have_their_parameters(name: str) -> None:
    shape, k, n, _ = TABLE[name]
    assert sum(weight.numel() for weight in network(shape, k).parameters()) == n


@pytest.mark.parametrize("name", TABLE)
def test_the_networks_of_the_paper_have_their_cost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, k, _, millions = TABLE[name]
    counted = 0

    def convolve(x: torch.Tensor, weight: torch.Tensor, *rest: object) -> torch.Tensor:
        nonlocal counted
        y = conv2d(x, weight, *rest)  # type: ignore[arg-type]
        counted += y[0].numel() * weight[0].numel()
        return y

    def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        nonlocal counted
        counted += weight.numel()
        return linear(x, weight, bias)

    net = network(shape, k)
    monkeypatch.setattr("torch.nn.functional.conv2d", convolve)
    monkeypatch.setattr("torch.nn.functional.linear", multiply)
    with torch.no_grad():
        net(torch.zeros(2, *shape))
    assert counted / 1e6 == pytest.approx(millions, rel=2e-3)


@pytest.mark.parametrize("side", MAPS)
def test_every_layer_leaves_the_map_of_table_4(side: int) -> None:
    layers = valid_conv(dccm_layout((3, side, side)), 3)
    found = [out_shape(layers[: i + 1], (3, side, side)) for i in range(len(layers))]
    assert [(maps, height) for maps, height, _ in found] == MAPS[side]


def test_marks_of_28_and_16_pixels_have_the_small_network_scaled() -> None:
    assert dccm_layout((1, 28, 28)) == "conv3-64 conv3-64 max2 conv3-128 max2 conv3-256 mean"
    assert dccm_layout((1, 16, 16)) == "conv3-64 conv3-64 max2 conv3-128 max2 conv1-256 mean"
    assert dccm_layout((1, 16, 16), maps=8) == "conv3-8 conv3-8 max2 conv3-16 max2 conv1-32 mean"


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (1, 5, 7), (1, 8, 8), (3, 20, 48), (3, 50, 50), (1, 112, 92)])
def test_images_of_any_size_have_a_network(shape: tuple[int, int, int]) -> None:
    taps = ["conv2"] if min(shape[1:]) < 6 else list(TAPS)
    for tap in taps:
        seen = network(shape, 3, tap)(torch.rand(4, *shape))
        assert seen.log_z.shape == seen.logits.shape == (4, 3)
        assert seen.log_z.isfinite().all()
        assert seen.features.shape == (4, 64)


@pytest.mark.parametrize(
    ("side", "tap", "shape"),
    [
        (32, "conv2", (64, 28, 28)),
        (32, "pool1", (64, 14, 14)),
        (64, "conv3", (128, 12, 12)),
        (96, "conv3", (128, 20, 20)),
    ],
)
def test_the_shallow_map_is_that_of_paper_or_code(side: int, tap: str, shape: tuple[int, int, int]) -> None:
    net = network((3, side, side), 10, tap)
    assert net.trunk.shallow_shape == shape
    assert net(torch.rand(2, 3, side, side)).shallow.shape == (2, *shape)


def test_a_tap_that_the_layers_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="mi_shallow is 'conv3', which 'conv3-8 avg2' does not have"):
        stage_of("conv3-8 avg2", "conv3")
    with pytest.raises(ConfigError, match="mi_shallow is 'pool9'"):
        stage_of("conv3-8 max2", "pool9")


def test_more_than_64_clusters_have_256_features() -> None:
    assert [n_features_for(k) for k in (2, 20, 64, 65, 200)] == [64, 64, 64, 256, 256]


def test_the_head_starts_as_the_identity_so_features_are_the_clusters() -> None:
    net = network((1, 16, 16), 10)
    seen = net(torch.rand(6, 1, 16, 16))
    torch.testing.assert_close(seen.logits, seen.features[:, :10])


def test_before_the_softmax_every_logit_has_mean_0_and_variance_1_over_the_batch() -> None:
    net = network((1, 16, 16), 5)
    head, norm = net.head
    features = net(torch.rand(200, 1, 16, 16)).features
    scaled = norm(head(features))
    torch.testing.assert_close(scaled.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.var(0, unbiased=False), torch.ones(5), atol=1e-3, rtol=0)


def test_a_brighter_or_stronger_image_is_the_same_image() -> None:
    """The property of unpadded convolutions with batch statistics (dac.md section 4)."""
    net = network((3, 20, 20), 4).double()
    images = torch.rand(8, 3, 20, 20, dtype=torch.float64)
    with torch.no_grad():
        wanted = net(images).log_z
        torch.testing.assert_close(net(images + 0.3).log_z, wanted, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(net(images * 3).log_z, wanted, atol=5e-3, rtol=5e-3)


def test_with_written_statistics_an_image_is_seen_the_same_in_any_company() -> None:
    net = network((1, 16, 16), 4)
    images = torch.rand(40, 1, 16, 16)
    write_statistics(net, [images[:20], images[20:]])
    look = Probabilities(net)
    with torch.no_grad():
        torch.testing.assert_close(look(images)[:3], look(images[:3]))
        torch.testing.assert_close(look(images.flip(0)).flip(0), look(images))


def test_a_network_for_a_model_file_has_places_for_the_statistics() -> None:
    shape = (1, 16, 16)
    trained, built = network(shape, 4).trunk, DCCMTrunk(shape, dccm_layout(shape))
    write_statistics(trained, [torch.rand(9, *shape)])
    built.load_state_dict(trained.state_dict())
    images = torch.rand(3, *shape)
    with torch.no_grad():
        torch.testing.assert_close(built.eval()(images), trained.eval()(images))
