"""BCubed of a graph by tiles against a double loop."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.metrics.graph_bcubed import graph_bcubed
from oracles import plain_correlations as plain

THRESHOLDS = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0]


def probabilities(n: int = 37, k: int = 4, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    classes = random.integers(0, 5, n)
    raw = np.exp(scale * random.normal(size=(n, k)) + np.eye(5)[classes][:, :k])
    return raw / raw.sum(axis=1, keepdims=True), classes


@pytest.mark.parametrize("tile", [1, 5, 12, 37, 1000])
def test_the_curve_is_that_of_a_double_loop_whatever_the_tile(tile: int) -> None:
    z, classes = probabilities()
    curve = graph_bcubed(z, classes, THRESHOLDS, tile)
    wanted = [plain.bcubed(z.tolist(), classes.tolist(), threshold) for threshold in THRESHOLDS]
    np.testing.assert_allclose(curve.precision, [precision for precision, _ in wanted], rtol=1e-12)
    np.testing.assert_allclose(curve.recall, [recall for _, recall in wanted], rtol=1e-12)


def test_one_hot_predictions_have_the_bcubed_of_their_clusters_at_every_threshold() -> None:
    from coterie.metrics import bcubed

    labels, classes = np.arange(60) % 7, np.arange(60) % 4
    precision, recall, _ = bcubed(classes, labels)
    curve = graph_bcubed(np.eye(7, dtype=np.float32)[labels], classes, [0.01, 0.5, 1.0], tile=16)
    np.testing.assert_allclose(curve.precision, precision)
    np.testing.assert_allclose(curve.recall, recall)


def test_everything_is_joined_at_threshold_0_and_an_image_with_itself_at_1() -> None:
    z, classes = probabilities()
    curve = graph_bcubed(z, classes, [1.0, 0.0])
    sizes = np.bincount(classes)[classes]
    assert curve.thresholds.tolist() == [0.0, 1.0]
    assert curve.precision.tolist() == pytest.approx([(sizes / 37).mean(), 1.0])
    assert curve.recall.tolist() == pytest.approx([1.0, (1 / sizes).mean()])


def test_recall_falls_as_the_threshold_rises() -> None:
    z, classes = probabilities(200)
    curve = graph_bcubed(z, classes, np.linspace(0, 1, 51), tile=64)
    assert (np.diff(curve.recall) <= 1e-12).all()


@pytest.mark.parametrize(
    ("rows", "classes", "thresholds", "sentence"),
    [
        (np.ones((3, 2)), [0, 1], [0.5], "expected one row for each of the 2 classes"),
        (np.ones(3), [0, 1, 1], [0.5], "expected one row for each of the 3 classes"),
        (np.zeros((2, 2)), [0, 1], [0.5], "zeros only"),
        (np.ones((2, 2)), [0, 1], [1.5], "none above 1"),
        (np.ones((2, 2)), [0, 1], [], "at least one number"),
    ],
)
def test_what_does_not_fit_is_refused(
    rows: np.ndarray, classes: list[int], thresholds: list[float], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        graph_bcubed(rows, classes, thresholds)
