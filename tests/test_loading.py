"""`coterie.load`: any model back from its folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from coterie import load
from coterie.errors import ModelFileError


def test_a_run_folder_gives_its_model(run: Path, photos: Path) -> None:
    assert np.bincount(load(run).predict(photos)).tolist() == [20, 20, 20]


def test_a_run_that_has_lost_its_model_is_named(own_run: Path) -> None:
    shutil.rmtree(own_run / "model")
    with pytest.raises(ModelFileError) as caught:
        load(own_run)
    assert str(caught.value) == f"{own_run} is a run without a model: its folder model/ is gone; make the run again"
