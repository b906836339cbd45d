"""What every clusterer without training promises: shapes, ranges, placing new images, saving, scikit-learn's habits."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import coterie
from coterie.classical import CLASSICAL, GraphDegreeLinkage, KMeans, PathIntegral, ZetaFunction
from coterie.clusterer import Clusterer
from coterie.errors import ConfigError, ModelFileError
from oracles.plain_graphs import partition

K = 5
Make = Callable[..., Clusterer]
MAKES = [GraphDegreeLinkage, KMeans, ZetaFunction, PathIntegral]
makers = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.kind)


def blobs(each: int = 40, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``K`` round clusters of unequal size, far apart, in random order: (features, classes)."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.repeat(np.arange(K), [each + 7 * k for k in range(K)]))
    return (20 * rng.normal(size=(K, d))[classes] + rng.normal(size=(len(classes), d))).astype(np.float32), classes


@makers
def test_far_clusters_are_found_and_numbered_from_the_largest(make: Make) -> None:
    features, classes = blobs()
    model = make(n_clusters=K)
    assert model.fit(features) is model
    assert partition(model.labels_) == partition(classes)
    assert model.labels_.dtype == np.int64
    assert model.n_clusters_ == K
    assert np.bincount(model.labels_).tolist() == [68, 61, 54, 47, 40]


@makers
def test_confidence_and_embedding_have_their_promised_types_and_ranges(make: Make) -> None:
    features, _ = blobs()
    model = make(n_clusters=K).fit(features)
    assert model.confidence_.dtype == np.float32
    assert model.confidence_.shape == model.labels_.shape
    assert ((model.confidence_ > 0.5) & (model.confidence_ <= 1)).all()
    assert (model.embedding_ == features).all()
    assert (model.transform(features[:9]) == features[:9]).all()
    assert (make(n_clusters=K).fit_transform(features) == features).all()
    assert (make(n_clusters=K).fit_predict(features) == model.labels_).all()


@makers
def test_an_image_between_two_clusters_is_less_certain_than_one_inside(make: Make) -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(-4, 1, (80, 2)), rng.normal(4, 1, (80, 2))]).astype(np.float32)
    model = make(n_clusters=2).fit(features)
    border, middle = model.place(np.zeros((1, 2))), model.place(np.full((1, 2), 4.0))
    assert border.confidence[0] < middle.confidence[0]
    assert 0.5 <= border.confidence[0] < 0.9
    assert border.labels.dtype == np.int64


@makers
def test_the_training_images_are_placed_where_they_were(make: Make) -> None:
    features, _ = blobs()
    model = make(n_clusters=K).fit(features)
    assert (model.predict(features) == model.labels_).all()


@makers
def test_new_images_join_their_cluster_whatever_they_come_with(make: Make) -> None:
    features, classes = blobs()
    new, new_classes = features[::7] + np.float32(0.01), classes[::7]
    model = make(n_clusters=K).fit(features)
    labels, shares = model.predict(new), model.predict_proba(new)
    assert partition(np.concatenate([model.labels_, labels])) == partition(np.concatenate([classes, new_classes]))
    for i in range(len(new)):
        assert model.predict(new[i : i + 1])[0] == labels[i]
        np.testing.assert_allclose(model.predict_proba(new[i : i + 1])[0], shares[i], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")
@makers
@pytest.mark.parametrize("where", ["inside", "far away", "on a duplicate"])
def test_shares_are_positive_rows_that_sum_to_one_and_peak_at_the_label(make: Make, where: str) -> None:
    features, _ = blobs()
    features[:30] = features[0]
    new = {"inside": features[5:60] * 0.9, "far away": features[5:60] * 1e6, "on a duplicate": features[:9]}[where]
    model = make(n_clusters=K).fit(features)
    shares = model.predict_proba(new)
    assert shares.shape == (len(new), K)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert (shares.argmax(axis=1) == model.predict(new)).all()


@makers
def test_predictions_do_not_depend_on_how_many_images_are_placed_at_a_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, _ = blobs()
    model = make(n_clusters=K).fit(features)
    whole = model.predict_proba(features)
    monkeypatch.setattr("coterie.clusterer.CHUNK", 7)
    np.testing.assert_allclose(model.predict_proba(features), whole, rtol=1e-6)


@makers
def test_the_unit_and_the_origin_of_the_features_do_not_matter(make: Make) -> None:
    features, _ = blobs()
    model = make(n_clusters=K).fit(features)
    for changed in (features * np.float32(1e-8), features * np.float32(1e8), features + np.float32(3000)):
        other = make(n_clusters=K).fit(changed)
        assert (other.labels_ == model.labels_).all()
        assert (other.predict(changed) == model.labels_).all()
        np.testing.assert_allclose(other.confidence_, model.confidence_, atol=1e-3)


@makers
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8])
def test_features_of_any_numeric_type_give_the_same_groups(make: Make, dtype: type) -> None:
    features = np.round(blobs()[0] - blobs()[0].min()).clip(0, 255)
    wanted = make(n_clusters=K).fit(features).labels_
    assert (make(n_clusters=K).fit(features.astype(dtype)).labels_ == wanted).all()


@makers
def test_a_model_that_was_saved_and_loaded_is_the_same_model(make: Make, tmp_path: Path) -> None:
    features, _ = blobs()
    new = features[::5] * 1.1
    model = make(n_clusters=K).fit(features)
    model.save(tmp_path / "model")
    for loaded in (type(model).load(tmp_path / "model"), coterie.load(tmp_path / "model")):
        assert type(loaded) is type(model)
        assert loaded.get_params() == model.get_params()
        assert (loaded.labels_ == model.labels_).all()
        assert (loaded.confidence_ == model.confidence_).all()
        assert loaded.n_clusters_ == K
        assert (loaded.predict(new) == model.predict(new)).all()
        assert (loaded.predict_proba(new) == model.predict_proba(new)).all()
        assert (loaded.transform(new) == model.transform(new)).all()


@makers
def test_a_loaded_model_can_be_saved_and_fitted_again(make: Make, tmp_path: Path) -> None:
    features, _ = blobs()
    make(n_clusters=np.int64(K)).fit(features).save(tmp_path / "one")
    loaded = make.load(tmp_path / "one")  # type: ignore[attr-defined]
    loaded.save(tmp_path / "two")
    again = make.load(tmp_path / "two")  # type: ignore[attr-defined]
    assert (again.predict(features) == loaded.predict(features)).all()
    assert (loaded.fit(features).labels_ == again.labels_).all()


@makers
def test_a_model_folder_holds_numbers_and_text_only(make: Make, tmp_path: Path) -> None:
    make(n_clusters=K).fit(blobs()[0]).save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    assert json.loads((tmp_path / "model" / "model.json").read_text())["kind"] == make.kind  # type: ignore[attr-defined]


def test_a_model_of_another_method_or_with_a_foreign_setting_is_refused_in_one_sentence(tmp_path: Path) -> None:
    KMeans(K).fit(blobs()[0]).save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="this model is of kind 'kmeans', not 'gdl'"):
        GraphDegreeLinkage.load(tmp_path / "model")
    text = (tmp_path / "model" / "model.json").read_text()
    (tmp_path / "model" / "model.json").write_text(text.replace('"n_init"', '"n_unit"'))
    with pytest.raises(ModelFileError, match="a setting that coterie does not know"):
        KMeans.load(tmp_path / "model")


@makers
@pytest.mark.parametrize("ask", ["predict", "predict_proba", "transform", "place"])
def test_an_unfitted_model_says_so(make: Make, ask: str, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        getattr(make(), ask)(blobs()[0])
    with pytest.raises(NotFittedError):
        make().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@makers
def test_images_given_to_a_model_of_features_are_refused(make: Make) -> None:
    apart = 9 * np.eye(2, 64).repeat(20, axis=0)
    model = make(n_clusters=2).fit(np.random.default_rng(0).normal(size=(40, 64)) + apart)
    with pytest.raises(ConfigError, match="was fitted on features"):
        model.predict(np.zeros((3, 8, 8), np.uint8))


@makers
def test_images_are_grouped_placed_one_at_a_time_and_loaded_again(make: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 256, (3, 12, 12))
    classes = np.repeat(np.arange(3), 30)
    images = np.clip(prototypes[classes] + rng.normal(0, 10, (90, 12, 12)), 0, 255).astype(np.uint8)
    model = make(n_clusters=3).fit(images)
    assert partition(model.labels_) == partition(classes)
    assert model.predict(images[4:5])[0] == model.labels_[4]
    model.save(tmp_path / "model")
    assert (coterie.load(tmp_path / "model").predict(images) == model.labels_).all()


@makers
def test_parameters_are_kept_untouched_until_fit_and_cloned(make: Make) -> None:
    nonsense = object()
    model = make(n_clusters=nonsense)
    assert model.get_params()["n_clusters"] is nonsense
    model.set_params(n_clusters=K)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    model.fit(blobs()[0])
    assert not hasattr(clone(model), "labels_")
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(n_groups=3)


@makers
def test_a_fitted_model_survives_pickling_by_others_and_works_in_a_pipeline(make: Make) -> None:
    features, classes = blobs()
    model = make(n_clusters=K).fit(features)
    copied = pickle.loads(pickle.dumps(model))  # joblib and multiprocessing do this; coterie itself never does
    assert (copied.predict(features) == model.labels_).all()
    assert partition(make_pipeline(StandardScaler(), make(n_clusters=K)).fit_predict(features)) == partition(classes)


@makers
def test_two_fits_are_the_same_and_leave_the_features_as_they_were(make: Make) -> None:
    features, _ = blobs()
    before = features.copy()
    one, two = make(n_clusters=K).fit(features), make(n_clusters=K).fit(features)
    assert (features == before).all()
    assert (one.labels_ == two.labels_).all()
    assert (one.confidence_ == two.confidence_).all()


def test_the_methods_are_listed_under_the_names_in_their_model_files() -> None:
    assert {name: method.kind for name, method in CLASSICAL.items()} == {name: name for name in CLASSICAL}


# scikit-learn's own checks. No check is expected to fail; the linkage warns on their random points, which is its duty.
@pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        GraphDegreeLinkage(), GraphDegreeLinkage(n_clusters=2, n_neighbors=20, stop="plain", refine=0),
        KMeans(n_init=1), ZetaFunction(), PathIntegral(series="exact"),
    ],
    expected_failed_checks={},
)  # fmt: skip
def test_scikit_learn_s_own_checks_pass(estimator: Clusterer, check: Callable[[Clusterer], None]) -> None:
    check(estimator)
