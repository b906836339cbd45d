"""The contract of every clusterer, kept by the methods that take images only (see tests/classical)."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import coterie
from coterie.classical import GraphDegreeLinkage
from coterie.errors import ModelFileError
from coterie.images.store import open_images
from coterie.methods import METHODS
from coterie.methods.jule import JULE
from methods.patterns import FAST, K, patterns
from oracles.plain_graphs import partition

pytestmark = pytest.mark.filterwarnings("ignore:affinity ran out at:coterie.errors.GraphWarning")
IMAGES, CLASSES = patterns()
NEW, NEW_CLASSES = IMAGES[::7] // 2 + 60, CLASSES[::7]


def jule(**settings: Any) -> JULE:
    return JULE(**{"n_clusters": K, **FAST, "epochs": 3, **settings})


@pytest.fixture(scope="module")
def fitted() -> JULE:
    """Only to be looked at."""
    model = jule()
    assert model.fit(IMAGES) is model
    return model


def test_the_attributes_of_a_fit_have_their_promised_types_and_ranges(fitted: JULE) -> None:
    n = len(IMAGES)
    assert partition(fitted.labels_) == partition(CLASSES)
    assert (fitted.labels_.dtype, fitted.confidence_.dtype, fitted.embedding_.dtype) == (
        np.int64, np.float32, np.float32
    )  # fmt: skip
    assert fitted.n_clusters_ == K
    assert fitted.embedding_.shape == (n, 160)
    assert ((fitted.confidence_ > 0.5) & (fitted.confidence_ <= 1)).all()
    assert (np.diff(np.bincount(fitted.labels_)) <= 0).all()
    assert set(fitted.timings_) == {"features", "grouping"}
    for answer in fitted.answers_.values():
        assert (answer.labels.dtype, answer.confidence.dtype) == (np.int64, np.float32)
        assert answer.labels.shape == answer.confidence.shape == (n,)
        assert ((answer.confidence >= 0) & (answer.confidence <= 1)).all()
    assert fitted.assigned_ in fitted.answers_
    assert fitted.assigned_because_


def test_the_records_of_the_training_are_one_for_each_epoch(fitted: JULE) -> None:
    records = fitted.training_
    assert [record["epoch"] for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert {"phase", "epoch", "step", "seconds", "loss", "images_per_second", "n_clusters"} <= set(record)
        assert np.isfinite(record["loss"])
    assert records[-1]["step"] == 3 * len(records)
    assert {"nonempty", "effective"} <= set(records[-1])
    assert records[-1]["nonempty"] == K


def test_the_attributes_of_the_linkage_are_those_of_graph_degree_linkage(fitted: JULE) -> None:
    assert fitted.merges_.shape[1] == 4
    assert fitted.initial_labels_.shape == (len(IMAGES),)
    assert fitted.n_neighbors_ == 5
    assert fitted.recall_ == 1
    assert fitted.stop_ is not None
    assert fitted.n_zero_merges_ >= 0


def test_images_of_the_fit_stay_where_they_were(fitted: JULE) -> None:
    assert (fitted.predict(IMAGES) == fitted.labels_).mean() > 0.98
    np.testing.assert_allclose(fitted.transform(IMAGES), fitted.embedding_, atol=1e-5)


def test_new_images_join_their_kind_whatever_they_come_with(fitted: JULE) -> None:
    labels, shares = fitted.predict(NEW), fitted.predict_proba(NEW)
    both = np.concatenate([fitted.labels_, labels]), np.concatenate([CLASSES, NEW_CLASSES])
    assert partition(both[0]) == partition(both[1])
    assert shares.shape == (len(NEW), K)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert (shares.argmax(axis=1) == labels).all()
    placed = fitted.place(NEW[2:3])
    assert placed.labels[0] == labels[2]
    assert 0.5 <= placed.confidence[0] <= 1


def test_embeddings_are_placed_like_their_images_and_other_features_are_refused(fitted: JULE) -> None:
    assert (fitted.predict(fitted.transform(NEW)) == fitted.predict(NEW)).all()
    with pytest.raises(ValueError, match="features"):
        fitted.predict(np.zeros((3, 9)))


def test_larger_images_are_made_to_fit_the_network(fitted: JULE) -> None:
    larger = np.kron(IMAGES, np.ones((1, 2, 2), np.uint8))
    assert (fitted.predict(larger) == fitted.labels_).mean() > 0.98


def test_a_model_that_was_saved_and_loaded_is_the_same_model(fitted: JULE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    for loaded in (JULE.load(tmp_path / "model"), coterie.load(tmp_path / "model")):
        assert type(loaded) is JULE
        assert loaded.get_params() == fitted.get_params()
        assert (loaded.labels_ == fitted.labels_).all()
        assert (loaded.confidence_ == fitted.confidence_).all()
        assert (loaded.embedding_ == fitted.embedding_).all()
        assert loaded.n_clusters_ == K
        assert (loaded.predict(NEW) == fitted.predict(NEW)).all()
        assert (loaded.predict_proba(NEW) == fitted.predict_proba(NEW)).all()
        assert (loaded.transform(NEW) == fitted.transform(NEW)).all()


@pytest.mark.parametrize("settings", [{"result": "sf"}, {"linkage": "paper"}])
def test_the_other_answers_are_saved_and_place_images_too(settings: dict[str, str], tmp_path: Path) -> None:
    model = jule(**settings).fit(IMAGES)
    model.save(tmp_path / "model")
    loaded = JULE.load(tmp_path / "model")
    assert (loaded.labels_ == model.labels_).all()
    assert (loaded.predict_proba(NEW) == model.predict_proba(NEW)).all()
    assert (loaded.predict(IMAGES) == model.labels_).mean() > 0.98


def test_a_loaded_model_can_be_saved_and_fitted_again(fitted: JULE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "one")
    loaded = JULE.load(tmp_path / "one")
    loaded.save(tmp_path / "two")
    again = JULE.load(tmp_path / "two")
    assert (again.predict(NEW) == fitted.predict(NEW)).all()
    assert (again.fit(IMAGES).embedding_ == fitted.embedding_).all()


def test_a_model_of_another_method_is_refused(fitted: JULE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="of kind 'jule', not 'gdl'"):
        GraphDegreeLinkage.load(tmp_path / "model")


def test_a_model_whose_network_was_made_deeper_by_hand_is_refused(fitted: JULE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    text = path.read_text()
    assert '"blocks": "P"' in text
    path.write_text(text.replace('"blocks": "P"', '"blocks": "C"'))
    with pytest.raises(ModelFileError, match="the model's weights do not fit its network"):
        JULE.load(tmp_path / "model")


@pytest.mark.parametrize("ask", ["predict", "predict_proba", "transform", "place"])
def test_an_unfitted_model_says_so(ask: str, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        getattr(jule(), ask)(IMAGES)
    with pytest.raises(NotFittedError):
        jule().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_parameters_are_kept_untouched_until_fit_and_cloned(fitted: JULE) -> None:
    nonsense = object()
    model = JULE(n_clusters=nonsense, lr="fast", run_folder=nonsense)  # type: ignore[arg-type]
    assert model.get_params()["n_clusters"] is nonsense
    assert model.get_params()["run_folder"] is nonsense
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "labels_")
    with pytest.raises(ValueError, match="Invalid parameter"):
        copy.set_params(n_groups=3)


def test_a_fit_leaves_its_parameters_and_its_images_as_they_were() -> None:
    before, model = IMAGES.copy(), jule(n_clusters=np.int64(K))
    parameters = model.get_params()
    model.fit(IMAGES)
    assert (before == IMAGES).all()
    after = model.get_params()
    assert [name for name in parameters if after[name] is not parameters[name]] == []


def test_two_fits_are_the_same(fitted: JULE) -> None:
    again = jule()
    assert (again.fit_predict(IMAGES) == fitted.labels_).all()
    assert (again.confidence_ == fitted.confidence_).all()
    assert (jule().fit_transform(IMAGES) == fitted.embedding_).all()


def test_a_store_and_arrays_of_the_same_images_give_the_same(fitted: JULE) -> None:
    assert (jule().fit(open_images(IMAGES)).embedding_ == fitted.embedding_).all()
    assert (jule().fit(IMAGES[:, None]).embedding_ == fitted.embedding_).all()


def test_a_fitted_model_survives_pickling_by_others(fitted: JULE) -> None:
    copied = pickle.loads(pickle.dumps(fitted))  # joblib and multiprocessing do this; coterie itself never does
    assert (copied.predict(NEW) == fitted.predict(NEW)).all()


def test_the_methods_are_listed_under_the_names_in_their_model_files() -> None:
    assert {name: method.kind for name, method in METHODS.items()} == {name: name for name in METHODS}
    assert METHODS["jule"] is JULE
