"""Graph degree linkage as a clusterer: its history, what it does when affinity runs out, and given graphs."""

import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, is_valid_linkage

from coterie.classical import GraphDegreeLinkage
from coterie.errors import ClusterCountWarning, ConfigError, CoterieWarning, GraphWarning
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.knn import nearest_neighbors
from oracles.dense_linkage import run
from oracles.kernel_state import dense_of, knn_case
from oracles.plain_graphs import join_by_centroid, partition

PLAIN = {
    "n_neighbors": 8,
    "n_components": None,
    "stop": "plain",
    "refine": 0,
}  # the published algorithm, without the sized stop and the vote


def cloud(n: int = 300, d: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def blobs(each: tuple[int, ...] = (50, 50, 50, 50), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blobs so far apart that no edge of a neighbour graph joins them: at 0, 1000, 3000, 6000, ..."""
    classes = np.repeat(np.arange(len(each)), each)
    where = np.cumsum(np.arange(len(each))) * 1000.0
    features = np.random.default_rng(seed).normal(size=(len(classes), 3))
    features[:, 0] += where[classes]
    return features.astype(np.float32), classes


def weighted_graph(features: np.ndarray, k: int = 8) -> sparse.csr_array:
    graph, n = affinity_graph(nearest_neighbors(features, k)), len(features)
    return sparse.csr_array((graph.weights, graph.indices, graph.indptr), shape=(n, n))


def quiet(model: GraphDegreeLinkage, X: object) -> GraphDegreeLinkage:
    """``model`` fitted, with coterie's own warnings left aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        return model.fit(X)


# --- the history ---


def test_the_merges_are_numbered_as_scipy_numbers_them() -> None:
    model = quiet(GraphDegreeLinkage(6, init="singletons", **PLAIN), cloud())
    children, affinity, size = model.merges_[:, :2], model.merges_[:, 2], model.merges_[:, 3]
    assert model.merges_.shape == (299, 4)
    assert is_valid_linkage(np.column_stack([children, np.arange(1.0, 300.0), size]))
    assert (affinity >= 0).all()
    scipy_s = fcluster(np.column_stack([children, np.arange(1.0, 300.0), size]), 6, "maxclust")
    assert partition(scipy_s) == partition(model.labels_)


def test_the_merges_start_from_the_initial_clusters_and_end_with_all_images() -> None:
    model = quiet(GraphDegreeLinkage(6, **PLAIN), cloud())
    c = int(model.initial_labels_.max()) + 1
    assert model.merges_.shape == (c - 1, 4)
    assert sorted(model.merges_[:, :2].ravel().tolist()) == list(range(2 * c - 2))
    assert model.merges_[-1, 3] == 300


def test_a_fit_is_the_dense_linkage_cut_at_the_number_of_clusters() -> None:
    features = cloud(120)
    model = GraphDegreeLinkage(4, scale="global", **PLAIN).fit(features)
    W = weighted_graph(features)
    found = nearest_neighbors(features, 8)
    W.data[:] = affinity_graph(found, scale="global").weights
    merges = run(W.toarray(), model.initial_labels_)
    np.testing.assert_allclose(model.merges_[: len(merges), 2], [affinity for affinity, _, _ in merges], atol=1e-12)


@pytest.mark.parametrize("update", ["size_ratio", "constant_ratio"])
def test_the_approximate_rules_find_far_blobs_as_well(update: str) -> None:
    features, classes = blobs()
    model = quiet(GraphDegreeLinkage(4, update=update, alpha=0.1), features)
    assert partition(model.labels_) == partition(classes)


@pytest.mark.parametrize("k", [2, 3, 4, 7, 12])
@pytest.mark.parametrize("policy", ["centroid", "double_ks"])
def test_auto_finds_the_number_of_far_blobs_of_any_size(k: int, policy: str) -> None:
    features, classes = blobs(tuple(60 + 15 * i for i in range(k)))
    model = quiet(GraphDegreeLinkage(on_exhausted=policy), features)
    assert model.choice_.n_clusters == k
    assert partition(model.labels_) == partition(classes)


def test_every_search_finds_far_blobs() -> None:
    features, classes = blobs()
    for search in ("exact", "faiss", "ivf", "hnsw"):
        model = quiet(GraphDegreeLinkage(4, search=search), features)
        assert partition(model.labels_) == partition(classes)
        assert 0.9 < model.recall_ <= 1.0


@pytest.mark.parametrize("k", [1, 2, 7, 60, 150, 299, 300])
@pytest.mark.parametrize("refine", [0, 1, 3])
@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_any_number_of_clusters_up_to_that_of_the_images_is_met_exactly(k: int, refine: int, stop: str) -> None:
    model = quiet(GraphDegreeLinkage(k, stop=stop, refine=refine), cloud())
    sizes = np.bincount(model.labels_, minlength=k)
    assert model.n_clusters_ == len(sizes) == k
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    assert ((model.confidence_ >= 0) & (model.confidence_ <= 1)).all()


def test_more_clusters_than_groups_of_neighbours_start_from_single_images_and_say_so() -> None:
    few = pytest.warns(ClusterCountWarning, match="fewer groups of nearest neighbours than the 200 clusters")
    with few, pytest.warns(GraphWarning, match="hardly apart"):
        model = GraphDegreeLinkage(200).fit(cloud())
    assert model.n_clusters_ == 200
    assert model.initial_labels_.max() == 299


def test_as_many_clusters_as_groups_of_neighbours_need_no_merger() -> None:
    n_groups = int(quiet(GraphDegreeLinkage(2, **PLAIN), cloud()).initial_labels_.max()) + 1
    model = GraphDegreeLinkage(n_groups, **PLAIN).fit(cloud())
    assert partition(model.labels_) == partition(model.initial_labels_)


# --- when affinity runs out (jule.md A6) ---

COMPONENTS = "the neighbour graph has 4 separate parts"


@pytest.mark.parametrize("stop", ["sized", "plain"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_parts_without_affinity_join_by_centroid_with_a_warning_that_counts_them(k: int, stop: str) -> None:
    features, classes = blobs((60, 50, 40, 30))
    with pytest.warns(GraphWarning, match=COMPONENTS):
        model = GraphDegreeLinkage(k, stop=stop).fit(features)
    assert partition(model.labels_) == join_by_centroid(features, classes, k)
    assert model.n_zero_merges_ == 4 - k
    assert (model.merges_[-3:, 2] == 0).all()


@pytest.mark.parametrize("policy", ["centroid", "double_ks", "stop", "error"])
@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_as_many_clusters_as_parts_are_the_parts_without_a_warning(policy: str, stop: str) -> None:
    features, classes = blobs()
    model = GraphDegreeLinkage(4, on_exhausted=policy, stop=stop).fit(features)
    assert partition(model.labels_) == partition(classes)
    assert model.n_zero_merges_ == 0


@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_doubled_neighbours_join_the_parts_with_real_affinities(stop: str) -> None:
    features, _ = blobs()
    with pytest.warns(GraphWarning, match="on_exhausted='double_ks'"):
        model = GraphDegreeLinkage(2, on_exhausted="double_ks", stop=stop).fit(features)
    assert np.bincount(model.labels_).tolist() == [150, 50]  # the furthest blob stays apart
    assert model.n_zero_merges_ == 0


@pytest.mark.parametrize("stop", ["sized", "plain"])
def test_the_policy_stop_returns_the_parts_and_says_that_they_are_more_than_asked_for(stop: str) -> None:
    features, classes = blobs()
    with pytest.warns(ClusterCountWarning, match="4 clusters instead of 2: the rest have no affinity"):
        model = GraphDegreeLinkage(2, on_exhausted="stop", stop=stop).fit(features)
    assert partition(model.labels_) == partition(classes)
    assert model.n_clusters_ == 4


def test_the_policy_error_raises_one_sentence_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match="ran out at 4 clusters, before the 2 asked for; use more n_neighbors or"):
        GraphDegreeLinkage(2, on_exhausted="error").fit(blobs()[0])


def test_weights_that_vanish_are_counted_in_a_warning() -> None:
    features = np.concatenate([cloud(3000, 2), np.full((1, 2), 500.0, np.float32)])
    with pytest.warns(GraphWarning, match="edges weigh nothing.*try scale='local'"):
        GraphDegreeLinkage(2, scale="global", a=0.05, stop="plain").fit(features)


# --- graphs that are given ---


@pytest.mark.parametrize("init", ["nearest", "singletons"])
def test_a_given_graph_gives_the_groups_of_the_features_it_was_made_from(init: str) -> None:
    features = cloud()
    by_features = quiet(GraphDegreeLinkage(7, init=init, n_neighbors=8), features)
    by_graph = quiet(GraphDegreeLinkage(7, init=init, affinity="precomputed"), weighted_graph(features))
    assert partition(by_graph.labels_) == partition(by_features.labels_)
    np.testing.assert_allclose(by_graph.confidence_, by_features.confidence_, atol=1e-6)
    with_affinity = by_features.merges_[by_features.merges_[:, 2] > 0]  # a given graph has no centroids to go on by
    np.testing.assert_allclose(by_graph.merges_, with_affinity, rtol=1e-12)


@pytest.mark.parametrize("form", ["csr_array", "csc_array", "coo_array", "lil_array", "dok_array", "csr_matrix"])
def test_a_graph_may_be_given_in_any_sparse_form_and_stays_as_it_was(form: str) -> None:
    W = weighted_graph(cloud())
    wanted = quiet(GraphDegreeLinkage(7, affinity="precomputed"), W).labels_
    given = getattr(sparse, form)(W)
    before = given.toarray()
    assert (quiet(GraphDegreeLinkage(7, affinity="precomputed"), given).labels_ == wanted).all()
    assert (given.toarray() == before).all()


def test_the_diagonal_and_stored_zeros_of_a_given_graph_do_not_count() -> None:
    W = weighted_graph(cloud())
    wanted = quiet(GraphDegreeLinkage(7, affinity="precomputed"), W)
    extra = W.tolil()
    extra.setdiag(1e6)
    extra = extra.tocoo()
    padded = sparse.coo_array(
        (np.append(extra.data, [0.0, 0.0]), (np.append(extra.row, [0, 5]), np.append(extra.col, [290, 280]))), W.shape
    )
    found = quiet(GraphDegreeLinkage(7, affinity="precomputed"), padded)
    assert (found.labels_ == wanted.labels_).all()
    assert (found.confidence_ == wanted.confidence_).all()


def test_parts_of_a_given_graph_stay_apart_and_the_sentence_does_not_advise_what_cannot_help() -> None:
    features, classes = blobs()
    with pytest.warns(ClusterCountWarning) as caught:
        model = GraphDegreeLinkage(2, affinity="precomputed").fit(weighted_graph(features))
    assert partition(model.labels_) == partition(classes)
    assert not any("centroid" in str(warning.message) for warning in caught)


def test_a_given_graph_may_be_refused_when_it_falls_apart() -> None:
    model = GraphDegreeLinkage(2, affinity="precomputed", on_exhausted="error")
    with pytest.raises(ConfigError, match="ran out at 4 clusters"):
        model.fit(weighted_graph(blobs()[0]))


@pytest.mark.parametrize(
    ("W", "sentence"),
    [
        (np.eye(4), "needs a square sparse matrix of at least two images, not a ndarray of shape"),
        ([[0, 1], [1, 0]], "not a list of shape"),
        (sparse.csr_array((4, 5)), r"not a csr_array of shape \(4, 5\)"),
        (sparse.csr_array((1, 1)), r"shape \(1, 1\)"),
        (sparse.csr_array(np.array([[0, -0.5], [0.5, 0]])), "negative or non-finite"),
        (sparse.csr_array(np.array([[0, np.nan], [0.5, 0]])), "negative or non-finite"),
        (sparse.csr_array(np.array([[0, np.inf], [0.5, 0]])), "negative or non-finite"),
    ],
)
def test_what_is_no_graph_is_refused_in_one_sentence(W: object, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        GraphDegreeLinkage(2, affinity="precomputed").fit(W)


def test_a_model_of_a_given_graph_places_no_new_images_and_is_not_saved(tmp_path: Path) -> None:
    model = quiet(GraphDegreeLinkage(3, affinity="precomputed"), weighted_graph(cloud()))
    for ask in (model.predict, model.transform, model.predict_proba):
        with pytest.raises(ConfigError, match="has no features to place new images by"):
            ask(cloud(4))
    with pytest.raises(ConfigError, match="has no features to place new images by"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_graph_without_any_edge_leaves_every_image_alone() -> None:
    with pytest.warns(ClusterCountWarning, match="5 clusters instead of 2"):
        model = GraphDegreeLinkage(2, affinity="precomputed").fit(sparse.csr_array((5, 5)))
    assert model.labels_.tolist() == [0, 1, 2, 3, 4]
    assert model.confidence_.tolist() == [0.0] * 5


def test_the_graph_of_a_random_case_gives_the_same_history_through_the_clusterer() -> None:
    graph, W, initial = knn_case(3, 4)
    model = GraphDegreeLinkage(5, affinity="precomputed", **PLAIN).fit(sparse.csr_array(dense_of(graph)))
    assert partition(model.initial_labels_) == partition(initial)
    np.testing.assert_allclose(model.merges_[:, 2], [affinity for affinity, _, _ in run(W, initial)], atol=1e-12)


# --- parameters ---


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n_neighbors": 0}, 'n_neighbors is 0; expected a whole number of at least 1 or "auto"'),
        ({"n_neighbors": -3}, "n_neighbors is -3"),
        ({"n_neighbors": 5.0}, "n_neighbors is 5.0"),
        ({"n_neighbors": np.nan}, "n_neighbors is nan"),
        ({"n_neighbors": "ten"}, "n_neighbors is 'ten'"),
        ({"n_neighbors": True}, "n_neighbors is True"),
        ({"n_neighbors": None}, "n_neighbors is None"),
        ({"n_components": 0}, 'n_components is 0; expected a whole number of at least 1, "auto" or None'),
        ({"n_components": 2.5}, "n_components is 2.5"),
        ({"scale": "both"}, "scale is 'both'; expected one of local, global"),
        ({"scale": None}, "scale is None"),
        ({"a": 0}, "a is 0; expected a finite number above 0"),
        ({"a": "x"}, "a is 'x'"),
        ({"a": np.inf}, "a is inf"),
        ({"alpha": np.nan}, "alpha is nan; expected a finite number above -1"),
        ({"alpha": -1}, "alpha is -1"),
        ({"update": "fast"}, "update is 'fast'; expected one of exact, size_ratio, constant_ratio"),
        ({"affinity": "rbf"}, "affinity is 'rbf'; expected one of features, precomputed"),
        ({"init": "random"}, "init is 'random'; expected one of nearest, singletons"),
        ({"stop": 3}, "stop is 3; expected one of sized, plain"),
        ({"min_cluster_size": 0}, "min_cluster_size is 0; expected a finite number above 0"),
        ({"refine": -1}, "refine is -1; expected a whole number of at least 0"),
        ({"refine": 1.5}, "refine is 1.5"),
        ({"on_exhausted": "raise"}, "on_exhausted is 'raise'; expected one of centroid, double_ks, stop, error"),
        ({"search": "fast"}, "search is 'fast'; expected one of auto, exact"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused_by_name_value_and_range(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        GraphDegreeLinkage(3, **wrong).fit(cloud(20))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=sentence):
        GraphDegreeLinkage(3, **({"affinity": "precomputed"} | wrong)).fit(weighted_graph(cloud(20)))  # type: ignore[arg-type]


def test_more_neighbours_than_images_are_clipped_to_all_others() -> None:
    model = quiet(GraphDegreeLinkage(2, n_neighbors=50), cloud(10))
    assert model.n_neighbors_ == 9
    assert model.predict(cloud(10)).shape == (10,)


def test_a_model_of_fewer_components_places_features_of_the_old_width_and_survives_saving(tmp_path: Path) -> None:
    features, classes = blobs()
    wide = np.hstack([features, cloud(200, 7)])
    model = GraphDegreeLinkage(4, n_components=3).fit(wide)
    assert model.embedding_.shape == (200, 3)
    assert partition(model.labels_) == partition(classes)
    assert (model.predict(wide) == model.labels_).all()
    model.save(tmp_path / "model")
    loaded = GraphDegreeLinkage.load(tmp_path / "model")
    assert (loaded.predict(wide) == model.labels_).all()
    assert (loaded.transform(wide) == model.transform(wide)).all()
    with pytest.raises(ValueError, match="3 features, but GraphDegreeLinkage is expecting 10 features"):
        loaded.predict(model.embedding_)


@pytest.mark.parametrize("min_size", [0.5, 1, 30, 10_000])
def test_any_smallest_size_gives_the_clusters_that_were_asked_for(min_size: float) -> None:
    model = quiet(GraphDegreeLinkage(5, min_cluster_size=min_size), cloud())
    assert model.n_clusters_ == 5


def test_a_history_without_mergers_can_be_saved(tmp_path: Path) -> None:
    features = np.array([[0.0], [1.0]], np.float32)
    quiet(GraphDegreeLinkage(1), features).save(tmp_path / "model")
    assert GraphDegreeLinkage.load(tmp_path / "model").predict(features).tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")
def test_the_seconds_of_every_stage_stand_apart_and_add_up_to_the_grouping() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    began = time.perf_counter()
    given = GraphDegreeLinkage(3).fit(rows)
    whole = time.perf_counter() - began
    assert set(given.stages_) == {"neighbours", "graph", "merging", "stop"}
    assert set(given.timings_) == {"features", "grouping", *given.stages_}
    assert min(given.timings_.values()) >= 0
    assert sum(given.timings_.values()) <= whole
    assert "number of groups" in GraphDegreeLinkage().fit(rows).stages_
