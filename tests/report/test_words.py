"""What the page says about a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.files.run_folder import RunFolder
from coterie.report.words import duration, moment, words
from report.run_maker import blobs, make_run


def told(folder: Path, labels: np.ndarray | None = None, **parts: Any) -> dict[str, Any]:
    images, made, *_ = blobs(60, 3)
    chosen = made if labels is None else labels
    return words(RunFolder.open(make_run(folder, images[: len(chosen)], chosen, **parts)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6.25, "6.2 s"), (42.4, "42 s"), (60, "1 min"), (200, "3 min 20 s"), (179.8, "3 min"), (7500, "2 h 5 min")],
)
def test_durations_are_told_in_the_unit_a_person_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_moments_are_told_with_their_zone_and_garbage_is_kept() -> None:
    assert moment("2025-11-22T14:03:09+00:00") == "22 Nov 2025, 14:03 UTC"
    assert moment("2025-11-22T14:03:09Z") == "22 Nov 2025, 14:03 UTC"
    assert moment("yesterday") == "yesterday"


def test_the_headline_counts_images_and_groups_that_hold_some(tmp_path: Path) -> None:
    assert told(tmp_path)["headline"] == "60 images in 3 groups"


def test_fewer_groups_than_asked_for_are_named(tmp_path: Path) -> None:
    verdict = told(tmp_path, info={"config": {"n_clusters": 5}})["verdict"]
    assert "5 groups were asked for; 3 hold images" in verdict


def test_warnings_are_counted_in_the_verdict_and_shown_with_their_kind(tmp_path: Path) -> None:
    found = told(tmp_path, info={"warnings": [{"kind": "DuplicateImagesWarning", "message": "12 images are copies."}]})
    assert "Read the warning below" in found["verdict"]
    assert found["warnings"] == [{"title": "Duplicate images.", "message": "12 images are copies."}]


def test_a_group_that_swallowed_most_images_is_named(tmp_path: Path) -> None:
    labels = np.array([0] * 50 + [1] * 5 + [2] * 5)
    assert "One of them holds 83% of all images" in told(tmp_path, labels)["verdict"]


def test_one_group_is_told_as_one_group(tmp_path: Path) -> None:
    found = told(tmp_path, np.zeros(30, dtype=int))
    assert found["headline"] == "30 images in 1 group"
    assert "There is one group of 30 images." in found["verdict"]


def test_the_rule_for_k_comes_with_its_runners_up(tmp_path: Path) -> None:
    choice = {"n_clusters": 3, "rule": "largest gap", "runners_up": [{"n_clusters": 7, "score": 0.81234}]}
    found = told(tmp_path, info={"choice": choice, "config": {"n_clusters": "auto"}})
    assert found["choice"]["rule"] == "largest gap."
    assert found["choice"]["rows"][1] == {"n_clusters": "7", "score": "0.8123", "chosen": False}
    assert ("Groups", "3, found automatically") in found["facts"]


def test_without_a_choice_there_is_no_section_about_it(tmp_path: Path) -> None:
    assert told(tmp_path)["choice"] is None


LINKAGE = {
    "n_neighbors": 10, "recall": 1.0, "stop": "sized", "min_cluster_size": 17.97, "fragments": 12,
    "fragment_images": 1062, "inside": 0.9312, "zero_merges": 0,
}  # fmt: skip


def test_the_merging_is_told_in_plain_words(tmp_path: Path) -> None:
    found = told(tmp_path, info={"linkage": LINKAGE})
    assert found["fragments"] == (
        "12 small fragments, 1,062 images in all, were joined to the group their edges point to. "
        "An opened group marks them."
    )
    (block,) = [block for block in found["blocks"] if block["title"] == "Merging"]
    assert block["rows"] == [
        ("Neighbours each image is linked to", "10"),
        ("Share of the true neighbours that were found", "100.0%"),
        ("When merging stopped", "only groups of a certain size count, fragments join them"),
        ("Images a group needed to count", "18"),
        ("Fragments joined to a group", "12"),
        ("Images in those fragments", "1,062"),
        ("Share of a group's links that stay inside it, on average", "93.1%"),
        ("Mergers of groups without any link", "0"),
    ]


@pytest.mark.parametrize(
    ("linkage", "sentence"),
    [
        (None, ""),
        ({"stop": "plain", "n_neighbors": 20}, ""),
        (LINKAGE | {"fragments": 0, "fragment_images": 0}, ""),
        (LINKAGE | {"fragments": 1, "fragment_images": 1}, "One small fragment, 1 image, was joined"),
    ],
)
def test_without_fragments_nothing_is_said_about_them(
    tmp_path: Path, linkage: dict[str, Any] | None, sentence: str
) -> None:
    found = told(tmp_path, info={"linkage": linkage})["fragments"]
    assert found.startswith(sentence)
    assert bool(found) == bool(sentence)


def test_scores_come_with_their_meaning_and_unknown_ones_keep_their_name(tmp_path: Path) -> None:
    scores = told(tmp_path, info={"scores": {"accuracy": 0.97334, "nmi": {"geometric": 0.5}, "my score": 3}})["scores"]
    assert [(row["name"], row["value"]) for row in scores] == [
        ("Accuracy (ACC)", "0.973"),
        ("NMI (geometric mean)", "0.500"),
        ("my score", "3"),
    ]
    assert "paired off" in scores[0]["meaning"]


def test_reasons_for_leaving_files_out_are_counted(tmp_path: Path) -> None:
    found = told(tmp_path, skipped=[("a", "truncated"), ("b", "empty"), ("c", "truncated")])
    assert found["skipped_reasons"] == [("2", "truncated"), ("1", "empty")]
    assert found["skipped_sentence"] == "3 files could not be used as images."
