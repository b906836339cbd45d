"""Principal components in a clusterer: whatever the origin, for new images, after saving, and what is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from coterie.classical import GraphDegreeLinkage
from coterie.errors import ConfigError, CoterieWarning, DuplicateImagesWarning
from coterie.graphs import reduce
from coterie.graphs.reduce import principal_axes, project


def stretched(n: int = 500, d: int = 30, seed: int = 0) -> np.ndarray:
    """Points in a cloud that is long along some directions, and far from the origin."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (rng.normal(size=(n, d)) * 1.5 ** -np.arange(d) @ turn + 7).astype(np.float32)


@pytest.mark.parametrize("far", [0.0, 1.0, 1000.0])
def test_where_the_origin_lies_does_not_matter(far: float) -> None:
    X = stretched() - 7
    mean, axes = principal_axes(X + np.float32(far), 4)
    assert subspace_angles(axes, PCA(4, svd_solver="full").fit(X.astype(np.float64)).components_.T).max() < 5e-3
    np.testing.assert_allclose(mean, X.mean(axis=0) + far, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("p", [1, 3, 8])
def test_the_axes_span_the_subspace_of_a_full_decomposition(p: int) -> None:
    X = stretched()
    mean, axes = principal_axes(X, p)
    exact = PCA(p, svd_solver="full").fit(X)
    assert mean.dtype == axes.dtype == np.float32
    assert axes.shape == (30, p)
    np.testing.assert_allclose(mean, exact.mean_, atol=1e-5)
    np.testing.assert_allclose(axes.T @ axes, np.eye(p), atol=1e-5)
    assert subspace_angles(axes, exact.components_.T).max() < 1e-3
    np.testing.assert_allclose(np.abs(project(X, mean, axes)), np.abs(exact.transform(X)), atol=1e-2)


def test_wide_features_are_decomposed_by_chance_and_yet_as_well() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 5)) * 10 @ rng.normal(size=(5, 2100)) + rng.normal(size=(300, 2100))).astype(np.float32)
    _, axes = principal_axes(X, 5)
    assert subspace_angles(axes, PCA(5, svd_solver="full").fit(X).components_.T).max() < 1e-2
    assert (principal_axes(X, 5)[1] == axes).all()  # one seed, one answer


def test_axes_of_many_images_come_from_evenly_spaced_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "SAMPLE", 100)
    X = stretched(1000)
    mean, axes = principal_axes(X, 4)
    sample = X[::11]
    np.testing.assert_allclose(mean, sample.mean(axis=0), atol=1e-5)
    assert subspace_angles(axes, PCA(4, svd_solver="full").fit(sample).components_.T).max() < 1e-3


def test_a_projection_does_not_depend_on_how_many_rows_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    X = stretched()
    mean, axes = principal_axes(X, 6)
    whole = project(X, mean, axes)
    assert whole.dtype == np.float32
    monkeypatch.setattr(reduce, "CHUNK", 7)
    np.testing.assert_allclose(project(X, mean, axes), whole, atol=1e-6)
    assert project(X[:0], mean, axes).shape == (0, 6)


# --- in the clusterer ---


def fitted(X: np.ndarray, **settings: object) -> GraphDegreeLinkage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        return GraphDegreeLinkage(4, **settings).fit(X)  # type: ignore[arg-type]


def groups(n: int = 400, d: int = 30) -> np.ndarray:
    return stretched(n, d) + 6 * np.eye(4, d, dtype=np.float32)[np.arange(n) % 4]


def test_new_images_are_projected_along_the_axes_of_the_fit() -> None:
    X, new = groups(), groups(60)[::-1].copy()
    model = fitted(X, n_components=5)
    assert model.axes_ is not None
    assert model.embedding_.shape == (400, 5)
    np.testing.assert_allclose(model.transform(new), (new - model.axes_[0]) @ model.axes_[1], atol=1e-4)
    np.testing.assert_allclose(model.transform(X), model.embedding_, atol=1e-5)
    assert (model.predict(X) == model.labels_).mean() > 0.99


def test_saving_and_loading_keeps_the_axes(tmp_path: Path) -> None:
    X = groups()
    model = fitted(X, n_components=5)
    model.save(tmp_path / "model")
    again = GraphDegreeLinkage.load(tmp_path / "model")
    assert again.n_components == 5
    for before, after in zip(model.axes_, again.axes_, strict=True):
        assert (before == after).all()
    assert (again.transform(X) == model.transform(X)).all()
    assert (again.predict_proba(X[:50]) == model.predict_proba(X[:50])).all()


def test_a_model_of_all_dimensions_is_saved_without_axes(tmp_path: Path) -> None:
    X = groups()
    model = fitted(X, n_components=None)
    model.save(tmp_path / "model")
    again = GraphDegreeLinkage.load(tmp_path / "model")
    assert again.axes_ is None
    assert again.embedding_.shape == (400, 30)
    assert (again.predict(X) == model.predict(X)).all()


@pytest.mark.parametrize("p", [30, 31, 1000])
def test_as_many_components_as_features_are_all_of_them(p: int) -> None:
    model = fitted(groups(), n_components=p)
    assert model.axes_ is None
    assert (model.embedding_ == groups()).all()


def test_as_many_components_as_images_are_all_features() -> None:
    model = fitted(groups(20), n_components=20)
    assert model.axes_ is None


def test_one_component_is_enough_to_group_by() -> None:
    X = groups()
    X[:, 0] += 100 * (np.arange(400) % 4)
    model = fitted(X, n_components=1)
    assert len({(int(c), int(label)) for c, label in zip(np.arange(400) % 4, model.labels_, strict=True)}) == 4


def test_features_without_any_spread_can_be_reduced() -> None:
    model = GraphDegreeLinkage(1, n_components=2)
    with pytest.warns(DuplicateImagesWarning, match="copies"):
        model.fit(np.ones((50, 6), np.float32))
    assert np.isfinite(model.embedding_).all()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, 3.0, "five", True, np.nan, [3]], ids=repr)
def test_what_is_no_number_of_components_is_refused_by_name_value_and_range(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r'n_components is .*; expected a whole number of at least 1, "auto" or None'):
        fitted(groups(20), n_components=wrong)
