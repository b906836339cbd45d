"""What the page draws and says of a training."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.files.run_folder import RunFolder
from coterie.files.snapshots import Snapshot
from coterie.report import write_page
from coterie.report.training import CLOUDS, POINTS, curves, evenly, training_data
from coterie.report.words import words
from report.run_maker import ANSWERS, blobs, cloud, make_run, records


def made(folder: Path, **parts: Any) -> RunFolder:
    images, labels, *_ = blobs(40, 3)
    return RunFolder.open(make_run(folder, images, labels, **parts))


def drawn(folder: Path, **parts: Any) -> dict[str, Any]:
    data = training_data(made(folder, **parts))
    assert data is not None
    return data


def charts(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {chart["title"]: chart for chart in curves(rows)}


def test_a_run_that_was_not_trained_draws_and_says_nothing_of_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert training_data(run) is None
    assert words(run)["learned"] is None
    html = write_page(run).read_text(encoding="utf-8")
    assert 'id="learned"' not in html
    assert "#learned" not in html.split("<script", 1)[0].split("</style>")[1]


def test_every_figure_gets_a_chart_and_those_that_matter_come_first() -> None:
    found = charts(records(3, lr=[0.1, 0.1, 0.05], changed=[None, 0.5, 0.25], nonempty=[3, 3, 4], effective=[3, 3, 3]))
    assert list(found) == ["Loss", "Clusters in use", "Share of labels that changed", "Learning rate"]
    assert found["Loss"]["lines"] == [{"name": "Loss", "values": [1.0, 0.5, 0.25]}]
    assert [line["name"] for line in found["Clusters in use"]["lines"]] == ["Nonempty", "Effective"]
    assert found["Share of labels that changed"]["lines"][0]["values"] == [None, 0.5, 0.25]
    assert {tuple(chart["epochs"]) for chart in found.values()} == {(1, 2, 3)}


def test_what_is_no_number_is_left_out_and_no_chart_is_empty() -> None:
    rows = records(
        2,
        stage=["a", "b"],
        sizes=[["x"], []],
        shares=[[1], [2]],
        collapse=[True, False],
        bad=[None, None],
        odd=[None, 2],
    )
    rows[0]["huge"] = float("inf")
    assert list(charts(rows)) == ["Loss", "Odd"]


def test_the_sizes_of_the_clusters_are_drawn_by_the_largest_the_median_and_the_smallest() -> None:
    chart = charts(records(3, sizes=[[60, 0, 0, 0], [30, 20, 10, 0], None]))["Images in a cluster"]
    values = {line["name"]: line["values"] for line in chart["lines"]}
    assert values == {"Largest": [60, 30, None], "Median": [0, 15, None], "Smallest": [0, 0, None]}
    assert chart["log"] is False, "an empty cluster has no logarithm"


def test_the_number_of_clusters_is_a_staircase_and_absent_when_it_never_moves() -> None:
    falling = charts(records(4, n_clusters=[400, 400, 40, 10]))["Clusters left"]
    assert (falling["steps"], falling["log"]) == (True, True)
    assert charts(records(4, n_clusters=[40, 40, 20, 10]))["Clusters left"]["log"] is False
    assert "Clusters left" not in charts(records(4, n_clusters=[10] * 4))


def test_a_figure_of_many_magnitudes_gets_a_logarithmic_scale_and_a_share_never_does() -> None:
    found = charts(records(8, changed=[0.9 / 4**i for i in range(8)], lr=[0.1] * 7 + [0.0]))
    assert found["Loss"]["log"] is True
    assert found["Share of labels that changed"]["log"] is False
    assert found["Learning rate"]["log"] is False, "zero has no logarithm"


def test_long_trainings_are_thinned_evenly_with_both_ends() -> None:
    chart = charts(records(40 * POINTS, purity=list(range(40 * POINTS))))["Purity"]
    assert len(chart["epochs"]) == len(chart["lines"][0]["values"]) == POINTS
    assert (chart["epochs"][0], chart["epochs"][-1]) == (1, 40 * POINTS)
    gaps = np.diff(chart["epochs"])
    assert gaps.max() - gaps.min() <= 1
    assert evenly([1, 2, 3], 3) == [1, 2, 3]


def test_phases_are_counted_through_and_their_borders_marked(tmp_path: Path) -> None:
    rows = records(5)
    for row, phase in zip(rows, (1, 1, 2, 2, 3), strict=True):
        row["phase"] = phase
    data = drawn(tmp_path, records=rows)
    assert (data["epochs"], data["breaks"]) == (5, [3, 5])


def test_clouds_keep_their_shape_and_fit_however_they_are_turned(tmp_path: Path) -> None:
    shot = cloud("period 1", 60, 5)
    (found,) = drawn(tmp_path, snapshots=[shot])["clouds"]
    assert (found["title"], found["n_clusters"]) == ("period 1", 5)
    points = np.frombuffer(base64.b64decode(found["positions"]), dtype="<i2").reshape(-1, 3) / 32_767
    labels = np.frombuffer(base64.b64decode(found["labels"]), dtype="<i4")
    assert labels.tolist() == shot.labels.tolist()
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-4)
    centred = shot.positions - shot.positions.mean(axis=0)
    assert np.allclose(points * np.linalg.norm(centred, axis=1).max(), centred, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_clouds_without_a_shape_do_no_harm(tmp_path: Path, value: float) -> None:
    flat = Snapshot("flat", np.full((4, 3), value, np.float32), np.zeros(4, np.int64), 1)
    (found,) = drawn(tmp_path, snapshots=[flat])["clouds"]
    assert not np.frombuffer(base64.b64decode(found["positions"]), dtype="<i2").any()


def test_of_many_moments_the_first_and_the_last_are_shown(tmp_path: Path) -> None:
    shots = drawn(tmp_path, snapshots=[cloud(f"period {i}", 10, 2) for i in range(90)])["clouds"]
    assert len(shots) == CLOUDS
    assert (shots[0]["title"], shots[-1]["title"]) == ("period 0", "period 89")


def test_the_training_is_told_in_words(tmp_path: Path) -> None:
    found = words(made(tmp_path, records=records(4), snapshots=[cloud("a", 30, 2)], info={"answers": ANSWERS}))
    learned = found["learned"]
    assert "went through them 4 times, in 5.0 s." in learned["sentence"]
    assert "What the network had made of 30 of the images" in learned["clouds"]
    assert ("Trained", "4 epochs") in found["facts"]
    answers = learned["answers"]
    assert answers["because"] == "The run gives the answer robust: its edges stay inside."
    assert answers["columns"] == ["ACC", "NMI", "ARI"]
    sf, robust = answers["rows"]
    assert (sf["name"], sf["n_clusters"], sf["ari"], sf["chosen"]) == ("sf", "3", "0.812", False)
    assert sf["scores"] == ["0.750", "0.500", "0.250"]
    assert sf["meaning"] == "the groups that the training itself ended with"
    assert robust["chosen"] is True


def test_the_page_says_what_was_taken_for_images_like_these_and_why(tmp_path: Path) -> None:
    taken = {"trunk": {"name": "small", "because": "small images"}, "augment": {"name": "mice", "because": "photos"}}
    learned = words(made(tmp_path, records=records(2), info={"taken": taken}))["learned"]
    varied = "The images it learned from were varied as the preset mice says: photos."
    assert learned["taken"] == f"Its trunk is small: small images. {varied}"


@pytest.mark.parametrize("odd", [None, "text", {"trunk": "small"}, {"other": {"name": "x"}}, []])
def test_an_odd_entry_of_what_was_taken_is_passed_over(tmp_path: Path, odd: Any) -> None:
    assert words(made(tmp_path, records=records(2), info={"taken": odd}))["learned"]["taken"] == ""


def test_answers_without_scores_or_figures_are_told_alone(tmp_path: Path) -> None:
    bare = {"chosen": "own", "because": "", "answers": [{"name": "own", "n_clusters": 3, "ari": 1.0}]}
    learned = words(made(tmp_path, info={"answers": bare}))["learned"]
    assert (learned["sentence"], learned["clouds"]) == ("", "")
    assert learned["answers"]["because"] == "The run gives the answer own."
    assert (learned["answers"]["columns"], learned["answers"]["rows"][0]["meaning"]) == ([], "")


@pytest.mark.parametrize("odd", ["text", {"answers": 3}, {"answers": ["x"]}, {"answers": []}, []])
def test_an_odd_entry_of_answers_is_passed_over(tmp_path: Path, odd: Any) -> None:
    assert words(made(tmp_path, info={"answers": odd}))["learned"] is None


def test_what_the_training_says_is_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    answers = {"chosen": evil, "because": evil, "answers": [{"name": evil, "n_clusters": evil, "ari": evil}]}
    parts = {"records": [{evil: 1.0}], "snapshots": [cloud(evil, 3, 1)], "info": {"answers": answers}}
    html = write_page(made(tmp_path, **parts)).read_text(encoding="utf-8")
    assert "<img src=x" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") >= 3
