"""SC, AC-Ward and NMF: each against scikit-learn, or against its definition in dense algebra."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import NMF

from coterie.classical import NeighborSpectral, PlainNMF, Ward
from coterie.classical.neighbor_spectral import graph_rows, landmark_kernel_rows, self_tuned
from oracles.plain_graphs import knn, partition


def cloud(n: int = 90, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def apart(k: int = 4, each: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Clusters no edge leads between, none below zero: (features, classes)."""
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.repeat(np.arange(k), each))
    return (1 + 20 * np.eye(k)[classes] + rng.uniform(0, 0.5, (len(classes), k))).astype(np.float32), classes


def top_unit_rows(affinity: np.ndarray, k: int) -> np.ndarray:
    roots = np.sqrt(affinity.sum(axis=1))
    rows = np.linalg.eigh(affinity / np.outer(roots, roots))[1][:, -k:]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def dense_self_tuned(features: np.ndarray, n_neighbors: int) -> np.ndarray:
    indices, _ = knn(features, n_neighbors)
    scales = np.sqrt(knn(features, 7)[1][:, 6])
    found = np.zeros((len(features),) * 2)
    for i, row in enumerate(indices):
        for j in row:
            sq = ((features[i].astype(float) - features[j]) ** 2).sum()
            found[i, j] = found[j, i] = np.exp(-sq / (scales[i] * scales[j]))
    return found


@pytest.mark.parametrize("n_neighbors", [3, 10])
def test_the_graph_of_sc_is_that_of_its_definition(n_neighbors: int) -> None:
    features = cloud()
    np.testing.assert_allclose(
        self_tuned(features, n_neighbors).toarray(), dense_self_tuned(features, n_neighbors), atol=1e-9
    )


def test_the_rows_of_sc_are_those_of_dense_algebra_by_a_search_too(monkeypatch: pytest.MonkeyPatch) -> None:
    features = cloud()
    wanted = top_unit_rows(dense_self_tuned(features, 10), 3)
    for dense in (400, 0):
        monkeypatch.setattr("coterie.classical.rival.DENSE", dense)
        found = graph_rows(features, 3, 10, np.random.default_rng(0))
        np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-7)


def test_sc_finds_the_parts_of_a_graph_that_falls_apart() -> None:
    features, classes = apart()
    assert partition(NeighborSpectral(4).fit(features).labels_) == partition(classes)


def test_landmarks_that_are_all_images_give_the_rows_of_all_affinities() -> None:
    features = cloud()
    scale = knn(features, 7)[1][:, 6].mean()
    sq = ((features[:, None].astype(float) - features) ** 2).sum(axis=2)
    wanted = top_unit_rows(np.exp(-sq / scale), 3)
    found = landmark_kernel_rows(features, 3, 200, np.random.default_rng(0))
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=2e-3)


def test_above_the_limit_sc_goes_by_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.classical.neighbor_spectral.MOST_PAIRED", 100)
    monkeypatch.setattr("coterie.classical.neighbor_spectral.graph_rows", None)
    features, classes = apart()
    model = NeighborSpectral(4, n_landmarks=60).fit(features)
    assert partition(model.labels_) == partition(classes)


@pytest.mark.parametrize("k", [2, 5, 20])
def test_ac_ward_is_that_of_scikit_learn_above_the_limit_too(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = cloud()
    wanted = partition(AgglomerativeClustering(k).fit_predict(features.astype(float)))
    assert partition(Ward(k).fit(features).labels_) == wanted
    monkeypatch.setattr("coterie.classical.ward.MOST_PAIRED", 10)
    assert partition(Ward(k).fit(features).labels_) == wanted


def test_nmf_takes_the_part_that_makes_the_most_of_an_image() -> None:
    rows = np.abs(cloud(60, 6))
    model = NMF(3, max_iter=200, random_state=0, tol=1e-4)
    shares = model.fit_transform(rows.astype(float))
    made = [
        [np.linalg.norm(share * part) for share, part in zip(row, model.components_, strict=True)] for row in shares
    ]
    assert partition(PlainNMF(3).fit(rows).labels_) == partition(np.argmax(made, axis=1))


@pytest.mark.parametrize("assign", ["argmax", "kmeans"])
def test_nmf_finds_clusters_of_images_with_parts_of_their_own(assign: str) -> None:
    features, classes = apart()
    assert partition(PlainNMF(4, assign=assign).fit(features).labels_) == partition(classes)
