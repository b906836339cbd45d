"""The further experiments of DCCM's paper (dccm.md section 9), each a row per setting in docs/results/dccm/STUDY.json.

    python benchmarks/dccm_studies.py ablation --data ../shared/data [--sets usps] [--seeds 0 1 2]
    python benchmarks/dccm_studies.py thresholds --data ../shared/data
    python benchmarks/dccm_studies.py pairs --data ../shared/data
    python benchmarks/dccm_studies.py epochs --data ../shared/data [--at 0 1 2 5 10]
    python benchmarks/dccm_studies.py probe --data ../shared/data
    python benchmarks/render_dccm.py

ablation    E1: M1 graph terms of clean images alone, M2 and of their variants, M3 and labels, M4 and mutual information
thresholds  E7: the probability from which on an image is sure
pairs       E3: a new network learns from the mutual information alone, with pairs by each sampler from the graph of a
            network trained without it; scored by what a small network reads from its features
epochs      E5, E6, E8: BCubed of the pseudo-graph, histogram of the largest probability and t-SNE of the features, of
            one training at some of its epochs; 0 is before it
probe       E4: non-linear classification on the last maps and on the features, trained on the training part only

A setting that has a row is not run again, so a command can be stopped and given once more; a training that was cut off
goes on from its checkpoint in --work. Classes give the number of clusters and the scores, nothing else.
"""

import argparse
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance
from study_rows import Row, keep, missing, read_rows, rounded, trained_row, training_part

from coterie.cli.training_options import chosen_settings
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.probe import ProbeSettings, probe
from coterie.evidence.protocol import score
from coterie.evidence.recipe import Recipe
from coterie.images.store import ImageStore, open_images
from coterie.images.trained import TrainedNetwork
from coterie.methods.correlation_step import Objective, Parts, Targets
from coterie.methods.correlations import pseudo_labels
from coterie.methods.dccm import DCCM
from coterie.methods.runs import run_of
from coterie.metrics.graph_bcubed import graph_bcubed
from coterie.training.batches import Batch

RESULTS = Path("docs/results/dccm")
CLEAN: Row = {"use_original_terms": True}
ABLATION: dict[str, Row] = {
    "M1": CLEAN | {"use_variant_terms": False, "alpha": 0.0, "beta": 0.0},
    "M2": CLEAN | {"alpha": 0.0, "beta": 0.0},
    "M3": CLEAN | {"beta": 0.0},
    "M4": CLEAN | {"beta": 0.1},
    "code": {},  # coterie's defaults
}
THRESHOLDS = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]  # E7
SAMPLERS = {"V1": "nearest", "V2": "nearest-farthest", "V3": "random", "V4": "top", "compat": "compat"}
# L_MI alone, n pairs that belong together and n that do not (Table 6)
INFORMATION: Row = {"graph": 0.0, "alpha": 0.0, "beta": 1.0, "self_pairs": False, "n_negatives": 1}
STAGES = [0, 1, 2, 5, 10]
OF_GRAPH = np.linspace(0, 1, 41)
BINS = 10
POINTS, PERPLEXITY = 2000, 30


# --- ablation, thresholds: a training for each setting ---------------------------------------------------------------


def ablation(asked: argparse.Namespace) -> None:
    _each(asked, {name: ABLATION[name] for name in asked.settings})


def thresholds(asked: argparse.Namespace) -> None:
    _each(asked, {f"{value:g}": {"label_threshold": value} for value in asked.values})


def _each(asked: argparse.Namespace, settings: dict[str, Row]) -> None:
    own = _own(asked)
    wanted = [
        {"set": name, "setting": setting, "seed": seed, "parameters": changes | own}
        for name in asked.sets
        for seed in asked.seeds
        for setting, changes in settings.items()
    ]

    def row(wanted: Row, data: Dataset) -> Row:
        recipe = Recipe("own", "", "", data.name, "dccm", parameters=wanted["parameters"])
        return trained_row(recipe, data, wanted["seed"], _work(asked, wanted), asked.device)

    _rows(asked, wanted, row)


# --- pairs: features from the mutual information alone ---------------------------------------------------------------


class TaughtGraph(DCCM):
    """DCCM that takes the probabilities ``z`` (n, k) of all images from another network."""

    z: torch.Tensor

    def _targets(self, parts: Parts, chunk: Batch, objective: Objective) -> Targets:
        super()._targets(parts, chunk, objective)  # for the figures
        z = self.z.to(chunk.index.device)[chunk.index]
        return Targets(z, *pseudo_labels(z, self.label_threshold))


def pairs(asked: argparse.Namespace) -> None:
    own = _own(asked)
    wanted = [
        {"set": name, "setting": setting, "seed": seed, "parameters": INFORMATION | {"sampler": sampler} | own}
        for name in asked.sets
        for seed in asked.seeds
        for setting, sampler in SAMPLERS.items()
        if setting in asked.settings
    ]

    def row(wanted: Row, data: Dataset) -> Row:
        about = {"set": data.name, "setting": "teacher", "seed": wanted["seed"], "parameters": own | {"beta": 0.0}}
        teacher = _fitted(asked, about, DCCM, data)
        began = time.perf_counter()
        learner = _model(asked, wanted, TaughtGraph, data)
        learner.z = torch.from_numpy(_probabilities(teacher)).float()
        _fit(learner, data)
        train = training_part(data)
        found = probe(learner.embedding_, data.classes, train, _probe_settings(asked))
        return {"accuracy": round(found.accuracy, 4), "seconds": round(time.perf_counter() - began, 1)}

    _rows(asked, wanted, row)


# --- epochs: one training, looked at on its way ----------------------------------------------------------------------


def epochs(asked: argparse.Namespace) -> None:
    own = {name: value for name, value in _own(asked).items() if name != "epochs"}
    wanted = [
        {"set": name, "seed": seed, "epoch": epoch, "parameters": own}
        for name in asked.sets
        for seed in asked.seeds
        for epoch in sorted(asked.at)
    ]

    def row(wanted: Row, data: Dataset) -> Row:
        about = wanted | {"parameters": wanted["parameters"] | {"epochs": max(wanted["epoch"], 1)}, "epoch": None}
        if wanted["epoch"]:
            model = _fitted(asked, about, DCCM, data)
            embedding, z = model.embedding_, _probabilities(model)
        else:
            embedding, z = _untrained(_model(asked, about, DCCM, data, keeps=False), open_images(data.images))
        curve = graph_bcubed(z.astype(np.float32), data.classes, OF_GRAPH)
        counts = np.bincount(np.minimum((z.max(1) * BINS).astype(int), BINS - 1), minlength=BINS)
        return {
            "scores": rounded(score(data.classes, z.argmax(1))),
            "thresholds": [round(float(t), 4) for t in curve.thresholds],
            "precision": [round(float(p), 4) for p in curve.precision],
            "recall": [round(float(r), 4) for r in curve.recall],
            "top_probability": [round(float(share), 4) for share in counts / len(z)],
            "tsne": _tsne(embedding, data.classes),
        }

    _rows(asked, wanted, row)


def _untrained(model: DCCM, store: ImageStore) -> tuple[np.ndarray, np.ndarray]:
    with run_of(model) as run:
        embedding = model._answer(run, model.parts(run, store).bare, store)
    return embedding, model._z


def _tsne(embedding: np.ndarray, classes: np.ndarray) -> Row:
    """Positions of 2,000 evenly spaced images, one decimal, and their classes."""
    from sklearn.manifold import TSNE

    some = np.arange(0, len(embedding), -(-len(embedding) // POINTS))
    perplexity = min(PERPLEXITY, (len(some) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(embedding[some])
    return {"positions": np.round(places.astype(float), 1).tolist(), "classes": classes[some].tolist()}


# --- probe: what a small network reads from the features -------------------------------------------------------------


def probing(asked: argparse.Namespace) -> None:
    wanted = [{"set": name, "seed": seed, "parameters": _own(asked)} for name in asked.sets for seed in asked.seeds]

    def row(wanted: Row, data: Dataset) -> Row:
        train = training_part(data)
        of_training = Dataset(data.name, data.images[train], data.classes[train], data.n_clusters, data.note)
        model = _fitted(asked, wanted | {"setting": "probe"}, DCCM, of_training)
        store = open_images(data.images)
        settings = _probe_settings(asked)
        found = {}
        for name, features in (("conv", _last_maps(model, store)), ("fc", model.extractor_.transform(store))):
            result = probe(features, data.classes, train, settings)
            found[name] = {"n_features": features.shape[1], "accuracy": round(result.accuracy, 4)}
        return {"n_train": int(train.sum()), "n_test": int((~train).sum()), "features": found}

    _rows(asked, wanted, row)


def _last_maps(model: DCCM, store: ImageStore) -> np.ndarray:
    """(n, c h w): what the last convolution makes of each image, before it is averaged."""
    extractor = model.extractor_
    trunk = extractor.network.layers[:-1]
    return TrainedNetwork(torch.nn.Sequential(trunk, torch.nn.Flatten()), extractor.architecture).transform(store)


def _probe_settings(asked: argparse.Namespace) -> ProbeSettings:
    return ProbeSettings(epochs=asked.probe_epochs)


# --- what the studies share ------------------------------------------------------------------------------------------


def _rows(asked: argparse.Namespace, wanted: list[Row], make: Callable[[Row, Dataset], Row]) -> None:
    rows = read_rows(asked.out)
    for setting in missing(wanted, rows):
        data = load(setting["set"], asked.data)
        rows.append(setting | {"n": len(data.images), "k": data.n_clusters} | make(setting, data) | provenance())
        keep(asked.out, rows)
        shown = {
            name: value for name, value in rows[-1].items() if name in ("answers", "accuracy", "scores", "features")
        }
        print(*(setting[name] for name in ("set", "setting", "epoch", "seed") if name in setting), shown, flush=True)
    if asked.clean:
        shutil.rmtree(asked.work, ignore_errors=True)


def _own(asked: argparse.Namespace) -> Row:
    settings = {"epochs": asked.epochs, "precision": asked.precision}
    return settings | chosen_settings("dccm", DCCM().get_params(deep=False), {}, asked.set)


def _fitted(asked: argparse.Namespace, about: Row, kind: type[DCCM], data: Dataset) -> DCCM:
    """A training, gone on with where one like it has a checkpoint."""
    return _fit(_model(asked, about, kind, data), data)


def _fit(model: DCCM, data: Dataset) -> DCCM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of going on; and these trainings are looked at for other things
        return model.fit(data.images)


def _model(asked: argparse.Namespace, about: Row, kind: type[DCCM], data: Dataset, *, keeps: bool = True) -> DCCM:
    folder = _work(asked, about) if keeps else None
    given = about["parameters"] | {"random_state": about["seed"], "device": asked.device, "run_folder": folder}
    return kind(data.n_clusters, **given)


def _work(asked: argparse.Namespace, about: Row) -> Path:
    """Where checkpoints of a setting go; trainings that differ in their epochs only share it."""
    parameters = {name: value for name, value in about["parameters"].items() if name != "epochs"}
    name = Recipe("own", "", "", about["set"], "dccm", parameters=parameters).digest
    return asked.work / f"{asked.study}-{about['set']}-{about.get('setting', '')}-{name}-{about['seed']}"


def _probabilities(model: DCCM) -> np.ndarray:
    """z (n, k) of the images of the fit, by the head."""
    return model.head_.shares(model.embedding_)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = parser.add_subparsers(dest="study", required=True)
    one = studies.add_parser("ablation")
    one.add_argument("--settings", nargs="+", default=list(ABLATION), choices=list(ABLATION))
    one.set_defaults(run=ablation)
    one = studies.add_parser("thresholds")
    one.add_argument("--values", nargs="+", type=float, default=THRESHOLDS)
    one.set_defaults(run=thresholds)
    one = studies.add_parser("pairs")
    one.add_argument("--settings", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    one.set_defaults(run=pairs)
    one = studies.add_parser("epochs")
    one.add_argument("--at", nargs="+", type=int, default=STAGES)
    one.set_defaults(run=epochs)
    studies.add_parser("probe").set_defaults(run=probing)
    for study, sub in studies.choices.items():
        for option in _shared(study):
            sub.add_argument(option.pop("name"), **option)
    return parser.parse_args(words)


def _shared(study: str) -> Iterator[dict[str, Any]]:
    yield {"name": "--data", "type": Path, "default": Path("data"), "help": "folder of the sets"}
    yield {"name": "--sets", "nargs": "+", "default": ["usps"]}
    yield {"name": "--seeds", "nargs": "+", "type": int, "default": [0]}
    yield {"name": "--epochs", "type": int, "default": DCCM().epochs, "help": "of a training"}
    yield {"name": "--probe-epochs", "type": int, "default": ProbeSettings().epochs}
    yield {"name": "--precision", "default": "bf16"}
    yield {"name": "--set", "action": "append", "metavar": "NAME=VALUE", "help": "a parameter of DCCM"}
    yield {"name": "--device", "default": "auto"}
    yield {"name": "--work", "type": Path, "default": Path("runs/dccm-studies"), "help": "checkpoints"}
    yield {"name": "--clean", "action": "store_true", "help": "remove --work when all rows are there"}
    yield {"name": "--out", "type": Path, "default": RESULTS / f"{study}.json"}


def main(words: list[str] | None = None) -> None:
    asked = arguments(words)
    asked.run(asked)


if __name__ == "__main__":
    main()
