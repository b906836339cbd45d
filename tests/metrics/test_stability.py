"""Agreement of several groupings beside its definition."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from coterie.errors import ConfigError
from coterie.metrics.stability import kept_share, medoid, pairwise_agreement


def some_groupings(r: int = 4, n: int = 60) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 4, n) for _ in range(r)]


def test_pairwise_agreement_is_the_adjusted_rand_index_of_each_two() -> None:
    given = some_groupings()
    expected = [[adjusted_rand_score(a, b) for b in given] for a in given]
    np.testing.assert_allclose(pairwise_agreement(given), expected, atol=1e-12)


def test_names_of_clusters_do_not_matter() -> None:
    a, b = some_groupings(2)
    renamed = np.array(["x", "q", "a", "zz"])[b]
    np.testing.assert_allclose(pairwise_agreement([a, b]), pairwise_agreement([a, renamed.tolist()]))


def test_the_medoid_is_the_grouping_nearest_to_the_others() -> None:
    truth = np.repeat(np.arange(5), 40)
    rng = np.random.default_rng(1)
    noisy = []
    for share in (0.4, 0.05, 0.3, 0.2):
        moved = truth.copy()
        at = rng.random(len(truth)) < share
        moved[at] = rng.integers(0, 5, at.sum())
        noisy.append(moved)
    found = medoid(noisy)
    means = [np.mean([adjusted_rand_score(a, b) for j, b in enumerate(noisy) if j != i]) for i, a in enumerate(noisy)]
    assert found.best == 1 == int(np.argmax(means))
    np.testing.assert_allclose(found.agreement, means)


def test_of_two_groupings_neither_is_nearer_and_one_agrees_with_itself() -> None:
    found = medoid(some_groupings(2))
    assert found.best == 0
    assert found.agreement[0] == found.agreement[1]
    assert medoid([[0, 0, 1]]) == (0, pytest.approx([1.0]))


def test_the_share_of_images_that_keep_their_cluster_is_counted() -> None:
    assert kept_share([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75
    assert kept_share([0, 1], [1, 0]) == 0.0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="no groupings"):
        pairwise_agreement([])
    with pytest.raises(ConfigError):
        pairwise_agreement([[0, 1], [0, 1, 2]])
    with pytest.raises(ConfigError, match="of the same images"):
        kept_share([0, 1], [0])
    with pytest.raises(ConfigError, match="of the same images"):
        kept_share([], [])
