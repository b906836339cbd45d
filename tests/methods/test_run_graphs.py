"""Which run groups what it sees best: by its own neighbour graph, head or linkage."""

import numpy as np
import pytest

from coterie.graphs.grouping import Grouping, LinkageSettings
from coterie.methods import run_graphs
from coterie.methods.answers import Answer
from coterie.methods.run_graphs import answers_of_others, drawn_by_others, drawn_for, judged, judged_alone
from coterie.metrics import accuracy


def blobs(seed: int, between: float) -> tuple[np.ndarray, np.ndarray]:
    """(features (150, 4), classes): three blobs, as far apart as ``between``."""
    rng = np.random.default_rng(seed)
    classes = np.arange(150) % 3
    return (rng.normal(size=(150, 4)) + between * np.eye(3, 4)[classes]).astype(np.float32), classes


def shares_of(labels: np.ndarray) -> np.ndarray:
    return np.full((len(labels), 3), 0.05) + 0.85 * np.eye(3)[labels]


@pytest.mark.parametrize("assign", ["head", "linkage", "auto"])
def test_a_run_whose_features_have_groups_keeps_more_than_one_whose_features_have_none(assign: str) -> None:
    (apart, classes), (cloud, _) = blobs(0, 12.0), blobs(1, 0.0)
    shares = np.stack([shares_of(classes), shares_of(classes)], axis=1)
    kept = judged([apart, cloud].__getitem__, shares, 3, assign).kept
    assert kept[0] == pytest.approx(1)
    assert kept[1] < 0.9


def test_a_line_keeps_nearly_all_whatever_it_is_cut_into() -> None:
    """Why what is kept is no proof of groups (docs/methods/udc.md, section 2): in one dimension any cut is cheap."""
    line = np.linspace(0, 1, 600, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    shares = shares_of(np.arange(600) // 200)[:, None]
    assert judged(lambda _: line, shares, 3, "auto").kept[0] > 0.99


def test_groups_that_a_head_cuts_through_count_where_the_linkage_may_answer() -> None:
    apart, classes = blobs(0, 12.0)
    shares = shares_of(np.random.default_rng(0).permutation(classes))[:, None]
    found = {assign: judged(lambda _: apart, shares, 3, assign) for assign in ("head", "linkage", "auto")}
    assert found["auto"].kept == found["linkage"].kept == pytest.approx(1)
    assert found["head"].kept < 0.5
    assert [own.by[0] for own in found.values()] == ["head", "linkage", "linkage"]
    assert accuracy(classes, found["auto"].labels[:, 0]) == 1
    assert accuracy(classes, found["head"].labels[:, 0]) < 0.5


def test_of_the_other_runs_both_answers_stand_and_what_is_drawn_for_the_one_that_counts() -> None:
    apart, classes = blobs(0, 12.0)
    shares = np.stack([shares_of(classes), shares_of(np.random.default_rng(0).permutation(classes))], axis=1)
    found = judged(lambda _: apart, shares, 3, "auto")
    assert found.by == ["head", "linkage"]  # of equals the head
    assert list(answers_of_others(found, 0)) == ["run-2", "linkage-of-run-2"]
    assert accuracy(classes, answers_of_others(found, 0)["linkage-of-run-2"].labels) == 1
    assert list(answers_of_others(found, 1)) == ["run-1", "linkage-of-run-1"]
    samples = [np.zeros((3, 2, 1, 4, 4), np.uint8), np.ones((3, 2, 1, 4, 4), np.uint8)]
    drawn = drawn_by_others(found, [1, 0], samples, shares)
    assert [(name, own.max()) for name, own in drawn.items()] == [("linkage-of-run-2", 1), ("run-1", 0)]


def test_of_many_images_some_are_looked_at_and_the_others_are_placed_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_graphs, "JUDGED", 60)
    mixed = np.random.default_rng(1).permutation(150)
    apart, classes = (values[mixed] for values in blobs(0, 12.0))
    seen, linkage = [], run_graphs.linkage_answer

    def spy(features: np.ndarray, settings: LinkageSettings) -> tuple[Answer, Grouping]:
        seen.append(len(features))
        return linkage(features, settings)

    monkeypatch.setattr(run_graphs, "linkage_answer", spy)
    found = judged(lambda _: apart, shares_of(classes)[:, None], 3, "linkage")
    assert seen == [60]
    labels, confidence = found.answers[0]["linkage"]
    assert accuracy(classes, labels) == 1
    assert (labels.dtype, confidence.dtype) == (np.int64, np.float32)
    assert 0.5 < confidence.min() <= confidence.max() <= 1
    assert found.labels.shape == (150, 1)


def test_a_run_alone_makes_no_graph() -> None:
    classes = np.arange(12) % 3
    alone = judged_alone(shares_of(classes)[:, None])
    assert np.isnan(alone.kept).all()
    assert accuracy(classes, alone.labels[:, 0]) == 1


def test_what_is_drawn_for_a_group_is_of_the_cluster_that_most_of_it_is_in() -> None:
    samples = np.arange(3, dtype=np.uint8)[:, None, None, None, None] * np.ones((3, 2, 1, 4, 4), np.uint8)
    preferred = np.array([2, 2, 0, 0, 0, 1, 1, 2])
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])  # of 0 most are in cluster 2, of 1 in 0, of 2 one each in 1 and 2
    assert drawn_for(labels, samples, shares_of(preferred))[:, 0, 0, 0, 0].tolist() == [2, 0, 1]
