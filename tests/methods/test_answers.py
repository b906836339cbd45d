"""The answers of a deep method: named, compared on the neighbour graph, and renamed to agree."""

import numpy as np
import pytest

from coterie.graphs.grouping import LinkageSettings
from coterie.methods.answers import (
    Answer,
    choose_answer,
    head_answer,
    linkage_answer,
    matched,
    most_common,
    shares_of_prototypes,
)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), [50, 40, 30])
    return (np.eye(3, 8)[labels] + 0.05 * random.normal(size=(120, 8))).astype(np.float32), labels


def test_shares_are_a_softmax_of_inner_products_however_sharp() -> None:
    features, prototypes = np.eye(3, 4, dtype=np.float32), 2 * np.eye(2, 4, dtype=np.float32)
    shares = shares_of_prototypes(features, prototypes, 0.001)
    np.testing.assert_allclose(shares, [[1, 0], [0, 1], [0.5, 0.5]], atol=1e-12)
    soft = shares_of_prototypes(features, prototypes, 2.0)
    assert soft[0, 0] == pytest.approx(np.e / (np.e + 1))


def test_the_head_leaves_prototypes_out_that_no_image_prefers() -> None:
    shares = np.array([[0.1, 0.2, 0.7, 0.0], [0.6, 0.0, 0.4, 0.0], [0.2, 0.2, 0.6, 0.0]])
    answer, columns = head_answer(shares)
    assert answer.labels.tolist() == [0, 1, 0]
    assert columns.tolist() == [2, 0]
    np.testing.assert_allclose(answer.confidence, [0.7 / 0.9, 0.6, 0.75], rtol=1e-6)


def test_the_answer_that_cuts_less_of_the_graph_is_chosen_and_says_so() -> None:
    features, labels = blobs()
    linkage, grouping = linkage_answer(features, LinkageSettings(n_clusters=3))
    assert np.array_equal(linkage.labels, labels)
    worse = labels.copy()
    worse[:10] = 1
    head = Answer(worse, np.ones(120, np.float32))
    assert grouping.graph is not None
    name, because = choose_answer(grouping.graph, {"head": head, "linkage": linkage}, 3)
    assert name == "linkage"
    assert because.startswith("its clusters keep most of the weight of the neighbour graph inside (linkage 100.0%, he")
    assert choose_answer(grouping.graph, {"head": linkage, "linkage": linkage}, 3)[0] == "head"


def test_an_answer_with_everything_in_one_cluster_is_not_chosen_for_cutting_nothing() -> None:
    features, labels = blobs()
    _, grouping = linkage_answer(features, LinkageSettings(n_clusters=3))
    one = Answer(np.zeros(120, np.int64), np.ones(120, np.float32))
    rough = Answer(np.where(np.arange(120) < 8, 2, labels), np.ones(120, np.float32))
    assert choose_answer(grouping.graph, {"head": one, "linkage": rough}, 3)[0] == "linkage"


def test_labels_are_renamed_to_agree_with_earlier_ones() -> None:
    before = np.array([0, 0, 1, 1, 2, 2, 2])
    now = np.array([2, 2, 0, 0, 1, 1, 0])
    assert matched(now, before, 3).tolist() == [0, 0, 1, 1, 2, 2, 1]
    assert matched(before, before, 3).tolist() == before.tolist()


def test_each_cluster_is_told_by_what_most_of_its_images_were_called_elsewhere() -> None:
    head = np.array([0, 0, 1, 1, 2, 2, 2])
    linkage = np.array([0, 0, 0, 1, 1, 1, 2])
    assert most_common(head, linkage).tolist() == [0, 2, 2]
    assert most_common(head, head).tolist() == [0, 1, 2]
