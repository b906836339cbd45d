"""`coterie cluster` and `predict` on an earlier run: its images by its embedding, whatever the method."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.runner import Done, info, kinds_by_group, rows
from coterie.classical import CLASSICAL

Command = Callable[..., Done]
QUICK = ("-k", "3", "--map", "pca")


@pytest.fixture
def moved(coterie: Command, own_run: Path) -> Path:
    """``run`` of ``photos``, both in the current folder, and named as a person there would."""
    (own_run / "run.json").write_text(json.dumps(info(own_run) | {"source": "photos", "source_from_run": "../photos"}))
    return Path("run")


@pytest.mark.parametrize("method", CLASSICAL)
def test_every_classical_method_groups_the_embedding_of_a_run(coterie: Command, photos: Path, method: str) -> None:
    values = np.repeat(np.eye(3), 20, axis=0) + np.random.default_rng(0).random((60, 3)) * 0.02  # nmf-lp: none below 0
    np.save("rows.npy", values)
    assert coterie("cluster", photos, "--features", "rows.npy", "--out", "first", *QUICK).code == 0
    # as many landmarks and neighbours as 60 images allow
    fewer = {"sc-ls": ("--set", "n_landmarks=12"), "nmf-lp": ("--set", "n_factors=3")}.get(method, ())
    done = coterie("cluster", "first/embedding.npy", "--method", method, *QUICK, *fewer)
    assert done.code == 0, done.err
    assert f"found 3 groups by {method} on embeddings" in done.out
    again = Path(f"first-{method}")
    assert sorted(map(len, kinds_by_group(again / "assignments.csv").values())) == [1, 1, 1]
    np.testing.assert_allclose(np.load(again / "embedding.npy"), np.load("first/embedding.npy"), atol=1e-6)


def test_a_run_and_its_embedding_are_the_same_source(coterie: Command, moved: Path) -> None:
    for number, path in enumerate((moved, moved / "embedding.npy")):
        done = coterie("cluster", path, "--method", "kmeans", "--out", f"out-{number}", "--classes", "folders", *QUICK)
        assert done.code == 0, done.err
        assert done.out.startswith("read 60 images as 12 x 12 grey")
        about = info(Path(f"out-{number}"))
        assert (about["source"], about["source_from_run"]) == ("photos", "../photos")
        assert about["config"]["features"] == "run/embedding.npy"
        assert about["images"]["options"] == info(moved)["images"]["options"]
        assert about["scores"]["accuracy"] == 1
    assert rows(Path("out-0/assignments.csv")) == rows(Path("out-1/assignments.csv"))
    assert "a00.png" in Path("out-0/page.html").read_text(encoding="utf-8")


def test_the_new_run_is_called_after_the_old_one_and_never_lies_in_it(
    coterie: Command, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = coterie("cluster", moved, "--method", "kmeans", "--out", moved / "more", *QUICK)
    assert done.code == 1
    assert done.error.startswith("run/more lies inside run, ")
    monkeypatch.chdir(moved)
    assert coterie("cluster", "embedding.npy", "--method", "kmeans", *QUICK).code == 0
    assert info(Path("../run-kmeans"))["source_from_run"] == "../photos"


def test_a_run_given_as_features_is_its_rows_if_the_images_are_the_same(coterie: Command, moved: Path) -> None:
    done = coterie("cluster", "photos", "--features", moved, "--method", "kmeans", *QUICK)
    assert done.code == 0, done.err
    assert info(Path("photos-groups"))["config"]["features"] == "run/embedding.npy"
    done = coterie("cluster", "photos/a", "--features", moved, "--out", "other", *QUICK)
    assert done.code == 2
    assert done.error == (
        "the images under photos/a are not those of run, which has 60 images and not 20: "
        "a00.png stands where it had a/a00.png; rows and images must belong together"
    )
    assert not Path("other").exists()


def test_new_images_are_placed_by_the_rows_of_a_run_of_theirs(coterie: Command, moved: Path) -> None:
    assert coterie("cluster", moved, "--method", "kmeans", *QUICK).code == 0
    assert "pass the embeddings of the new images too" in coterie("predict", "run-kmeans", "photos").error
    assert coterie("predict", "run-kmeans", "photos", "--features", moved).code == 0
    placed, known = (rows(Path(name))[1:] for name in ("assignments.csv", "run-kmeans/assignments.csv"))
    assert [line[1] for line in placed] == [line[1] for line in known]
    done = coterie("predict", "run-kmeans", "photos/a", "--features", moved, "--out", "new.csv")
    assert (done.code, done.error.startswith("the images under photos/a are not those of run")) == (2, True)


def test_what_a_run_leaves_no_room_for_is_refused(coterie: Command, moved: Path) -> None:
    for options, sentence in (
        (("--method", "jule"), "--method jule learns from images, and run is an embedding: give it photos"),
        (("--features", "hog"), "run is grouped by its embedding: leave --features out, or give photos instead of it"),
        (("--size", "20"), "the images of run are read as that run read them: leave --size out"),
        (("--colour",), "the images of run are read as that run read them: leave --grey/--colour out"),
    ):
        done = coterie("cluster", moved, *QUICK, *options)
        assert (done.code, done.error) == (2, sentence)


def test_a_run_whose_images_are_gone_or_changed_is_told(coterie: Command, moved: Path) -> None:
    Path("photos/b/b07.png").unlink()
    done = coterie("cluster", moved, *QUICK)
    assert done.code == 2
    assert done.error.startswith("the images under photos are not those of run, which has 60 images and not 59: ")
    shutil.rmtree("photos")
    done = coterie("cluster", moved / "embedding.npy", *QUICK)
    assert done.code == 2
    assert done.error == (
        "the images of run are not found: their source photos is gone or was never noted; "
        "put it back, or give the images themselves"
    )


def test_a_run_that_is_not_whole_is_told(coterie: Command, moved: Path) -> None:
    (moved / "run.json").write_text(json.dumps(info(moved) | {"status": "running"}))
    for arguments in ((moved,), ("photos", "--features", moved)):
        done = coterie("cluster", *arguments, *QUICK)
        assert (done.code, done.error.startswith("run is not a finished run")) == (2, True)


def test_rows_without_a_run_are_told_how_they_are_given(coterie: Command, moved: Path) -> None:
    shutil.copy(moved / "embedding.npy", "embedding.npy")
    done = coterie("cluster", "embedding.npy", *QUICK)
    assert done.code == 2
    assert done.error.startswith("an array of shape (60, 144) is not images: ")
    assert done.error.endswith("; rows of features go beside their images: coterie cluster IMAGES --features FILE")
