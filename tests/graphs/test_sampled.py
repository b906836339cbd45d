"""A linkage of a sample, told of all images."""

import warnings

import numpy as np
import pytest

from coterie.classical import GraphDegreeLinkage
from coterie.errors import ConfigError
from coterie.graphs.grouping import LinkageSettings, group_features
from coterie.graphs.history import History, cut
from coterie.graphs.sampled import sampled_rows
from coterie.metrics import ari


def blobs(n: int = 600, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    classes = random.integers(0, k, n)
    return (10 * np.eye(k, 6)[classes] + random.normal(size=(n, 6))).astype(np.float32), classes


def fitted(points: np.ndarray, **settings: object) -> GraphDegreeLinkage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GraphDegreeLinkage(4, **settings).fit(points)  # type: ignore[arg-type]


def test_all_images_get_the_cluster_of_their_neighbours_in_the_sample() -> None:
    points, classes = blobs()
    model = fitted(points, sample=150)
    assert model.n_linked_ == 150
    assert ari(classes, model.labels_) == 1.0
    assert (np.diff(np.bincount(model.labels_)) <= 0).all()
    assert model.confidence_.shape == (600,)
    assert model.confidence_.min() > 0.5
    assert set(model.stages_) == {"neighbours", "graph", "merging", "stop", "placing the rest"}


def test_the_sampled_images_keep_the_answer_of_their_own_linkage() -> None:
    points, _ = blobs()
    rows = sampled_rows(600, 150)
    alone = group_features(points[rows], LinkageSettings(n_clusters=4))
    model = fitted(points, sample=150)
    assert ari(alone.labels, model.labels_[rows]) == 1.0
    np.testing.assert_array_equal(model.confidence_[rows], alone.confidence())
    np.testing.assert_array_equal(model.initial_labels_[rows], alone.history.initial)


def test_the_merge_history_holds_every_image_and_its_cut_is_the_answer() -> None:
    points, _ = blobs()
    model = fitted(points, sample=150)
    merges = model.merges_
    history = History(model.initial_labels_, merges[:, :2].astype(np.int64), merges[:, 2], merges[:, 3])
    assert history.size[-1] == 600
    leaves = np.bincount(history.initial)
    first, second = history.merges[0]
    assert history.size[0] == leaves[first] + leaves[second]
    assert ari(cut(history, 4), model.labels_) == 1.0


def test_the_sample_is_drawn_from_everywhere_and_always_the_same() -> None:
    rows = sampled_rows(1_000, 100)
    assert len(np.unique(rows)) == 100
    assert (np.diff(rows) > 0).all()
    assert 30 < (rows < 500).sum() < 70
    np.testing.assert_array_equal(rows, sampled_rows(1_000, 100))


def test_few_images_are_all_linked_and_many_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    points, classes = blobs()
    assert fitted(points).n_linked_ == 600
    monkeypatch.setattr("coterie.classical.linkage.MANY", 500)
    monkeypatch.setattr("coterie.classical.linkage.SAMPLE", 200)
    sampled = fitted(points)
    assert sampled.n_linked_ == 200
    assert ari(classes, sampled.labels_) == 1.0
    assert fitted(points, sample=None).n_linked_ == 600


def test_the_number_of_clusters_and_a_global_scale_work_on_a_sample_too() -> None:
    points, classes = blobs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GraphDegreeLinkage("auto", sample=300, scale="global").fit(points)
    assert ari(classes, model.labels_) > 0.9
    np.testing.assert_array_equal(model.predict(points[:20]), model.labels_[:20])


@pytest.mark.parametrize("sample", [1, 0, "some", 2.5])
def test_a_sample_that_is_no_number_of_images_is_refused(sample: object) -> None:
    with pytest.raises(ConfigError, match=r"sample is .*; expected a whole number of at least 2"):
        GraphDegreeLinkage(4, sample=sample).fit(blobs()[0])  # type: ignore[arg-type]


def test_a_sample_smaller_than_the_number_of_clusters_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sample is 3, fewer than the 4 clusters asked for"):
        GraphDegreeLinkage(4, sample=3).fit(blobs()[0])
