"""k-means: the same answer as scikit-learn's, memberships by distance, and too many clusters for too few images."""

import numpy as np
import pytest
from sklearn.cluster import KMeans as SklearnKMeans

from coterie.classical import KMeans
from coterie.errors import ClusterCountWarning, ConfigError
from oracles.plain_graphs import partition


def cloud(n: int = 200, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_groups_centres_and_inertia_are_those_of_scikit_learn() -> None:
    features = cloud()
    ours, theirs = KMeans(6).fit(features), SklearnKMeans(6, n_init=10, random_state=0).fit(features)
    assert partition(ours.labels_) == partition(theirs.labels_)
    assert ours.inertia_ == pytest.approx(theirs.inertia_)
    for k in range(6):
        np.testing.assert_allclose(ours.cluster_centers_[k], features[ours.labels_ == k].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(("n", "rounds"), [(200, 100), (12_000, 120)])
def test_random_first_centres_are_images_and_rounds_are_those_of_the_baseline(n: int, rounds: int) -> None:
    features = cloud(n, 2)
    ours = KMeans(3, init="random").fit(features)
    theirs = SklearnKMeans(3, init="random", n_init=10, max_iter=rounds, random_state=0).fit(features)
    assert partition(ours.labels_) == partition(theirs.labels_)
    assert ours.inertia_ == pytest.approx(theirs.inertia_)
    with pytest.raises(ConfigError, match=r"init is 'far'; expected one of k-means\+\+, random"):
        KMeans(3, init="far").fit(features)


def test_new_images_join_the_nearest_centre() -> None:
    model, new = KMeans(6).fit(cloud()), cloud(seed=1)
    distances = ((new[:, None].astype(float) - model.cluster_centers_[None]) ** 2).sum(axis=2)
    assert (model.predict(new) == distances.argmin(axis=1)).all()
    shares = (1 / distances) / (1 / distances).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(new), shares, rtol=1e-6)


def test_confidence_is_own_over_own_and_best_other_membership() -> None:
    features = cloud()
    model = KMeans(6).fit(features)
    distances = ((features[:, None].astype(float) - model.cluster_centers_[None]) ** 2).sum(axis=2)
    for i in range(0, 200, 17):
        own = 1 / distances[i, model.labels_[i]]
        other = (1 / np.delete(distances[i], model.labels_[i])).max()
        assert model.confidence_[i] == pytest.approx(own / (own + other), abs=1e-5)


def test_an_image_on_a_centre_and_one_far_away_have_finite_shares() -> None:
    model = KMeans(3).fit(cloud())
    on_centres = model.predict_proba(model.cluster_centers_)
    np.testing.assert_allclose(on_centres, np.eye(3), atol=1e-9)
    far = model.predict_proba(np.full((1, 4), 1e15))
    np.testing.assert_allclose(far, 1 / 3, rtol=1e-3)


def test_fewer_different_images_than_clusters_give_fewer_clusters_and_say_so() -> None:
    features = np.repeat(cloud(3), 20, axis=0)
    with pytest.warns(ClusterCountWarning, match="only 3 of the 5 clusters have an image: the images are too alike"):
        model = KMeans(5).fit(features)
    assert model.n_clusters_ == 3
    assert model.cluster_centers_.shape == (3, 4)
    assert model.predict_proba(features).shape == (60, 3)
    assert np.bincount(model.labels_).tolist() == [20, 20, 20]


def test_one_cluster_has_every_image_with_certainty() -> None:
    model = KMeans(1).fit(cloud())
    assert set(model.labels_) == {0}
    assert (model.confidence_ == 1).all()
    assert (model.predict_proba(cloud()) == 1).all()


def test_a_cluster_for_every_image_has_each_on_its_centre() -> None:
    features = cloud(12)
    model = KMeans(12).fit(features)
    assert sorted(model.labels_) == list(range(12))
    assert (model.predict(features) == model.labels_).all()
    assert (model.confidence_ > 0.999).all()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n_init": 0}, "n_init is 0; expected a whole number of at least 1"),
        ({"n_init": "auto"}, "n_init is 'auto'"),
        ({"n_init": np.nan}, "n_init is nan"),
        ({"n_init": 1.5}, "n_init is 1.5"),
        ({"random_state": "x"}, "random_state is 'x'; expected a whole number of at least 0 or None"),
        ({"random_state": -1}, "random_state is -1"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused_by_name_value_and_range(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        KMeans(3, **wrong).fit(cloud(20))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_groups_and_another_may_not() -> None:
    features = cloud()
    assert (KMeans(8, random_state=3).fit(features).labels_ == KMeans(8, random_state=3).fit(features).labels_).all()
    inertias = {KMeans(8, n_init=1, random_state=seed).fit(features).inertia_ for seed in range(6)}
    assert len(inertias) > 1
