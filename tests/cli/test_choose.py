"""`coterie choose`: run folders of different seeds, and what cannot be compared."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cli.runner import Done
from coterie.evidence.criteria import CRITERIA

Command = Callable[..., Done]


def test_among_runs_of_the_same_images_one_is_named_with_its_reason(coterie: Command, photos: Path) -> None:
    for seed in range(3):
        parts = ("--method", "kmeans", "--map", "pca", "-k", "3", "--seed", str(seed))
        done = coterie("cluster", photos, "--out", f"run-{seed}", *parts)
        assert done.code == 0, done.err
    done = coterie("choose", "run-0", "run-1", "run-2")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["run", "answer", "seeds", "entropy", "silhouette", "inside", "gap", "merge", "gap"]
    assert [line[3:].split()[:3] for line in lines[1:4]] == [[f"run-{i}", "labels", "1.0000"] for i in range(3)]
    assert lines[1].startswith("*  run-0")
    assert lines[4].startswith("run-0: all 3 have the same seeds, 1.0000: it is only the first of them")
    assert coterie("choose", "run-0", "run-1", "run-2", "--by", "gap").code == 0


def test_agreement_under_changes_is_measured_with_the_model_and_the_images_of_each_run(
    coterie: Command, own_run: Path
) -> None:
    own_run.rename("run-0")
    assert coterie("cluster", "photos", "--out", "run-1", "--map", "pca", "-k", "3", "--method", "kmeans").code == 0
    done = coterie("choose", "run-0", "run-1", "--by", "agreement")
    assert done.code == 0, done.err
    header, first, second, why = done.out.splitlines()
    assert header.endswith("  agreement")
    shares = [float(line.split()[-1]) for line in (first, second)]
    assert all(0.3 < share <= 1 for share in shares)
    assert CRITERIA["agreement"] in why or "have the same agreement" in why
    np.save("rows.npy", np.random.default_rng(0).random((60, 4)))
    given = ("--features", "rows.npy", "--out", "given", "--map", "pca", "-k", "3")
    assert coterie("cluster", "photos", *given).code == 0
    done = coterie("choose", "run-0", "given", "--by", "agreement")
    assert (done.code, done.error) == (2, "given has no agreement; choose by another criterion")
    shutil.rmtree("photos")
    done = coterie("choose", "run-0", "run-1", "--by", "agreement")
    assert done.code == 2
    assert done.error.startswith("the images of run-1 are not found: their source photos is gone")


def test_what_cannot_be_compared_is_one_line(coterie: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, code, words in (
        ((run,), 2, "there is one run, and nothing to choose from; give several, with different seeds"),
        (("empty",), 2, "empty is not a run of coterie"),
        ((run, run, "--by", "luck"), 2, "the criterion 'luck' is not known; expected one of seeds, answers, entropy"),
    ):
        done = coterie("choose", *arguments)
        assert done.code == code
        assert words in done.error
