"""All runs of one UDC training against known classes: minimum, median and maximum as in the paper, and the choice.

    python benchmarks/udc_study.py artifact-mnist-test --size 4 --set n_runs=5 --data ../shared/data --out runs.json
    python benchmarks/udc_study.py usps-700 --set n_runs=10 --images 3000

Classes score and do nothing else; ``--images`` takes that many evenly spread images. Figures of the full set (ACC by
Hungarian naming, NMI with the arithmetic mean, ARI) stand beside "legacy": means over batches of 100 of purity, NMI and
ARI, which is how the official code scores, and for comparison with the paper only (udc.md section 9). With them comes
the rank correlation over the runs of each criterion that needs no classes with ARI. In rows that have "linkages",
"pairwise_nmi" and "alternatives" are by the answer of each run that counts (assign), before by the heads.

All of this stands twice in the row, of one training: as the runs ended ("at_the_end", the paper's form), and as they
were at the moments that were chosen without labels ("selected", ``checkpoint="auto"``).
"""

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from provenance import provenance
from study_rows import keep, read_rows

from coterie.cli.training_options import typed
from coterie.evidence.datasets import data_folder, load
from coterie.methods.run_choice import CRITERIA, Figures, correlations, spread
from coterie.methods.run_names import head_of, linkage_of
from coterie.methods.udc import UDC
from coterie.metrics import accuracy, ari, legacy_batch_scores, nmi

NOT_TOLD = ("run_folder", "device", "checkpoint")
LEGACY_ORDER = 0  # seed of the order in which batches of 100 are scored


def scored(classes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    order = np.random.default_rng(LEGACY_ORDER).permutation(len(classes))
    legacy = legacy_batch_scores(classes[order], labels[order])
    return {
        "acc": accuracy(classes, labels), "nmi": nmi(classes, labels, "arithmetic"), "ari": ari(classes, labels),
        **{f"legacy_{name}": value for name, value in legacy.items()},
    }  # fmt: skip


def labels_of_runs(model: UDC) -> list[np.ndarray]:
    """(n,) of each run, in their order."""
    names = ["head" if i + 1 == model.chosen_run_ else head_of(i) for i in range(model.n_runs)]
    return [model.answers_[name].labels for name in names]


def linkages_of_runs(model: UDC) -> list[np.ndarray]:
    """(n,) of each run, in their order."""
    names = ["linkage" if i + 1 == model.chosen_run_ else linkage_of(i) for i in range(model.n_runs)]
    return [model.answers_[name].labels for name in names]


def fitted(model: UDC, images: np.ndarray, checkpoint: str) -> tuple[UDC, list[str]]:
    """A model like ``model`` with its runs at ``checkpoint``, and the warnings of its fit."""
    own = UDC(**{**model.get_params(), "checkpoint": checkpoint})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own.fit(images)
    return own, [str(warning.message) for warning in caught]


def told(model: UDC, classes: np.ndarray) -> dict[str, Any]:
    """The scores of all runs of a fitted ``model``, what was chosen, and how the criteria rank the runs."""
    runs = [scored(classes, labels) for labels in labels_of_runs(model)]
    figures = Figures(
        *(np.array([row[criterion] for row in model.runs_]) for criterion in CRITERIA),
        drifting=np.array([row["drifting"] for row in model.runs_]),
        collapsed=np.array([row["collapsed"] for row in model.runs_]),
    )
    kept = np.array([row["kept"] for row in model.runs_])
    found = correlations(figures, kept, np.array([run["ari"] for run in runs]))
    return {
        "spread": {score: spread([run[score] for run in runs]) for score in runs[0]},
        "chosen_run": model.chosen_run_, "chosen": runs[model.chosen_run_ - 1],
        "linkage": scored(classes, model.answers_["linkage"].labels),
        "linkages": [scored(classes, labels) for labels in linkages_of_runs(model)],
        "runs": [row | run for row, run in zip(model.runs_, runs, strict=True)],
        "alternatives": model.alternatives_, "pairwise_nmi": np.round(model.nmi_, 4).tolist(),
        "correlation_with_ari": {key: None if np.isnan(value) else round(value, 3) for key, value in found.items()},
    }  # fmt: skip


def study(name: str, model: UDC, images: np.ndarray, classes: np.ndarray) -> dict[str, Any]:
    """The row; ``model`` has a run folder, so that the second fit finds the training of the first."""
    ended, said = fitted(model, images, "last")
    selected, said_again = fitted(model, images, "auto")
    parameters = {key: value for key, value in model.get_params().items() if key not in NOT_TOLD}
    last = ended.training_[-1]
    return {
        "set": name, "n": len(images), "shape": list(images.shape[1:]), "seconds": round(last["seconds"], 1),
        "parameters": parameters, "at_the_end": told(ended, classes), "selected": told(selected, classes),
        "moments": selected.moments_, "last": last, "warnings": said,
        "warnings_of_selected": said_again, **provenance(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a set of coterie.evidence.datasets or made_sets")
    parser.add_argument("--size", type=int, help="pixels to stretch the images to")
    parser.add_argument("--images", type=int, help="take so many")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run-folder", type=Path)
    parser.add_argument("--out", type=Path, help="a JSON file, to which the row is added")
    arguments = parser.parse_args()
    data = load(arguments.name, data_folder(arguments.data), arguments.size and (arguments.size, arguments.size))
    rows = np.arange(0, len(data.images), max(1, len(data.images) // (arguments.images or len(data.images))))
    own = UDC().get_params()
    given = {name: typed(name, value, own[name]) for name, _, value in (text.partition("=") for text in arguments.set)}
    with tempfile.TemporaryDirectory() as nowhere:
        folder = arguments.run_folder or Path(nowhere)
        model = UDC(**{"n_clusters": data.n_clusters, **given}, run_folder=folder)
        row = study(arguments.name, model, data.images[rows], data.classes[rows])
    text = json.dumps(row, default=str)
    print(text)
    if arguments.out:
        keep(arguments.out, [*read_rows(arguments.out), json.loads(text)])


if __name__ == "__main__":
    main()
