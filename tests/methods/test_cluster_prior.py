"""Clusters are drawn as often as the prior says, whichever it is."""

from typing import Any

import pytest
import torch

from coterie.errors import ConfigError
from coterie.methods.cluster_prior import LEAST, RATE, drawn_clusters, followed, shares_of
from coterie.methods.run_draws import RunDraws


@pytest.mark.parametrize(
    ("prior", "shares"),
    [
        ("uniform", [0.25] * 4),
        ("learned", [0.25] * 4),
        ("0.1, 0.2,0.3,0.4", [0.1, 0.2, 0.3, 0.4]),
        ((0.7, 0.1, 0.1, 0.1), [0.7, 0.1, 0.1, 0.1]),
    ],
)
def test_clusters_are_drawn_as_often_as_asked(prior: Any, shares: list[float]) -> None:
    """Gate (iv)."""
    assert shares_of(prior, 4) == pytest.approx(shares)
    draws = RunDraws([0, 1], shares_of(prior, 4))
    clusters = torch.cat([draws.take(1, 8, (1000, 1)).clusters.flatten(0, 1) for _ in range(5)])
    for run in clusters.unbind(1):
        found = torch.bincount(run, minlength=4) / len(run)
        torch.testing.assert_close(found, torch.tensor(shares), atol=0.01, rtol=0)
    assert not torch.equal(clusters[:, 0], clusters[:, 1])


def test_an_edge_belongs_to_the_next_cluster_and_one_is_still_inside() -> None:
    prior = torch.tensor([[0.5, 0.25, 0.25]])
    uniform = torch.tensor([[0.0], [0.4999], [0.5], [0.75], [1.0]])
    assert drawn_clusters(uniform, prior)[:, 0].tolist() == [0, 0, 1, 2, 2]


def test_a_learned_prior_moves_towards_what_is_seen_and_never_loses_a_cluster() -> None:
    prior = torch.full((2, 4), 0.25)
    seen = torch.tensor([[1.0, 0, 0, 0], [0.4, 0.3, 0.2, 0.1]])
    torch.testing.assert_close(followed(prior, seen), (1 - RATE) * prior + RATE * seen)
    for _ in range(6_000):
        prior = followed(prior, seen)
    torch.testing.assert_close(prior.sum(1), torch.ones(2))
    assert prior.min() >= LEAST / 4 - 1e-6
    torch.testing.assert_close(prior[1], seen[1], atol=2e-3, rtol=0)
    torch.testing.assert_close(prior[0], torch.tensor([1 - 3 * LEAST / 4] + [LEAST / 4] * 3), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        ("even", "prior is 'even'; expected uniform, learned, or a share for each cluster"),
        ("0.5,0.5", "expected 3 shares above 0 that sum to 1"),
        ((0.5, 0.5, 0.0), "expected 3 shares above 0 that sum to 1"),
        ((0.5, 0.4, 0.3), "expected 3 shares above 0 that sum to 1"),
        (7, "prior is 7; expected uniform, learned"),
    ],
)
def test_a_prior_that_is_none_is_refused(prior: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        shares_of(prior, 3)
