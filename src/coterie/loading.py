"""Any saved model back from its folder, whatever its method."""

import os
from pathlib import Path
from typing import Any

from coterie.classical import CLASSICAL
from coterie.clusterer import Clusterer
from coterie.errors import ModelFileError
from coterie.files.model_file import read_model
from coterie.methods import METHODS


def load(folder: str | os.PathLike[str], features: Any = None) -> Clusterer:
    """The fitted clusterer in ``folder``: a model folder, or a run folder that has one.

    ``features`` is what cannot be saved: the nn.Module it was fitted with, or the .npy with the embeddings of the new
    images. Raises ModelFileError in one sentence for anything that is not a whole model of this release or an older
    one.
    """
    path = Path(folder)
    if (path / "run.json").is_file():
        if not (path / "model").is_dir():
            raise ModelFileError(f"{path} is a run without a model: its folder model/ is gone; make the run again")
        path /= "model"
    model = read_model(path)
    methods: list[type[Clusterer]] = [*CLASSICAL.values(), *METHODS.values()]
    known = {method.kind: method for method in methods}
    if model.kind not in known:
        raise ModelFileError(
            f"{path} holds a model of the unknown kind {model.kind!r}; this release knows {', '.join(known)}: upgrade"
        )
    return known[model.kind].from_model_file(model, features)
