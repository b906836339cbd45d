"""Several trainings side by side on the page: figures, agreement, and generated images of each cluster."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.report.page import write_page
from coterie.report.runs import drawn, runs_words
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


def opened(folder: Path, samples: np.ndarray | None = None, answers: Any = ANSWERS) -> RunFolder:
    made = make_run(folder / "run", IMAGES, LABELS, info={"answers": answers})
    if samples is not None:
        np.savez(made / "samples.npz", samples=samples)
    return RunFolder.open(made)


def generated(channels: int = 1, k: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (k, 4, channels, 8, 8), dtype=np.uint8)


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


@pytest.mark.parametrize("channels", [1, 3])
def test_generated_images_of_a_cluster_stand_in_a_row(channels: int, tmp_path: Path) -> None:
    samples = generated(channels)
    strips = drawn(opened(tmp_path, samples))
    assert [strip["label"] for strip in strips] == [0, 1, 2]
    assert (strips[0]["width"], strips[0]["height"]) == (4 * 32, 32)
    picture = np.asarray(Image.open(BytesIO(b64decode(strips[1]["image"]))).convert("RGB"))
    assert picture.shape == (8, 32, 3)
    expected = np.broadcast_to(samples[1, 2].transpose(1, 2, 0), (8, 8, 3))
    assert np.array_equal(picture[:, 16:24], expected)


def test_a_run_that_generates_nothing_shows_nothing(tmp_path: Path) -> None:
    assert drawn(opened(tmp_path)) == []


def test_generated_images_that_do_not_fit_the_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"samples\.npz does not hold images of the 3 clusters"):
        _ = opened(tmp_path, generated(k=2)).samples


def test_the_page_has_both(tmp_path: Path) -> None:
    run = opened(tmp_path, generated())
    text = write_page(run).read_text(encoding="utf-8")
    assert "The runs side by side" in text
    assert "match the known classes" not in text
    assert "groups by something else" in text
    assert text.count('src="data:image/png;base64,') == 3
    plain = make_run(tmp_path / "plain", IMAGES, LABELS)
    assert "The runs side by side" not in write_page(plain).read_text(encoding="utf-8")
