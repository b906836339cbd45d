"""Which answers are called doubtful, in which words, and that clear answers are not."""

import numpy as np
import pytest

from coterie.errors import (
    ChoiceWarning,
    ClusterCountWarning,
    CoterieWarning,
    DuplicateImagesWarning,
    FragmentsWarning,
    GraphWarning,
)
from coterie.graphs.affinity import Graph
from coterie.graphs.choice import Choice
from coterie.graphs.grouping import Grouping, LinkageSettings, group_features, group_graph
from coterie.graphs.history import History
from coterie.graphs.stop import Stop
from coterie.graphs.trust import reservations

Said = list[tuple[type[CoterieWarning], str]]


def made(sizes: list[int], *, degree: int = 4, **fields: object) -> Grouping:
    """A grouping of clusters of these sizes, each a ring of edges, as if nothing had been odd about it."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    n, begin = len(labels), np.concatenate([[0], np.cumsum(sizes)[:-1]])[labels]
    size = np.array(sizes)[labels]
    places = np.arange(n) - begin
    indices = (begin[:, None] + (places[:, None] + np.arange(1, degree + 1)) % size[:, None]).ravel()
    graph = Graph(np.arange(0, n * degree + 1, degree), indices, np.ones(n * degree), 0)
    none = np.empty((0, 2), np.int64)
    history = History(labels, none, np.empty(0), np.empty(0, np.int64))
    stop = Stop(labels, 2.0, 0, 0, 1.0, np.zeros(n, bool))
    return Grouping(labels, history, graph, None, len(sizes), False, stop, None)._replace(**fields)


def said(grouping: Grouping, n_clusters: int | str | None = None, **settings: object) -> Said:
    wanted = int(grouping.labels.max()) + 1 if n_clusters is None else n_clusters
    return reservations(grouping, LinkageSettings(n_clusters=wanted, **settings))  # type: ignore[arg-type]


def only(found: Said) -> tuple[type[CoterieWarning], str]:
    assert len(found) == 1, found
    assert "\n" not in found[0][1]
    return found[0]


@pytest.mark.parametrize("sizes", [[50, 50], [60, 30, 10], [40], [9] * 12])
def test_an_ordinary_answer_is_not_called_doubtful(sizes: list[int]) -> None:
    assert said(made(sizes)) == []


def test_another_number_than_asked_for_is_said_with_both() -> None:
    kind, sentence = only(said(made([30, 30, 30]), 2))
    assert kind is ClusterCountWarning
    assert sentence.startswith("3 clusters instead of 2")
    assert "centroid" not in sentence  # a given graph has no centroids


def test_a_start_from_single_images_is_said() -> None:
    kind, sentence = only(said(made([30, 30], restarted=True)))
    assert kind is ClusterCountWarning
    assert "fewer groups of nearest neighbours than the 2 clusters" in sentence


def test_a_number_that_does_not_stand_out_is_said_with_the_next_best() -> None:
    weak = made([30, 30], choice=Choice(2, 0.4, "rule", [(5, 0.1)]))
    assert only(said(weak, "auto"))[0] is ChoiceWarning
    close = made([30, 30], choice=Choice(2, 4.0, "rule", [(5, 3.9), (7, 3.8), (9, 0.2)]))
    kind, sentence = only(said(close, "auto"))
    assert kind is ChoiceWarning
    assert "5, 7 would fit nearly as well" in sentence
    assert said(made([30, 30], choice=Choice(2, 4.0, "rule", [(5, 1.0)])), "auto") == []


def test_graphs_that_say_other_numbers_are_named_with_them() -> None:
    def with_answers(*answers: int) -> Grouping:
        return made([30, 30], choice=Choice(10, 4.0, "rule", [(5, 1.0)], answers))

    kind, sentence = only(said(with_answers(10, 5, 12), "auto"))
    assert kind is ChoiceWarning
    assert "10 clusters is the best guess" in sentence
    assert "graphs of fewer or more neighbours alone say 5, 12;" in sentence
    assert said(with_answers(10, 10, 10), "auto") == said(with_answers(10, 11, 10), "auto") == []


def test_fragments_are_said_from_a_hundredth_of_the_images_on() -> None:
    def with_fragments(count: int) -> Grouping:
        grouping = made([500, 500])
        assert grouping.stop is not None
        return grouping._replace(stop=grouping.stop._replace(min_size=19.2, n_fragments=3, n_fragment_images=count))

    assert said(with_fragments(10)) == []
    kind, sentence = only(said(with_fragments(11)))
    assert kind is FragmentsWarning
    assert "3 fragments with 11 images in all, each smaller than 20," in sentence


def test_a_size_below_two_is_not_told_as_smaller_than_one() -> None:
    grouping = made([50, 50])
    assert grouping.stop is not None
    grouping = grouping._replace(stop=grouping.stop._replace(min_size=1.3, n_fragments=5, n_fragment_images=5))
    assert "each smaller than 2," in only(said(grouping))[1]


def test_fragments_that_use_up_the_places_of_a_plain_stop_are_said() -> None:
    kind, sentence = only(said(made([300, 300, 2], stop=None)))
    assert kind is FragmentsWarning
    assert "1 of the 3 clusters have fewer than 5 images" in sentence
    assert said(made([300, 300, 5], stop=None)) == []
    assert said(made([300, 300, 2])) == []  # the sized stop would have counted it on purpose


@pytest.mark.parametrize(("sizes", "share"), [([990, 10], "99%"), ([95, 5], "95%"), ([180, 3, 3, 3, 3], "93%")])
def test_one_cluster_with_nearly_everything_is_said(sizes: list[int], share: str) -> None:
    kind, sentence = only(said(made(sizes)))
    assert kind is GraphWarning
    assert f"one cluster holds {share} of the images" in sentence


@pytest.mark.parametrize("sizes", [[88, 12], [100], [80, 10, 10]])
def test_a_large_cluster_among_few_is_no_news(sizes: list[int]) -> None:
    assert said(made(sizes)) == []


def hub(n: int, *, distance: float) -> Grouping:
    """A ring in which every image also has an edge to image 0."""
    grouping = made([n], degree=2)
    indices = grouping.graph.indices.reshape(n, 2).copy()
    indices[1:, 0] = 0
    return grouping._replace(
        graph=grouping.graph._replace(indices=indices.ravel()),
        neighbors=_neighbors(indices, np.full(indices.shape, distance)),
    )


def _neighbors(indices: np.ndarray, sq_distances: np.ndarray):  # type: ignore[no-untyped-def]
    from coterie.graphs.knn import Neighbors

    return Neighbors(indices, sq_distances)


def test_an_image_that_is_everybody_s_neighbour_is_a_hub() -> None:
    kind, sentence = only(said(hub(200, distance=1.0)))
    assert kind is GraphWarning
    assert sentence.startswith("1 images are among the nearest of more than 100 others each (at most 200)")
    assert said(hub(90, distance=1.0)) == []


def test_copies_of_one_image_are_not_called_hubs_but_copies() -> None:
    kind, sentence = only(said(hub(200, distance=0.0)))
    assert kind is DuplicateImagesWarning
    assert sentence.startswith("200 images have so many exact copies that all of their 2 neighbours are copies")


def test_a_few_copies_are_no_news() -> None:
    grouping = hub(90, distance=1.0)
    assert grouping.neighbors is not None
    grouping.neighbors.sq_distances[:, 0] = 0.0
    assert said(grouping) == []


def test_edges_that_weigh_nothing_are_said_with_advice_that_fits_the_scale() -> None:
    grouping = made([50, 50])
    grouping = grouping._replace(graph=grouping.graph._replace(n_underflow=7))
    for scale, advice in (("global", "try scale='local'"), ("local", "so near that their other neighbours")):
        kind, sentence = only(said(grouping, scale=scale))
        assert kind is GraphWarning
        assert sentence.startswith("7 of 400 edges weigh nothing")
        assert advice in sentence


def test_one_scale_set_by_an_outlier_is_said_where_there_is_one_scale() -> None:
    grouping = hub(90, distance=1.0)
    assert grouping.neighbors is not None
    assert said(grouping, scale="global") == []
    grouping.neighbors.sq_distances[-1] = 1e12
    kind, sentence = only(said(grouping, scale="global"))
    assert kind is GraphWarning
    assert "use scale='local'" in sentence
    assert said(grouping, scale="local") == []
    assert said(grouping, scale="global", a=1e-10) == []


def test_parts_that_had_to_be_joined_are_said_with_their_number() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(40, 3)) + 1e4 * i for i in range(5)]).astype(np.float32)
    found = said(group_features(features, LinkageSettings(n_clusters=2)), 2)
    assert any(kind is GraphWarning and "5 separate parts" in sentence for kind, sentence in found)
    assert said(group_features(features, LinkageSettings(n_clusters=5)), 5) == []


def test_parts_of_a_given_graph_are_said_without_advice_about_features() -> None:
    graph = made([20, 20, 20]).graph
    settings = LinkageSettings(n_clusters=2)
    kind, sentence = only(reservations(group_graph(graph, settings), settings))
    assert kind is ClusterCountWarning
    assert sentence == "3 clusters instead of 2: the rest have no affinity to each other"
