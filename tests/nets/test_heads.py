"""Prototypes on the sphere, and the embedding of an image together with its cluster."""

import pytest
import torch
from torch.nn.functional import normalize

from coterie.errors import ConfigError
from coterie.nets.heads import COMBINATIONS, ProjectedTrunk, TwinHead, first_prototypes, most_certain, simplex


@pytest.mark.parametrize(("k", "d"), [(2, 1), (2, 8), (3, 2), (10, 128), (15, 14), (20, 19), (129, 128)])
def test_simplex_prototypes_are_unit_vectors_as_far_apart_as_can_be(k: int, d: int) -> None:
    mu = simplex(k, d).double()
    expected = torch.full((k, k), -1 / (k - 1), dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(mu @ mu.T, expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(mu.sum(0), torch.zeros(d, dtype=torch.float64), atol=2e-5, rtol=0)


def test_a_simplex_that_does_not_fit_is_refused_and_random_directions_stand_in() -> None:
    with pytest.raises(ConfigError, match="200 directions as far apart as can be need 199 dimensions, not 128"):
        simplex(200, 128)
    mu = first_prototypes(200, 128)
    assert mu.shape == (200, 128)
    for frame in (mu[:128], mu[128:]):  # at right angles within, anyhow across
        torch.testing.assert_close(frame @ frame.T, torch.eye(len(frame)), atol=1e-5, rtol=0)
    assert 0.1 < (mu[:128] @ mu[128:].T).abs().max() < 0.9
    assert not torch.equal(first_prototypes(200, 128), mu)


@pytest.mark.parametrize(
    ("k", "reached"),
    [
        (10, (0.252, 0.506, 0.966, 1.000)),
        (15, (0.173, 0.378, 0.938, 1.000)),
        (20, (0.131, 0.302, 0.910, 0.999)),
        (200, (0.014, 0.036, 0.433, 0.991)),
    ],
)
def test_the_largest_probability_a_temperature_allows_is_that_of_the_specification(
    k: int, reached: tuple[float, ...]
) -> None:
    for tau_q, expected in zip((1.0, 0.5, 0.2, 0.1), reached, strict=True):
        assert most_certain(k, tau_q) == pytest.approx(expected, abs=6e-4)
        head = TwinHead(torch.nn.Identity(), k, 256, tau_q=tau_q, temperature=0.3)
        largest = head.log_pi(simplex(k, 256)).detach().exp().max().item()
        assert largest == pytest.approx(most_certain(k, tau_q), abs=1e-5)


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_every_embedding_is_of_length_one_and_all_but_none_depend_on_the_cluster(combine: str) -> None:
    torch.manual_seed(0)
    head = TwinHead(torch.nn.Identity(), 3, 8, tau_q=0.2, temperature=0.3, combine=combine)
    f = normalize(torch.randn(5, 8), dim=1)
    samples = torch.eye(3)[torch.tensor([[0, 1, 2, 0, 1], [1, 2, 0, 1, 2]])]
    v = head.embed(f, samples)
    assert v.shape == (2, 5, 8)
    torch.testing.assert_close(v.norm(dim=-1), torch.ones(2, 5))
    assert torch.equal(v[0], v[1]) == (combine == "none")
    assert not torch.equal(v[0, 0], v[0, 3])  # two images of one cluster remain two


def test_the_additive_embedding_is_the_image_moved_towards_its_prototype() -> None:
    head = TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=0.3)
    f = normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    c = torch.eye(4)[[2, 0]][None]
    torch.testing.assert_close(head.embed(f, c)[0], normalize(f + simplex(4, 6)[[2, 0]], dim=1))


def test_samples_follow_the_noise_and_sharpen_with_the_temperature() -> None:
    f = normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    noise = torch.zeros(1, 3, 4)
    cold = TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=0.05)(f, noise)
    plain = TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=1.0)(f, noise)
    torch.testing.assert_close(plain.c[0], plain.log_pi.exp())
    assert cold.c.max(-1).values.min() > plain.c.max(-1).values.max()
    noise[0, :, 1] = 100.0
    pushed = TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=0.3)(f, noise)
    assert (pushed.c.argmax(-1) == 1).all()
    torch.testing.assert_close(pushed.log_pi, plain.log_pi)  # noise moves the sample, not the assignment


def test_frozen_prototypes_get_no_gradient_and_placed_ones_are_unit_vectors() -> None:
    frozen = TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=0.3, frozen=True)
    assert [name for name, weight in frozen.named_parameters() if weight.requires_grad] == ["joined.weight"]
    frozen.place(5 * torch.eye(4, 6))
    torch.testing.assert_close(frozen.prototypes.data, torch.eye(4, 6))
    torch.testing.assert_close(frozen.joined.weight.data, torch.eye(6, 4))


@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_a_projected_trunk_gives_unit_vectors_of_any_length(projection: str) -> None:
    net = ProjectedTrunk("small", (1, 16, 16), 24, projection)
    y = net(torch.rand(3, 1, 16, 16))
    assert y.shape == (3, 24)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.rand(3, 1, 16, 16)).dtype == torch.float32


def test_unknown_projections_and_combinations_are_named() -> None:
    with pytest.raises(ConfigError, match="projection='deep' is unknown: give one of linear, mlp"):
        ProjectedTrunk("small", (1, 16, 16), projection="deep")
    with pytest.raises(ConfigError, match="combine='sum' is unknown"):
        TwinHead(torch.nn.Identity(), 4, 6, tau_q=0.2, temperature=0.3, combine="sum")
