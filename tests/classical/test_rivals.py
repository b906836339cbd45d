"""The classical rivals: each against its definition written out in loops, or against scikit-learn, on small data."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import NMF

import coterie
from coterie.classical import (
    AverageLinkage,
    LandmarkSpectral,
    LocalityNMF,
    NeighborSpectral,
    NormalizedCuts,
    PathIntegral,
    PlainNMF,
    SelfTuningSpectral,
    SpectralNJW,
    Ward,
    ZetaFunction,
)
from coterie.classical.average_linkage import condensed_distances
from coterie.classical.cuts import discretised, near_affinities
from coterie.classical.factors import smoothed, updated_parts, updated_shares
from coterie.classical.landmarks import landmark_rows, mixtures
from coterie.classical.rival import MOST_PAIRED, Rival, sq_distances, top_eigenvectors
from coterie.classical.spectral import orthogonal_rows
from coterie.errors import ClusterCountWarning, ConfigError
from oracles.plain_graphs import partition

RIVALS = [
    SpectralNJW, SelfTuningSpectral, LandmarkSpectral, NormalizedCuts, AverageLinkage, ZetaFunction, PathIntegral,
    LocalityNMF, NeighborSpectral, Ward, PlainNMF,
]  # fmt: skip
makers = pytest.mark.parametrize("make", RIVALS, ids=lambda make: make.kind)
Make = Callable[..., Rival]


def cloud(n: int = 90, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def blobs(k: int = 4, each: int = 25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Far clusters at the corners of a simplex, no feature below zero: (features, classes)."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.repeat(np.arange(k), each))
    features = 1 + 10 * np.eye(k)[classes] + rng.uniform(0, 0.5, (len(classes), k))
    return features.astype(np.float32), classes


def products(rows: np.ndarray) -> np.ndarray:
    """(n, n) what is left of ``rows`` when nobody minds how their space is turned."""
    return rows @ rows.T


def plain_sq(features: np.ndarray) -> np.ndarray:
    return np.array([[((a - b) ** 2).sum() for b in features.astype(float)] for a in features.astype(float)])


def plain_top(matrix: np.ndarray, k: int) -> np.ndarray:
    values, vectors = np.linalg.eig(matrix)
    return vectors[:, np.argsort(values)[::-1][:k]].real


def plain_unit(rows: np.ndarray) -> np.ndarray:
    return np.array([row / np.sqrt((row**2).sum()) for row in rows])


@makers
def test_far_clusters_are_found(make: Make) -> None:
    features, classes = blobs()
    model = make(n_clusters=4).fit(features)
    assert partition(model.labels_) == partition(classes)
    assert model.n_clusters_ == 4
    assert model.labels_.dtype == np.int64
    assert model.confidence_.dtype == np.float32
    assert (model.confidence_ > 0.5).all()
    assert (model.predict(features) == model.labels_).all()


@makers
def test_a_second_fit_is_the_first_and_a_saved_model_comes_back(make: Make, tmp_path: Path) -> None:
    features = np.abs(cloud())
    one, two = make(n_clusters=3).fit(features), make(n_clusters=3).fit(features)
    assert (one.labels_ == two.labels_).all()
    one.save(tmp_path / "model")
    again = coterie.load(tmp_path / "model")
    assert type(again) is make
    assert (again.labels_ == one.labels_).all()
    assert (again.predict(features) == one.predict(features)).all()


@makers
@pytest.mark.filterwarnings("ignore::coterie.errors.ClusterCountWarning")  # a part that is no image's largest
def test_one_cluster_and_as_many_as_images_are_answers(make: Make) -> None:
    features = np.abs(cloud(12))
    assert (make(n_clusters=1).fit(features).labels_ == 0).all()
    assert 2 <= make(n_clusters=11).fit(features).n_clusters_ <= 11


@makers
@pytest.mark.filterwarnings("ignore::coterie.errors.ClusterCountWarning")
def test_images_that_are_all_alike_do_not_end_in_an_error(make: Make) -> None:
    model = make(n_clusters=3).fit(np.ones((30, 4), np.float32))
    assert np.isfinite(model.confidence_).all()
    assert 1 <= model.n_clusters_ <= 3


def test_fewer_clusters_than_asked_for_are_said() -> None:
    class OfThree(SpectralNJW):
        def _group(self, features: np.ndarray) -> np.ndarray:
            return features.argmax(axis=1)

    with pytest.warns(ClusterCountWarning, match="only 3 of the 5 clusters have an image"):
        model = OfThree(5).fit(np.repeat(np.eye(3, dtype=np.float32), 10, axis=0))
    np.testing.assert_array_equal(model.cluster_means_, np.eye(3))


@pytest.mark.parametrize("make", [SpectralNJW, SelfTuningSpectral, AverageLinkage])
def test_too_many_images_are_refused_before_anything_is_computed(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"compares every two images, 3 GB for 20,001: it takes at most 20,000"):
        make(n_clusters=2).fit(np.zeros((MOST_PAIRED + 1, 1), np.float32))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (SpectralNJW("auto"), "n_clusters is 'auto'"),
        (SpectralNJW(2, random_state=-1), "random_state is -1"),
        (SelfTuningSpectral(2, n_neighbors=0), "n_neighbors is 0"),
        (LandmarkSpectral(8, n_landmarks=8), "n_landmarks is 8; expected a whole number of at least 9"),
        (LandmarkSpectral(2, n_nearest=0), "n_nearest is 0"),
        (LocalityNMF(2, n_factors=0), "n_factors is 0"),
        (LocalityNMF(2, locality=-1.0), "locality is -1.0"),
        (LocalityNMF(2, n_rounds=0), "n_rounds is 0"),
        (LocalityNMF(2), "nmf-lp takes features of at least 0; give --features unit-pixels"),
        (NeighborSpectral(2, n_neighbors=0), "n_neighbors is 0"),
        (NeighborSpectral(5, n_landmarks=4), "n_landmarks is 4; expected a whole number of at least 5"),
        (AverageLinkage(2, distance="cosine"), "distance is 'cosine'; expected one of euclidean, squared"),
        (PlainNMF(2, assign="most"), "assign is 'most'; expected one of argmax, kmeans"),
        (PlainNMF(2, n_rounds=0), "n_rounds is 0"),
        (PlainNMF(2), "nmf takes features of at least 0; give --features unit-pixels"),
    ],
)
def test_parameters_and_features_out_of_range_are_refused(model: Rival, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        model.fit(cloud(20))


def test_squared_distances_are_those_of_the_loop_far_from_the_origin_too() -> None:
    features = cloud(30) + np.float32(1000)
    np.testing.assert_allclose(sq_distances(features), plain_sq(features), atol=1e-6)


def test_a_search_for_eigenvectors_finds_those_of_the_whole_decomposition() -> None:
    half = np.random.default_rng(0).normal(size=(450, 450))
    matrix = half + half.T
    found = top_eigenvectors(matrix, 4, np.random.default_rng(1))
    np.testing.assert_allclose(products(found), products(plain_top(matrix, 4)), atol=1e-8)
    values = np.einsum("ij,ij->j", found, matrix @ found)
    assert (np.diff(values) < 0).all()


def test_the_rows_of_sc_njw_are_those_of_its_definition() -> None:
    features = cloud()
    sq = plain_sq(features)
    affinity = np.exp(-sq / (0.05 * sq.mean()))
    degrees = affinity.sum(axis=1)
    matrix = affinity / np.sqrt(np.outer(degrees, degrees))
    wanted = plain_unit(plain_top(matrix, 3))
    found = SpectralNJW(3)._rows(features, np.random.default_rng(0))
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-8)


def test_the_rows_of_sc_st_are_those_of_its_definition() -> None:
    features = cloud() / 10  # some products of scales lie below .004
    sq = plain_sq(features)
    scales = [np.sqrt(sorted(row)[7]) for row in sq]
    affinity = np.array(
        [[np.exp(-sq[i, j] / max(scales[i] * scales[j], 0.004)) * (i != j) for j in range(90)] for i in range(90)]
    )
    degrees = affinity.sum(axis=1)
    wanted = plain_unit(plain_top(affinity / np.sqrt(np.outer(degrees, degrees)), 3))
    found = SelfTuningSpectral(3, n_neighbors=7)._rows(features, np.random.default_rng(0))
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-8)


def test_the_rows_of_n_cuts_are_those_of_its_definition() -> None:
    features = cloud()
    sq = plain_sq(features)
    affinity = np.exp(-((sq / (0.05 * sq.max())) ** 2))
    affinity[affinity < 1e-6] = 0
    degrees = affinity.sum(axis=1) + 1
    matrix = (affinity + 0.5 * np.eye(90)) / np.sqrt(np.outer(degrees, degrees))
    wanted = plain_unit(plain_top(matrix, 4) / np.sqrt(degrees)[:, None])
    found = NormalizedCuts(4)._rows(features, np.random.default_rng(0))
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-8)


def test_n_cuts_holds_the_near_pairs_alone_and_refuses_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.classical.cuts.CHUNK", 7)
    features, classes = blobs()
    affinity = near_affinities(features)
    assert (affinity.toarray() > 0).sum() == affinity.nnz == (classes[:, None] == classes).sum()
    monkeypatch.setattr("coterie.classical.cuts.MOST_AFFINITIES", affinity.nnz - 1)
    with pytest.raises(ConfigError, match="more than 2,499 of the 10,000 pairs of the 100 images, too many to hold"):
        NormalizedCuts(4).fit(features)


def test_turned_axes_are_found_again() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rows = plain_unit(np.eye(4)[labels] + rng.normal(scale=0.1, size=(200, 4))) @ turn
    for seed in range(5):
        assert partition(discretised(rows, np.random.default_rng(seed))) == partition(labels)


def test_the_first_centres_of_sc_st_are_as_orthogonal_as_they_can_be() -> None:
    rows = np.repeat(np.eye(3), 5, axis=0)
    chosen = orthogonal_rows(rows, 3, np.random.default_rng(0))
    np.testing.assert_allclose(products(chosen), np.eye(3))


def test_mixtures_of_landmarks_are_those_of_the_definition() -> None:
    features, landmarks = cloud(40), cloud(12, seed=1)
    sq = np.array([[((a - b) ** 2).sum() for b in landmarks.astype(float)] for a in features.astype(float)])
    wanted = np.zeros_like(sq)
    for i, row in enumerate(sq):
        for j in np.argsort(row)[:3]:
            wanted[i, j] = np.exp(-row[j] / (2 * sq.mean() ** 2))
    wanted /= wanted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mixtures(features, landmarks, 3).toarray(), wanted, atol=1e-6)


def test_the_rows_of_sc_ls_are_the_singular_vectors_after_the_first() -> None:
    shares = mixtures(cloud(40), cloud(12, seed=1), 3)
    dense = shares.toarray()
    left = np.linalg.svd(dense / np.maximum(np.sqrt(dense.sum(axis=0)), 1e-12))[0][:, 1:5]
    np.testing.assert_allclose(products(landmark_rows(shares, 4)), products(plain_unit(left)), atol=1e-7)


def test_sc_ls_takes_more_images_than_the_others() -> None:
    features, classes = blobs(each=(MOST_PAIRED + 800) // 4)
    model = LandmarkSpectral(4, n_landmarks=20).fit(features)
    assert partition(model.labels_) == partition(classes)


def test_condensed_distances_are_those_of_scipy_over_the_borders_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.classical.average_linkage.CHUNK", 7)
    features = cloud(30) + np.float32(1000)
    np.testing.assert_allclose(condensed_distances(features), pdist(features.astype(float)), atol=1e-6)


@pytest.mark.parametrize("k", [2, 5, 20])
def test_ac_link_is_the_average_linkage_of_scikit_learn(k: int) -> None:
    features = cloud(80)
    wanted = AgglomerativeClustering(k, linkage="average").fit_predict(features.astype(float))
    assert partition(AverageLinkage(k).fit(features).labels_) == partition(wanted)


def test_without_weights_and_locality_the_updates_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows, parts, shares = rng.random((30, 7)) + 0.1, rng.random((7, 3)) + 0.1, rng.random((30, 3)) + 0.1
    model = NMF(3, init="custom", solver="mu", beta_loss="kullback-leibler", max_iter=6, tol=0)
    wanted = model.fit_transform(rows.T.copy(), W=parts.copy(), H=shares.T.copy())
    for _ in range(6):
        parts = updated_parts(rows, parts, shares, np.ones(30))
        shares = updated_shares(rows, parts, shares)
    np.testing.assert_allclose(parts, wanted, rtol=1e-6)
    np.testing.assert_allclose(shares.T, model.components_, rtol=1e-6)


def test_weighted_updates_of_the_parts_are_those_of_the_loop() -> None:
    rng = np.random.default_rng(1)
    rows, parts, shares, weights = rng.random((9, 5)), rng.random((5, 2)), rng.random((9, 2)), rng.random(9)
    wanted = np.empty((5, 2))
    for i in range(5):
        for k in range(2):
            above = sum(weights[j] * rows[j, i] * shares[j, k] / (shares[j] @ parts[i]) for j in range(9))
            wanted[i, k] = parts[i, k] * above / sum(weights[j] * shares[j, k] for j in range(9))
    np.testing.assert_allclose(updated_parts(rows, parts, shares, weights), wanted)


def test_locality_solves_its_equations_and_makes_neighbours_alike() -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import laplacian

    rng = np.random.default_rng(2)
    links = (rng.random((12, 12)) < 0.3).astype(float)
    graph = laplacian(np.maximum(links, links.T) * (1 - np.eye(12)))
    shares, sums = rng.random((12, 2)), np.array([2.0, 3.0])
    wanted = np.stack(
        [np.linalg.solve(s * np.eye(12) + 10 * graph, s * v) for s, v in zip(sums, shares.T, strict=True)], axis=1
    )
    found = smoothed(shares, sums, csr_matrix(graph), 10.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    roughness = [np.trace(v.T @ graph @ v) for v in (shares, found)]
    assert roughness[1] < roughness[0]


def test_nmf_lp_as_published_finds_far_clusters_too() -> None:
    features, classes = blobs()
    model = LocalityNMF(4, n_factors=None, locality=100.0).fit(features)
    assert partition(model.labels_) == partition(classes)


@makers
def test_every_parameter_of_a_rival_stands_on_its_page_with_its_default(make: Make) -> None:
    text = (Path(__file__).parents[2] / "docs/methods/classical.md").read_text(encoding="utf-8")
    shared = {"n_clusters", "features", "device", "random_state"}
    for name, default in make().get_params().items():
        row = re.compile(rf"\| [^|]*`{make.kind}`[^|]* \| `{name}` \| `{re.escape(repr(default))}` \|")
        assert name in shared or row.search(text)
