"""The studies of JULE's paper as commands, each a row per setting in docs/results/jule/STUDY.json.

    python benchmarks/jule_studies.py alpha --data ../shared/data
    python benchmarks/jule_studies.py eta --data ../shared/data --sets usps [--set epochs=20 ...]
    python benchmarks/jule_studies.py neighbors --data ../shared/data --sets usps
    coterie reproduce jule-usps --data ../shared/data --out runs/jule-usps
    python benchmarks/jule_studies.py purity --data ../shared/data --runs runs/jule-usps [--sets usps]
    python benchmarks/jule_studies.py clusterers --data ../shared/data --runs runs/jule-usps
    python benchmarks/jule_studies.py clusterers --data ../shared/data --runs runs/jule-usps --clusterers sc-ls ac-pic
    python benchmarks/render_jule.py

alpha       exact merging beside its two approximations (jule.md D5); trains nothing
eta         robustness to the unfolding rate (D1); trains a network for each value
neighbors   robustness to K_s (D1); trains a network for each value
purity      share of neighbours of the same class, on pixels of --sets and on what --runs learned (D2)
clusterers  other clusterers on pixels of --sets and on what --runs learned (D6): the paper's Table 3, and some

A setting that has a row is not run again, so a command can be stopped and given once more; a training that was cut off
goes on from its checkpoint in --work. Classes give the number of clusters and the scores, nothing else.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from provenance import provenance
from study_rows import Learned, Row, keep, learned, missing, read_rows, rounded, trained_row

from coterie.classical import CLASSICAL, GraphDegreeLinkage
from coterie.classical.rival import MOST_PAIRED
from coterie.cli.training_options import chosen_settings
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.protocol import score
from coterie.evidence.recipe import Recipe
from coterie.graphs.affinity import affinity_graph
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.grouping import LinkageSettings, group_features
from coterie.graphs.neighbors import find_neighbors
from coterie.graphs.purity import knn_purity
from coterie.images.features import make_extractor, unit_pixels
from coterie.images.store import open_images

RESULTS = Path("docs/results/jule")
TURNS = 5
ALPHAS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5)  # of the supplement of the paper
RULES: list[Row] = [{"rule": "exact", "alpha": None}, {"rule": "size_ratio", "alpha": None}]
RULES += [{"rule": "constant_ratio", "alpha": alpha} for alpha in ALPHAS]
ALPHA_SETS = ["usps-11k", "mnist-test", "coil-20", "cmu-pie", "orl-32"]
# The linkage as the paper has it, as gacluster has it, and ours: with the number of neighbours by the size of the set.
PAPER = LinkageSettings(n_neighbors=20, scale="global", stop="plain", refine=0)
LINKAGES = {"paper": PAPER, "gacluster": replace(PAPER, scale="local"), "ours": LinkageSettings()}
SWEPT = {"eta": ("eta", [0.1, 0.3, 0.5, 0.7, 0.9]), "neighbors": ("n_neighbors", [5, 10, 20, 50, 80, 100])}
MOST_NEIGHBORS = 50
# The rows of the paper's Table 3. AC-GDL is the linkage of the paper; the others are coterie.classical's.
TABLE_3 = ("kmeans", "sc-njw", "sc-st", "sc-ls", "n-cuts", "ac-link", "ac-zell", "ac-gdl", "ac-pic", "nmf-lp")
NOT_NEGATIVE = {"nmf-lp", "nmf"}
IN_SQUARE = {"ward", "average", "sc-njw", "sc-st", "ac-link"}  # their memory grows with n^2
IN_SQUARE_UP_TO = MOST_PAIRED


# --- alpha: exact merging and its approximations ---------------------------------------------------------------------


def alpha(asked: argparse.Namespace) -> None:
    """Rules in turn, so that a busy machine is busy for all of them; each with its best time."""
    import torch

    torch.set_num_threads(1)
    rows = read_rows(asked.out)
    for name in asked.sets:
        data = load(name, asked.data)
        for linkage in asked.linkages:
            wanted = [{"set": name, "linkage": linkage, **rule} for rule in RULES]
            if list(missing(wanted, rows)):
                rows = [row for row in rows if (row["set"], row["linkage"]) != (name, linkage)]
                rows += [setting | found for setting, found in zip(wanted, _rules(data, linkage), strict=True)]
                keep(asked.out, rows)
                print(name, linkage, *(f"{row['nmi']:.3f}" for row in rows[-len(RULES) :]), flush=True)


def _rules(data: Dataset, linkage: str) -> list[Row]:
    """What each rule of RULES comes to on ``data``: scores of its answer, and seconds of its merge stage alone."""
    settings = replace(LINKAGES[linkage], n_clusters=data.n_clusters)
    features = _features(data, linkage)
    groupings = [group_features(features, _by(settings, rule)) for rule in RULES]
    graph, initial = groupings[0].graph, groupings[0].history.initial
    began = time.perf_counter()
    found = find_neighbors(features, groupings[0].neighbors.indices.shape[1])
    affinity_graph(found, scale=settings.scale)
    nearest_neighbor_clusters(found.indices[:, 0])
    graph_seconds = time.perf_counter() - began
    times = np.array([[_timed(graph, initial, _by(settings, rule)) for rule in RULES] for _ in range(TURNS)])
    about = {
        "n": len(data.images), "k": data.n_clusters, "n_neighbors": found.indices.shape[1],
        "n_initial": int(initial.max()) + 1, "graph_seconds": round(graph_seconds, 3), "turns": TURNS, "seeds": [],
        "load": round(os.getloadavg()[0], 1), **provenance(),
    }  # fmt: skip
    return [
        about | rounded(score(data.classes, grouping.labels)) | {
            "n_exhausted": grouping.n_exhausted, "seconds": round(float(wall), 4), "cpu_seconds": round(float(cpu), 4),
        }
        for grouping, (wall, cpu) in zip(groupings, times.min(axis=0), strict=True)
    ]  # fmt: skip


def _features(data: Dataset, linkage: str) -> np.ndarray:
    """Unit rows of pixels minus the mean image, for ours along the principal axes alone.

    The papers speak of unit rows; their figures are those of rows that the mean image was taken off (global scale: USPS
    ACC .867 with it as published, .591 without; MNIST-test .933 and .852).
    """
    store = open_images(data.images)
    if linkage != "ours":
        return make_extractor("pixels", store).fit_transform(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GraphDegreeLinkage(data.n_clusters, features="pixels").fit(store).embedding_


def _by(settings: LinkageSettings, rule: Row) -> LinkageSettings:
    return replace(settings, update=rule["rule"], alpha=rule["alpha"] or 0.0)


def _timed(graph: Any, initial: np.ndarray, settings: LinkageSettings) -> tuple[float, float]:
    """(seconds on the clock, seconds of the processor) of the merge stage."""
    wall, cpu = time.perf_counter(), time.thread_time()
    settings.link(graph, initial)
    return time.perf_counter() - wall, time.thread_time() - cpu


# --- eta, neighbors: a training for each value -----------------------------------------------------------------------


def sweep(asked: argparse.Namespace) -> None:
    parameter, _ = SWEPT[asked.study]
    method = Recipe("own", "", "", "", "jule")
    own = _jule_parameters()
    settings = {"precision": "bf16"} | chosen_settings("jule", own, {}, asked.set)
    if parameter in settings:
        raise SystemExit(f"--set {parameter}: that is what this study varies; give --values")
    rows = read_rows(asked.out)
    for name in asked.sets:
        data = load(name, asked.data)
        wanted = [
            {"set": name, "parameter": parameter, "value": value, "seed": seed, "settings": settings}
            for value in asked.values
            for seed in asked.seeds
        ]
        for setting in missing(wanted, rows):
            recipe = replace(method, data_set=name, parameters=settings | {parameter: setting["value"]})
            work = asked.work / f"{asked.study}-{name}-{recipe.digest}-{setting['seed']}"
            rows.append(setting | trained_row(recipe, data, setting["seed"], work, asked.device))
            keep(asked.out, rows)
            print(name, parameter, setting["value"], "seed", setting["seed"], rows[-1]["answers"], flush=True)


def _jule_parameters() -> dict[str, Any]:
    from coterie.methods.jule import JULE

    return JULE().get_params(deep=False)


# --- purity, clusterers: pixels beside an embedding ------------------------------------------------------------------


def purity(asked: argparse.Namespace) -> None:
    def row(data: Dataset, features: np.ndarray, setting: Row) -> Row:  # noqa: ARG001
        most = min(MOST_NEIGHBORS, len(features) - 1)
        indices = find_neighbors(features, most).indices
        ks = list(range(1, most + 1))
        return {"ks": ks, "purity": [round(float(p), 4) for p in knn_purity(indices, data.classes, ks)]}

    _both(asked, [{}], row)


def clusterers(asked: argparse.Namespace) -> None:
    def row(data: Dataset, features: np.ndarray, setting: Row) -> Row:
        began = time.perf_counter()
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            labels = _fit(setting["clusterer"], features, data.n_clusters)
        seconds = round(time.perf_counter() - began, 2)
        kinds = sorted({warning.category.__name__ for warning in noted})
        return rounded(score(data.classes, labels)) | {"seconds": seconds, "warnings": kinds}

    _both(asked, [{"clusterer": name} for name in asked.clusterers], row)


def _both(asked: argparse.Namespace, settings: list[Row], make: Callable[[Dataset, np.ndarray, Row], Row]) -> None:
    """``make`` for every setting, on the pixels of every set and on every embedding; each row is kept at once."""
    rows = read_rows(asked.out)
    for data, features, about in _representations(asked):
        rows = [row for row in rows if not _of_an_older_recipe(row, about)]
        for setting in missing([about | setting for setting in settings], rows):
            if setting.get("clusterer") in IN_SQUARE and len(features) > IN_SQUARE_UP_TO:
                print(f"{setting['clusterer']} on {data.name}: left out, its memory grows with n^2", flush=True)
                continue
            rows.append(
                setting | {"n": len(features), "k": data.n_clusters} | make(data, features, setting) | provenance()
            )
            keep(asked.out, rows)
            print(*(value for value in rows[-1].values() if isinstance(value, str | float)), flush=True)


def _representations(asked: argparse.Namespace) -> Iterator[tuple[Dataset, np.ndarray, Row]]:
    """(set, features (n, d), what they are): unit rows of pixels first, as JULE's period 0 sees them."""
    found: list[Learned] = [run for folder in asked.runs for run in learned(folder, asked.data)]
    sets = {run.data.name: run.data for run in found}
    sets |= {name: load(name, asked.data) for name in asked.sets if name not in sets}
    for name, data in sets.items():
        yield data, unit_pixels(open_images(data.images)), {"set": name, "features": "pixels", "seed": None}
    for run in found:
        about = {"set": run.data.name, "features": "embedding", "recipe": run.recipe, "digest": run.digest}
        yield run.data, run.embedding, about | {"seed": run.seed}


def _of_an_older_recipe(row: Row, about: Row) -> bool:
    same = all(row.get(key) == about.get(key) for key in ("set", "recipe"))
    return same and row.get("digest") != about.get("digest")


def _fit(name: str, features: np.ndarray, k: int) -> np.ndarray:
    """Labels (n,). Features below zero are moved up for methods that take none: by the smallest of each column, which
    is our choice, since the paper does not say how it gave an embedding to NMF-LP."""
    from sklearn.cluster import AgglomerativeClustering, SpectralClustering

    if name in NOT_NEGATIVE and features.min() < 0:
        features = features - features.min(axis=0)
    if name in CLASSICAL:
        return CLASSICAL[name](k).fit(features).labels_
    if name == "ac-gdl":
        return group_features(features, replace(PAPER, n_clusters=k)).labels
    if name == "spectral":
        model = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=20, random_state=0)
        return model.fit_predict(features)
    return AgglomerativeClustering(k, linkage=name).fit_predict(features)


# --- the command line ------------------------------------------------------------------------------------------------


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = parser.add_subparsers(dest="study", required=True)
    _add_alpha(studies.add_parser("alpha"))
    for study, (_, values) in SWEPT.items():
        _add_sweep(studies.add_parser(study), values)
    for study in ("purity", "clusterers"):
        _add_both(studies.add_parser(study), study)
    for study, sub in studies.choices.items():
        sub.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
        sub.add_argument("--out", type=Path, default=RESULTS / f"{study}.json")
    return parser.parse_args(words)


def _add_alpha(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--sets", nargs="+", default=ALPHA_SETS)
    sub.add_argument("--linkages", nargs="+", default=list(LINKAGES), choices=list(LINKAGES))
    sub.set_defaults(run=alpha)


def _add_sweep(sub: argparse.ArgumentParser, values: list[float]) -> None:
    sub.add_argument("--sets", nargs="+", default=["usps"])
    sub.add_argument("--values", nargs="+", type=type(values[0]), default=values)
    sub.add_argument("--seeds", nargs="+", type=int, default=[0])
    sub.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of JULE; may be repeated")
    sub.add_argument("--device", default="auto")
    sub.add_argument("--work", type=Path, default=Path("runs/jule-studies"), help="checkpoints")
    sub.set_defaults(run=sweep)


def _add_both(sub: argparse.ArgumentParser, study: str) -> None:
    sub.add_argument("--runs", nargs="+", type=Path, default=[], help="folders that coterie reproduce wrote")
    sub.add_argument("--sets", nargs="+", default=[], help="sets whose pixels are looked at without a run")
    sub.set_defaults(run=purity)
    if study == "clusterers":
        names = [*CLASSICAL, "ac-gdl", "spectral", "ward", "average"]
        usual = ["gdl", *TABLE_3, "spectral", "ward"]
        sub.add_argument("--clusterers", nargs="+", default=usual, choices=names)
        sub.set_defaults(run=clusterers)


def main(words: list[str] | None = None) -> None:
    asked = arguments(words)
    asked.run(asked)


if __name__ == "__main__":
    main()
