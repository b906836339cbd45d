"""One run of a recipe, from the images to its record."""

import hashlib
import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from coterie.errors import CoterieWarning
from coterie.evidence.agreement import agreement_under_change
from coterie.evidence.datasets import Dataset
from coterie.evidence.machine import peak_memory, provenance, start_gpu_count
from coterie.evidence.recipe import NOT_PARAMETERS, Recipe, method_named
from coterie.metrics import accuracy, ari, nmi

FORMAT, FORMAT_VERSION = "coterie seed", 1
ONLY = "labels"  # what the answer of a method with a single one is called
EMBEDDING = "embedding"  # beside the answers' names


@dataclass(frozen=True)
class Circumstances:
    """What may differ between runs of one recipe: the device as the method wants it, and whether it shows progress."""

    device: str = "auto"
    progress: bool = False


def is_random(recipe: Recipe) -> bool:
    """Whether the recipe's method has a seed; without one, every run would be the same."""
    return "random_state" in method_named(recipe.method)().get_params()


def run_once(
    recipe: Recipe, data: Dataset, seed: int, folder: Path, circumstances: Circumstances
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record of one run, as JSON holds it, and what is kept beside it: the labels (n,) int64 of each of its answers
    and, from a method that trains, ``embedding`` (n, d) float32.

    ``folder`` is where a method that trains keeps its checkpoints: a run that was cut off goes on from there. Classes
    are looked at after the fit, to score it; before, only their number is used.
    """
    model = _model(recipe, data, seed, folder, circumstances)
    continued = folder.is_dir() and any(folder.iterdir())
    start_gpu_count()
    began = time.perf_counter()
    with noted_warnings() as noted:
        model.fit(data.images)
    took = {"seconds": round(time.perf_counter() - began, 2), "continued": continued, **peak_memory()}
    answers = {name: answer.labels for name, answer in getattr(model, "answers_", {}).items()}
    answers = answers or {ONLY: model.labels_}
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "recipe": {"name": recipe.name, "digest": recipe.digest} | recipe.what_runs(),
        "data": _about(data),
        "seed": seed if is_random(recipe) else None,
        "parameters": {name: _plain(value) for name, value in _parameters(model).items()},
        **_scored(model, data.classes, answers),
        "agreement": _agreement(model, data.images),
        "last_epoch": (getattr(model, "training_", None) or [None])[-1],
        **took,
        "device": circumstances.device,
        **provenance(),
        "warnings": noted,
    }
    return record, answers | _learned(model)


def _agreement(model: Any, images: np.ndarray) -> float | None:
    """Of the answer that was chosen, under changes of the images; None where nothing was learned of such changes."""
    return round(agreement_under_change(model, images), 4) if hasattr(model, "training_") else None


def _learned(model: Any) -> dict[str, np.ndarray]:
    """The embedding of a method that trains; what the others call theirs can be had from the images at any time."""
    if not hasattr(model, "training_") or getattr(model, "embedding_", None) is None:
        return {}
    return {EMBEDDING: np.asarray(model.embedding_, np.float32)}


def _scored(model: Any, classes: np.ndarray, answers: Mapping[str, np.ndarray]) -> dict[str, Any]:
    chosen = getattr(model, "assigned_", ONLY)
    scores = {name: score(classes, labels) for name, labels in answers.items()}
    because = getattr(model, "assigned_because_", "the method has one answer")
    return {"chosen": chosen, "chosen_because": because, "scores": scores[chosen], "answers": scores}


def score(classes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """n_clusters (those that are not empty), and acc, nmi (geometric mean) and ari of ``labels`` (n,)."""
    return {
        "n_clusters": len(np.unique(labels)),
        "acc": accuracy(classes, labels),
        "nmi": nmi(classes, labels),
        "ari": ari(classes, labels),
    }


@contextmanager
def noted_warnings() -> Iterator[list[dict[str, str]]]:
    """Collects every warning that is shown inside as {"kind", "message"}; each is still shown, as it comes."""
    noted: list[dict[str, str]] = []
    with warnings.catch_warnings():
        # a second seed warns from the same line as the first
        warnings.simplefilter("always", CoterieWarning)
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            noted.append({"kind": category.__name__, "message": str(message)})
            usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield noted


def _model(recipe: Recipe, data: Dataset, seed: int, folder: Path, circumstances: Circumstances) -> Any:
    asked = {"n_clusters": data.n_clusters} | recipe.parameters
    # `progress` and the like are parameters of methods that train, and of no other.
    given = {"random_state": seed, "run_folder": folder, **vars(circumstances)}
    model = method_named(recipe.method)()
    own = model.get_params()
    model.set_params(**asked, **{name: value for name, value in given.items() if name in own})
    return model


def _parameters(model: Any) -> dict[str, Any]:
    """Those of the method itself; the others stand elsewhere in the record, but for the path, which is only ours."""
    parameters: dict[str, Any] = model.get_params(deep=False)
    return {name: value for name, value in parameters.items() if name not in NOT_PARAMETERS}


def _about(data: Dataset) -> dict[str, Any]:
    pixels = hashlib.sha256(np.ascontiguousarray(data.images).data).hexdigest()
    shape = list(data.images.shape)
    return {"set": data.name, "shape": shape, "n_classes": data.n_clusters, "note": data.note, "sha256": pixels}


def _plain(value: Any) -> Any:
    """``value`` when JSON holds it, else its text: a record must not fail to be written after hours of training."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value
