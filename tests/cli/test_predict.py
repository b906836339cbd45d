"""`coterie predict`: new images by the model of a run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.runner import Done, kinds_by_group, make_photos, rows, snapshot, spoil

Command = Callable[..., Done]


@pytest.fixture(params=["gdl", "kmeans"])
def any_run(request: pytest.FixtureRequest, coterie: Command, run: Path, photos: Path) -> Path:
    if request.param == "gdl":
        return run
    assert coterie("cluster", photos, "--method", "kmeans", "-k", "3", "--map", "pca", "--out", "km").code == 0
    return Path("km")


def test_the_images_of_the_run_keep_their_groups(coterie: Command, any_run: Path, photos: Path) -> None:
    done = coterie("predict", any_run, photos, "--out", "new.csv")
    assert done == (0, "placed 60 images; written to new.csv\n", "")
    header, *lines = rows(Path("new.csv"))
    assert header == ["path", "label", "confidence"]
    assert [line[:2] for line in lines] == [line[:2] for line in rows(any_run / "assignments.csv")[1:]]
    assert all(0 <= float(line[2]) <= 1 for line in lines)
    assert not Path("new-skipped.csv").exists()


def test_new_images_join_the_group_of_their_kind(coterie: Command, any_run: Path) -> None:
    make_photos(Path("more"), each=5, seed=1)
    assert coterie("predict", any_run, "more", "--out", "new.csv").code == 0
    before = kinds_by_group(any_run / "assignments.csv")
    assert kinds_by_group(Path("new.csv")) == before


def test_a_model_folder_by_itself_will_do(coterie: Command, run: Path, photos: Path) -> None:
    shutil.copytree(run / "model", "model")
    assert coterie("predict", "model", photos / "a").code == 0
    assert len(rows(Path("assignments.csv"))) == 21


def test_images_of_another_size_are_brought_to_that_of_the_run(coterie: Command, run: Path) -> None:
    from PIL import Image

    Path("large").mkdir()
    pixels = np.zeros((48, 60, 3), np.uint8)
    pixels[16:32] = 200
    Image.fromarray(pixels).save("large/b.png")
    done = coterie("predict", run, "large")
    assert done.code == 0
    assert kinds_by_group(Path("assignments.csv")).keys() == {
        label for label, kinds in kinds_by_group(run / "assignments.csv").items() if kinds == {"b"}
    }


def test_files_that_cannot_be_read_are_listed_beside_the_table(coterie: Command, own_run: Path) -> None:
    names = spoil(Path("photos"))
    done = coterie("predict", "run", "photos", "--out", "out/new.csv")
    assert done.code == 0
    assert done.out == "placed 60 images, skipped 3, see out/new-skipped.csv; written to out/new.csv\n"
    assert done.err == "note: skipped 3 of 63 images (1 empty, 1 not an image, 1 truncated)\n"
    skipped = rows(Path("out/new-skipped.csv"))
    assert skipped[0] == ["path", "reason"]
    assert [line[0] for line in skipped[1:]] == names
    assert coterie("predict", "run", "photos", "--out", "strict.csv", "--strict").code == 3


def test_nothing_that_exists_is_replaced_without_force(coterie: Command, own_run: Path) -> None:
    spoil(Path("photos"))
    for taken in ("new.csv", "new-skipped.csv"):
        Path(taken).write_text("mine")
        done = coterie("predict", "run", "photos", "--out", "new.csv")
        assert (done.code, done.error) == (1, f"{taken} exists; give another --out, or --force to replace it")
        assert Path(taken).read_text() == "mine"
        Path(taken).unlink()
    assert coterie("predict", "run", "photos", "--out", "new.csv").code == 0
    assert coterie("predict", "run", "photos/a", "--out", "new.csv", "--force").code == 0
    assert len(rows(Path("new.csv"))) == 21
    assert rows(Path("new-skipped.csv")) == [["path", "reason"]], "the list of an earlier table"


def test_a_place_that_cannot_be_written_is_refused_before_the_images_are_read(coterie: Command, own_run: Path) -> None:
    Path("file").write_text("x")
    for out, sentence in (
        ("photos", "photos is a folder; give --out the name of a CSV file"),
        ("file/new.csv", "cannot write to file: it, or a part of its path, is a file; choose another folder."),
    ):
        done = coterie("predict", "run", "nowhere", "--out", out)
        assert (done.code, done.error) == (1, sentence)


def test_a_run_of_given_features_needs_those_of_the_new_images(coterie: Command, photos: Path, run: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(np.eye(3), 20, axis=0) + rng.normal(0, 0.01, (60, 3))
    np.save("rows.npy", values)
    np.save("new.npy", values[:20])
    assert coterie("cluster", photos, "--features", "rows.npy", "--out", "given", "-k", "3", "--map", "pca").code == 0
    done = coterie("predict", "given", photos / "a")
    assert done.code == 2
    assert done.error == (
        "this model was fitted on given embeddings and cannot compute them; pass the embeddings of the new images too, "
        "as another .npy file: --features new.npy, or in Python coterie.load(folder, features='new.npy')"
    )
    assert coterie("predict", "given", photos / "a", "--features", "new.npy").code == 0
    assert [line[1] for line in rows(Path("assignments.csv"))] == [
        line[1] for line in rows(Path("given/assignments.csv"))[:21]
    ]
    done = coterie("predict", run, photos, "--features", "new.npy", "--out", "x.csv")
    assert done.code == 2
    assert done.error == "this model was fitted on the features 'pixels' and cannot use 'new.npy'; leave features out"


@pytest.mark.parametrize(
    ("spoiling", "sentence"),
    [
        (shutil.rmtree, "run is not a folder; expected a run folder written by coterie cluster."),
        (lambda run: (run / "run.json").unlink(), "run is not a run of coterie: it has no run.json."),
        (lambda run: shutil.rmtree(run / "model"), "run has lost its model; make the run again"),
        (lambda run: (run / "model/model.safetensors").write_bytes(b"x"), "run/model"),
    ],
)
def test_what_is_no_whole_run_is_refused(
    coterie: Command, own_run: Path, spoiling: Callable[[Path], object], sentence: str
) -> None:
    spoiling(own_run)
    done = coterie("predict", "run", "photos")
    assert done.code in (1, 2)
    assert done.error.startswith(sentence)
    assert not Path("assignments.csv").exists()


def test_a_prediction_changes_nothing_in_the_run(coterie: Command, own_run: Path) -> None:
    before = snapshot(own_run)
    assert coterie("predict", "run", "photos").code == 0
    assert snapshot(own_run) == before
