"""The images of an earlier run, found again or missed in a sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.images.of_a_run import check_images_of, open_images_of, source_of
from coterie.images.store import open_images

pytestmark = pytest.mark.usefixtures("coterie")  # for its cache and its folder


def test_the_images_are_those_of_the_run_in_its_order_and_look(photos: Path, run: Path) -> None:
    opened = RunFolder.open(run)
    store = open_images_of(opened)
    assert store.names == opened.names
    assert store.shape == (1, 12, 12)
    np.testing.assert_array_equal(store.images, open_images(photos).images)


def test_a_run_and_its_images_may_move_together(own_run: Path, tmp_path: Path) -> None:
    info = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(info | {"source": "gone", "source_from_run": "../photos"}))
    (tmp_path / "away").mkdir()
    for name in ("photos", "run"):
        shutil.move(tmp_path / name, tmp_path / "away" / name)
    assert source_of(RunFolder.open(tmp_path / "away/run")) == str(tmp_path / "away/photos")
    assert len(open_images_of(RunFolder.open(tmp_path / "away/run"))) == 60


def test_the_source_is_called_as_the_person_wrote_it_while_that_leads_there(own_run: Path) -> None:
    info = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(info | {"source": "./photos/", "source_from_run": "../photos"}))
    assert source_of(RunFolder.open(own_run)) == "photos"


@pytest.mark.parametrize("source", [{"source": "gone"}, {"source": None}, {"source": ""}])
def test_images_that_are_gone_or_unknown_are_told(own_run: Path, source: dict[str, str]) -> None:
    info = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(info | {"source_from_run": "../nowhere"} | source))
    with pytest.raises(RunFolderError, match=r"are not found: their source.* is gone or was never noted; put it back"):
        open_images_of(RunFolder.open(own_run))


def test_other_images_in_its_place_are_told_with_the_first_that_differs(own_run: Path, tmp_path: Path) -> None:
    opened = RunFolder.open(own_run)
    names = opened.names
    with pytest.raises(RunFolderError, match=r"which has 60 images: b stands where it had a/a00\.png; rows and images"):
        check_images_of(opened, ["b", *names[1:]], "photos")
    info = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(info | {"source": str(tmp_path / "photos"), "source_from_run": None}))
    (tmp_path / "photos/c/c19.png").unlink()
    with pytest.raises(RunFolderError, match="which has 60 images and not 59; rows and images"):
        open_images_of(RunFolder.open(own_run))


def test_a_run_that_does_not_say_how_it_read_its_images_is_told(own_run: Path) -> None:
    info = json.loads((own_run / "run.json").read_text())
    info["images"].pop("options")
    (own_run / "run.json").write_text(json.dumps(info | {"source_from_run": "../photos"}))
    with pytest.raises(RunFolderError, match="does not say how its images were read"):
        open_images_of(RunFolder.open(own_run))
