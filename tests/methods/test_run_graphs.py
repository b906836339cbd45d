"""Which run groups what it sees best: by its own neighbour graph, head or linkage."""

import numpy as np
import pytest

from coterie.methods.run_graphs import JUDGED, judged_rows, kept_by_runs


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
    kept = kept_by_runs([apart, cloud].__getitem__, shares, 3, assign)
    assert kept[0] == pytest.approx(1)
    assert kept[1] < 0.9


def test_a_line_keeps_nearly_all_whatever_it_is_cut_into() -> None:
    """Why what is kept is no proof of groups (docs/methods/udc.md, section 2): in one dimension any cut is cheap."""
    line = np.linspace(0, 1, 600, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    shares = shares_of(np.arange(600) // 200)[:, None]
    assert kept_by_runs(lambda _: line, shares, 3, "auto")[0] > 0.99


def test_groups_that_a_head_cuts_through_count_where_the_linkage_may_answer() -> None:
    apart, classes = blobs(0, 12.0)
    shares = shares_of(np.random.default_rng(0).permutation(classes))[:, None]
    kept = {assign: kept_by_runs(lambda _: apart, shares, 3, assign)[0] for assign in ("head", "linkage", "auto")}
    assert kept["auto"] == kept["linkage"] == pytest.approx(1)
    assert kept["head"] < 0.5


def test_runs_are_compared_on_ten_thousand_images_at_most() -> None:
    for n in (1, JUDGED, JUDGED + 1, 70_000):
        rows = range(n)[judged_rows(n)]
        assert JUDGED / 2 <= len(rows) <= JUDGED or rows == range(n)
