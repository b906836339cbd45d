"""Rows 19, 20, 27, 28, 29, 32 and 36 of the fault table, as far as they reach a clusterer: impossible numbers of
clusters, images that are all alike, features that are no numbers, and graphs that fall apart."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coterie.classical import GraphDegreeLinkage, KMeans
from coterie.clusterer import Clusterer
from coterie.errors import ClusterCountWarning, ConfigError, CoterieWarning, GraphWarning

Make = Callable[..., Clusterer]
makers = pytest.mark.parametrize("make", [GraphDegreeLinkage, KMeans], ids=["gdl", "kmeans"])


def cloud(n: int = 60, d: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def fitted(model: Clusterer, X: object) -> Clusterer:
    """``model`` fitted on ``X`` with coterie's warnings left aside and all others raised, and its answer looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        model.fit(X)
    sizes = np.bincount(model.labels_)
    assert (sizes > 0).all()
    assert model.n_clusters_ == len(sizes)
    assert np.isfinite(model.confidence_).all()
    assert ((model.confidence_ >= 0) & (model.confidence_ <= 1)).all()
    return model


def refusal(model: Clusterer, X: object) -> str:
    with pytest.raises(ConfigError) as caught:
        model.fit(X)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert not hasattr(model, "labels_")
    return str(caught.value)


# --- rows 27 to 29: the number of clusters ---


@makers
@pytest.mark.parametrize("k", [61, 10**9, np.int64(61)])
def test_more_clusters_than_images_are_refused_with_both_numbers_before_any_work(make: Make, k: int) -> None:
    sentence = refusal(make(n_clusters=k), cloud())
    assert sentence == f"n_clusters is {k}, but there are only n_samples=60 images; ask for at most 60 clusters"


def test_more_clusters_than_nodes_of_a_given_graph_are_refused() -> None:
    from scipy.sparse import csr_array

    assert "n_clusters is 6, but there are only n_samples=5 images" in refusal(
        GraphDegreeLinkage(6, affinity="precomputed"), csr_array((5, 5))
    )


def test_more_clusters_than_images_are_refused_before_their_features_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("features were made for a request that cannot be met")

    monkeypatch.setattr("coterie.clusterer.make_extractor", never)
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    assert "only n_samples=12 images" in refusal(KMeans(13), images)


@makers
def test_as_many_clusters_as_images_are_met(make: Make) -> None:
    assert fitted(make(n_clusters=60), cloud()).n_clusters_ == 60


@makers
def test_one_cluster_is_allowed_and_certain(make: Make) -> None:
    model = fitted(make(n_clusters=1), cloud())
    assert set(model.labels_) == {0}
    assert (model.confidence_ == 1).all()
    assert (model.predict_proba(cloud()) == 1).all()


@makers
@pytest.mark.parametrize(
    "k",
    [0, -1, -(10**9), 2.5, 3.0, "ten", "3", "", float("nan"), float("inf"), True, None, [3], np.array([2, 3])],
    ids=repr,
)
def test_what_is_no_number_of_clusters_is_refused_by_value_and_range(make: Make, k: object) -> None:
    sentence = refusal(make(n_clusters=k), cloud())
    allowed = "a whole number of at least 1" + (' or "auto"' if make is GraphDegreeLinkage else "")
    assert sentence == f"n_clusters is {k!r}; expected {allowed}"


def test_kmeans_does_not_know_auto() -> None:
    assert refusal(KMeans("auto"), cloud()) == "n_clusters is 'auto'; expected a whole number of at least 1"  # type: ignore[arg-type]


@makers
@pytest.mark.parametrize("k", [np.int64(3), np.uint8(3), np.int32(3)])
def test_whole_numbers_of_numpy_are_numbers_and_can_be_saved(make: Make, k: int, tmp_path: Path) -> None:
    model = fitted(make(n_clusters=k), cloud())
    model.save(tmp_path / "model")
    assert type(model).load(tmp_path / "model").get_params()["n_clusters"] == 3


@pytest.mark.parametrize("n", [2, 3, 4, 7, 30])
def test_auto_gives_a_number_that_is_possible_for_any_few_images(n: int) -> None:
    model = fitted(GraphDegreeLinkage(), cloud(n))
    assert 1 <= model.n_clusters_ <= n
    assert model.choice_.n_clusters == model.n_clusters_


@makers
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("k", [1, 2])
def test_two_or_three_images_are_enough(make: Make, n: int, k: int) -> None:
    assert fitted(make(n_clusters=k), cloud(n)).n_clusters_ == k


@makers
def test_one_row_is_refused_with_the_least_number(make: Make) -> None:
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make(n_clusters=1).fit(cloud(1))


# --- rows 19 and 20: images that are all alike ---


@makers
@pytest.mark.parametrize("copies", [5, 25, 200])
def test_exact_duplicates_in_any_number_stay_together(make: Make, copies: int) -> None:
    features = np.repeat(cloud(4) * 10, copies, axis=0)
    model = fitted(make(n_clusters=4), features)
    assert (model.labels_.reshape(4, copies) == model.labels_[::copies, None]).all()
    assert len(set(model.labels_[::copies])) == 4
    assert (model.predict(features) == model.labels_).all()


@makers
def test_duplicates_among_other_images_are_no_hindrance(make: Make) -> None:
    features = cloud(200)
    features[:60] = features[0]
    model = fitted(make(n_clusters=5), features)
    assert model.n_clusters_ == 5


@makers
@pytest.mark.parametrize("value", [0.0, 1.0, -3e15, 1e-30])
def test_features_that_are_all_equal_give_an_answer_without_nan(make: Make, value: float) -> None:
    features = np.full((50, 4), value, np.float32)
    model = fitted(make(n_clusters=3), features)
    assert 1 <= model.n_clusters_ <= 3
    assert np.isfinite(model.predict_proba(features)).all()
    assert (model.predict(features[:3] + 1) >= 0).all()


@pytest.mark.parametrize("scale", ["local", "global"])
@pytest.mark.parametrize("k", [1, 3, 50, "auto"])
def test_the_linkage_of_equal_features_has_the_clusters_that_were_asked_for(k: int | str, scale: str) -> None:
    model = fitted(GraphDegreeLinkage(k, scale=scale), np.ones((50, 4), np.float32))
    assert k in ("auto", model.n_clusters_)


def test_kmeans_says_how_many_clusters_equal_features_leave() -> None:
    with pytest.warns(ClusterCountWarning, match="only 1 of the 3 clusters have an image: the images are too alike"):
        KMeans(3).fit(np.ones((50, 4), np.float32))


@makers
def test_images_of_one_colour_are_grouped_without_nan_and_said(make: Make) -> None:
    images = np.full((30, 8, 8), 7, np.uint8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = make(n_clusters=2).fit(images)
    assert all(issubclass(warning.category, CoterieWarning) for warning in caught)
    assert any("one colour" in str(warning.message) for warning in caught)
    assert any("29 images are exact copies" in str(warning.message) for warning in caught)
    assert np.isfinite(model.embedding_).all()
    assert np.isfinite(model.confidence_).all()


# --- row 32: features that are no numbers ---


@makers
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_are_not_finite_are_counted_and_named(make: Make, value: float) -> None:
    features = cloud().astype(np.float64)
    features[[3, 17, 40, 41, 42, 43, 59], 1] = value
    sentence = refusal(make(n_clusters=3), features)
    assert sentence.startswith("7 of 60 rows of the features hold NaN or infinity, or numbers beyond float32")
    assert "(first: 3, 17, 40, 41, 42)" in sentence


@makers
def test_new_rows_that_are_not_finite_are_named_too(make: Make) -> None:
    model = fitted(make(n_clusters=3), cloud())
    new = cloud(5)
    new[2, 0] = np.nan
    for ask in (model.predict, model.predict_proba, model.transform):
        with pytest.raises(ConfigError, match=r"1 of 5 rows .*first: 2"):
            ask(new)


@makers
def test_new_rows_of_another_width_are_refused(make: Make) -> None:
    model = fitted(make(n_clusters=3), cloud())
    with pytest.raises(ValueError, match=r"5 features.*expecting 4 features"):
        model.predict(cloud(6, 5))


# --- row 36: a graph that falls apart ---


@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_a_graph_in_more_parts_than_clusters_says_the_number_of_parts(stop: str) -> None:
    features = np.concatenate([cloud(40) + 1e4 * i for i in range(6)])
    with pytest.warns(GraphWarning, match="the neighbour graph has 6 separate parts"):
        model = GraphDegreeLinkage(3, n_neighbors=12, stop=stop).fit(features)
    assert model.n_clusters_ == 3
    assert model.n_zero_merges_ == 3


@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_a_graph_in_as_many_parts_as_clusters_is_no_reason_to_warn(stop: str) -> None:
    features = np.concatenate([cloud(40) + 1e4 * i for i in range(6)])
    model = GraphDegreeLinkage(6, n_neighbors=12, stop=stop).fit(features)
    assert (model.labels_.reshape(6, 40) == model.labels_[::40, None]).all()
