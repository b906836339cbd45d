"""What the page is given to show more and fewer groups."""

import base64
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.graphs.levels import Levels
from coterie.report.level_data import level_data, most_shown
from report.run_maker import blobs, linkage_of, make_run


def opened(folder: Path, linkage: dict[str, np.ndarray] | None, info: dict[str, object] | None = None) -> RunFolder:
    images, labels, *_ = blobs(60, 4)
    parts = {} if linkage is None else {"linkage": linkage}
    return RunFolder.open(make_run(folder, images, labels, info=info or {}, **parts))


def test_the_levels_lead_from_the_answer_to_two_groups_and_to_all_halves(tmp_path: Path) -> None:
    labels = blobs(60, 4)[1]
    run = opened(tmp_path, linkage_of(labels))
    data = level_data(run)
    assert data is not None
    assert (data["fewest"], data["n_clusters"], data["most"]) == (2, 4, 8)
    finest = np.frombuffer(base64.b64decode(data["finest"]), "<i4")
    mergers = np.frombuffer(base64.b64decode(data["mergers"]), "<i4").reshape(-1, 2)
    found = Levels(finest, mergers, 4)
    assert np.array_equal(found.at(4), labels)
    assert np.array_equal(found.at(3), np.where(labels == 1, 0, labels))
    assert np.array_equal(found.at(2), np.where(labels == 3, 3, 0))


def test_runners_up_outside_of_the_slider_get_no_mark(tmp_path: Path) -> None:
    rows = [{"n_clusters": k, "score": 1.0} for k in (1, 2, 4, 6, 500)]
    run = opened(tmp_path, linkage_of(blobs(60, 4)[1]), {"choice": {"n_clusters": 4, "rule": "", "runners_up": rows}})
    data = level_data(run)
    assert data is not None
    assert data["runners_up"] == [2, 6]


def test_the_size_that_counted_is_the_one_in_run_json(tmp_path: Path) -> None:
    linkage = linkage_of(blobs(60, 4)[1])
    data = level_data(opened(tmp_path, linkage, {"linkage": {"stop": "sized", "min_cluster_size": 7.5}}))
    assert data is not None
    assert (data["n_clusters"], data["most"]) == (4, 8)


def test_a_run_without_a_linkage_or_with_nothing_to_merge_has_no_slider(tmp_path: Path) -> None:
    assert level_data(opened(tmp_path / "a", None)) is None
    nothing = {"merges": np.empty((0, 2), int), "affinity": np.empty(0), "size": np.empty(0, int)}
    assert level_data(opened(tmp_path / "b", {"initial": blobs(60, 4)[1], **nothing})) is None


@pytest.mark.parametrize("change", ["initial", "child", "twice", "affinity"])
def test_arrays_that_are_no_merge_history_are_refused(tmp_path: Path, change: str) -> None:
    linkage = linkage_of(blobs(60, 4)[1])
    if change == "initial":
        linkage["initial"] = linkage["initial"][:-1]
    if change == "child":
        linkage["merges"][0, 1] = 9  # the result of a later merger
    if change == "twice":
        linkage["merges"][1] = linkage["merges"][0]
    if change == "affinity":
        linkage["affinity"] = linkage["affinity"][:-1]
    with pytest.raises(RunFolderError, match=r"linkage\.npz is no merge history of 60 images"):
        level_data(opened(tmp_path, linkage))


@pytest.mark.parametrize(("k", "most"), [(2, 22), (10, 40), (15, 60), (100, 120)])
def test_the_slider_goes_well_beyond_the_answer(k: int, most: int) -> None:
    assert most_shown(k) == most
