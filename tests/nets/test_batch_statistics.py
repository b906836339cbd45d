"""Written statistics are those of the images, and answers no longer depend on the company of an image."""

import pytest
import torch
from torch import Tensor, nn

from coterie.nets.batch_statistics import keep_statistics, normalisations, write_statistics
from coterie.nets.label_network import LabelNetwork, LabelTrunk

LAYERS = "conv3-6 max2 bn conv3-8 conv1-3 mean"


def images(n: int = 60, seed: int = 0) -> Tensor:
    return torch.rand(n, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


def network(seed: int = 0) -> LabelNetwork:
    torch.manual_seed(seed)
    return LabelNetwork((1, 12, 12), LAYERS)


def test_until_statistics_are_written_an_answer_depends_on_the_batch_in_both_modes() -> None:
    net, x = network(), images()
    torch.testing.assert_close(net.eval()(x), net.train()(x))
    assert not torch.allclose(net(x[:30]), net(x)[:30], atol=1e-3)


def test_one_batch_gives_its_own_statistics() -> None:
    net, x = network(), images()
    by_batch = net(x)
    write_statistics(net, [x])
    # the variance that is written is that of the population, n / (n - 1) of the batch's
    torch.testing.assert_close(net(x), by_batch, rtol=0.05, atol=0.05)
    first = next(normalisations(net))
    maps = nn.functional.conv2d(x, *net.trunk.before[0][0].parameters())
    torch.testing.assert_close(first.running_mean, maps.mean((0, 2, 3)))
    torch.testing.assert_close(first.running_var, maps.var((0, 2, 3)))


def test_several_batches_count_alike() -> None:
    net = network()
    parts = [images(40, seed) for seed in range(3)]
    write_statistics(net, parts)
    first = next(normalisations(net))
    maps = [nn.functional.conv2d(x, *net.trunk.before[0][0].parameters()) for x in parts]
    torch.testing.assert_close(first.running_mean, torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0))


def test_written_statistics_make_an_image_alone_what_it_is_among_others() -> None:
    net, x = network(), images()
    write_statistics(net, x.split(20))
    assert not net.training
    with torch.no_grad():
        rows, order = net(x), torch.randperm(60)
        torch.testing.assert_close(net(x[order]), rows[order])
        torch.testing.assert_close(net(x[:1]), rows[:1])


def test_statistics_are_written_anew_and_not_added_to() -> None:
    net, x = network(), images()
    write_statistics(net, x.split(20))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    write_statistics(net, x.split(20))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("which", ["weights", "gradients"])
def test_writing_touches_no_weight(which: str) -> None:
    net = network()
    before = [weight.clone() for weight in net.parameters()]
    write_statistics(net, [images()])
    if which == "weights":
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    else:
        assert all(weight.grad is None for weight in net.parameters())


def test_a_network_with_places_for_statistics_takes_the_weights_of_one_that_has_them() -> None:
    net, x = network(), images()
    write_statistics(net, [x])
    other = LabelTrunk((1, 12, 12), LAYERS)
    other.load_state_dict(net.trunk.state_dict())
    with torch.no_grad():
        assert torch.equal(other.eval()(x), net.trunk(x))


def test_places_start_as_no_normalisation_at_all() -> None:
    layer = nn.BatchNorm1d(4, track_running_stats=False)
    keep_statistics(layer)
    x = torch.randn(3, 4)
    torch.testing.assert_close(layer.eval()(x), x, rtol=1e-4, atol=1e-4)
