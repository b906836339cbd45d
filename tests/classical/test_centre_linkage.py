"""Agglomeration by centres and scatters, against SciPy's linkage of all pairs."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from coterie.classical import AverageLinkage
from coterie.classical.centre_linkage import Distance, average_of_squares, link_centres, ward
from coterie.graphs.history import History, cut
from oracles.plain_graphs import partition


def clouds(n: int = 120, d: int = 3, seed: int = 0) -> np.ndarray:
    """Two far clouds and some images far from both, away from the origin."""
    rng = np.random.default_rng(seed)
    return (50 + 8 * rng.integers(0, 2, (n, 1)) + rng.standard_t(2, size=(n, d))).astype(np.float32)


def tree_of_scipy(features: np.ndarray, distance: Distance) -> np.ndarray:
    if distance is ward:
        return linkage(features.astype(float), "ward")
    return linkage(pdist(features.astype(float), "sqeuclidean"), "average")


def heights(history: History, distance: Distance) -> np.ndarray:
    return np.sqrt(-2 * history.affinity) if distance is ward else -history.affinity


@pytest.mark.parametrize("worth", [1e9, 0, 20], ids=["pairs alone", "chains alone", "both"])
@pytest.mark.parametrize("distance", [ward, average_of_squares])
def test_the_tree_is_that_of_scipy_however_it_is_built(
    distance: Distance, worth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie.classical.centre_linkage.WORTH", worth)
    monkeypatch.setattr("coterie.classical.centre_linkage.BLOCK", 7)
    features = clouds()
    found, wanted = link_centres(features, distance), tree_of_scipy(features, distance)
    np.testing.assert_allclose(heights(found, distance), wanted[:, 2], rtol=1e-9)
    assert (found.size == wanted[:, 3]).all()
    nodes = History(np.arange(120), wanted[:, :2].astype(np.int64), -wanted[:, 2], wanted[:, 3].astype(np.int64))
    for k in (2, 5, 30, 100):
        assert partition(cut(found, k)) == partition(cut(nodes, k))


@pytest.mark.parametrize("distance", [ward, average_of_squares])
def test_images_that_are_alike_merge_first_and_end_in_one(distance: Distance) -> None:
    features = np.repeat(clouds(9), 5, axis=0)
    history = link_centres(features, distance)
    assert history.n_final == 1
    assert partition(cut(history, 9)) == partition(np.repeat(np.arange(9), 5))


def test_one_image_has_no_mergers() -> None:
    assert link_centres(np.ones((1, 2), np.float32), ward).n_final == 1


def test_ac_link_by_squares_takes_more_images_than_by_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.classical.rival.MOST_PAIRED", 100)
    features = clouds()
    model = AverageLinkage(4, distance="squared").fit(features)
    assert partition(model.labels_) == partition(cut(link_centres(features, average_of_squares), 4))
