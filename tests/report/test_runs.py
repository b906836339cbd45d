"""Several trainings side by side on the page: figures and agreement."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.files.run_folder import RunFolder
from coterie.report.page import write_page
from coterie.report.runs import runs_words
from report.run_maker import make_run

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
LABELS = np.arange(12) % 3
ROW = {"seed": 1, "kept": 0.875, "wasserstein": 0.25, "entropy": 0.5, "marginal": 0.0, "agreement": 1.0,
       "medoid": 0.125, "drifting": False, "mean_rank": 1.5}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "chosen": "head", "because": "it says so", "answers": [{"name": "head", "n_clusters": 3, "ari": 1.0}],
    "runs": [{"run": 1, **ROW}, {"run": 2, **ROW, "drifting": True}, {"run": 3, **ROW, "drifting": True}],
    "nmi": [[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]], "chosen_run": 1, "alternatives": [3],
}  # fmt: skip


def opened(folder: Path, answers: Any = ANSWERS) -> RunFolder:
    return RunFolder.open(make_run(folder / "run", IMAGES, LABELS, info={"answers": answers}))


def test_the_runs_stand_side_by_side_with_what_is_to_be_said_of_them(tmp_path: Path) -> None:
    found = runs_words(opened(tmp_path))
    assert found is not None
    assert found["columns"] == ["Kept inside", "Distance", "Entropy", "Shares", "Stable", "Alike", "Mean rank"]
    assert found["rows"][0]["figures"] == ["0.875", "0.250", "0.500", "0.000", "1.000", "0.125", "1.500"]
    notes = [row["note"] for row in found["rows"]]
    assert notes == ["chosen", "drifted away", "groups by something else, drifted away"]
    assert [row["chosen"] for row in found["rows"]] == [True, False, False]
    assert found["nmi"][0] == ["1.000", "0.500", "0.250"]


def test_scores_of_the_trainings_stand_with_them_where_classes_were_known(tmp_path: Path) -> None:
    spreads = {"accuracy": {"min": 0.25, "median": 0.5, "max": 1.0, "mean": 0.6, "sd": None}, "ari": {"min": 0.0}}
    run = opened(tmp_path, answers={**ANSWERS, "scores_of_runs": spreads})
    found = runs_words(run)
    assert found is not None
    assert found["scores"] == [
        ["Accuracy (ACC)", "0.250", "0.500", "1.000"], ["Adjusted Rand index (ARI)", "0.000", "–", "–"],
    ]  # fmt: skip
    assert "How well the 3 trainings match the known classes" in write_page(run).read_text(encoding="utf-8")


@pytest.mark.parametrize("answers", [None, {"answers": []}, {**ANSWERS, "runs": ANSWERS["runs"][:1]}, {"runs": "many"}])
def test_a_run_without_several_trainings_says_nothing_of_them(answers: Any, tmp_path: Path) -> None:
    assert runs_words(opened(tmp_path, answers=answers)) is None


def test_the_page_has_the_runs_of_a_method_that_has_several(tmp_path: Path) -> None:
    text = write_page(opened(tmp_path)).read_text(encoding="utf-8")
    assert "The runs side by side" in text
    assert "match the known classes" not in text
    assert "groups by something else" in text
    plain = make_run(tmp_path / "plain", IMAGES, LABELS)
    assert "The runs side by side" not in write_page(plain).read_text(encoding="utf-8")
