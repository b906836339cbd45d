"""The classical methods of JULE's Table 2 on its sets that are at hand: a row for each in docs/results/classical.json.

    python benchmarks/classical_rows.py --data ../shared/data
    python benchmarks/classical_rows.py --data ../shared/data --sets usps-11k --methods AC-Link --features centred
    python benchmarks/classical_rows.py --data ../shared/data --sets cmu-pie --methods SC-LS --seeds 0 1 2 3 4
    python benchmarks/classical_rows.py --data ../shared/data --sets mnist --methods K-means SC-LS AC-GDL
    python benchmarks/render_classical.py

Features are the pixels as rows of length 1, with nothing taken off (unit) or without the mean image (centred), or as
they are from 0 to 1 (raw): the paper does not say which it had. Classes give the number of clusters and the scores. A
row that is there is not made again, and each is kept at once, so a command can be stopped and given once more. Methods
that hold all pairs have no row on the 70,000 images of MNIST, and methods without anything random have one, whatever
the seeds.
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
from provenance import provenance
from study_rows import Row, keep, missing, read_rows, rounded

from coterie.classical import CLASSICAL
from coterie.classical.rival import MOST_PAIRED
from coterie.classical.transitions import MOST_EXACT
from coterie.clusterer import Clusterer
from coterie.errors import CoterieWarning
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.literature import published_sets
from coterie.evidence.protocol import score
from coterie.images.features import Pixels, unit_pixels
from coterie.images.store import open_images

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/classical.json"
SETS = ("cmu-pie", "coil-20", "usps-11k", "mnist-test", "mnist")
# Name in the tables -> ours, with its settings.
METHODS = {
    "K-means": ("kmeans", {}),
    "K-means, as uploaded": ("kmeans", {"init": "random"}),
    "SC-NJW": ("sc-njw", {}),
    "SC-ST": ("sc-st", {}),
    "SC-LS": ("sc-ls", {}),
    "SC-LS, 1,000 landmarks": ("sc-ls", {"n_landmarks": 1000}),  # what the authors of SC-LS have by default
    "N-Cuts": ("n-cuts", {}),
    "AC-Link": ("ac-link", {}),
    "AC-Link, squares": ("ac-link", {"distance": "squared"}),
    "AC-Zell": ("ac-zell", {}),
    "AC-Zell, exact": ("ac-zell", {"series": "exact"}),
    "AC-PIC": ("ac-pic", {}),
    "AC-PIC, exact": ("ac-pic", {"series": "exact"}),
    "AC-GDL": ("gdl", {"n_neighbors": 20, "n_components": None, "scale": "global", "stop": "plain", "refine": 0}),
    "NMF-LP": ("nmf-lp", {}),
    "NMF-LP, as published": ("nmf-lp", {"n_factors": None, "locality": 100.0}),
    "SC": ("sc", {}),
    "AC, Ward": ("ac-ward", {}),
    "NMF": ("nmf", {}),
    "NMF, k-means": ("nmf", {"assign": "kmeans"}),
}
IN_PAIRS = ("SC-NJW", "SC-ST", "AC-Link")


def made(name: str, k: int, seed: int = 0) -> Clusterer:
    """The clusterer of that name in the tables, for k clusters; ``seed`` where it has anything random."""
    kind, settings = METHODS[name]
    model = CLASSICAL[kind](n_clusters=k, **settings)  # type: ignore[call-arg]
    return model.set_params(random_state=seed) if is_random(name) else model


def is_random(name: str) -> bool:
    return "random_state" in CLASSICAL[METHODS[name][0]]().get_params()


def unit(data: Dataset) -> np.ndarray:
    """(n, c h w) float32: pixels as rows of length 1."""
    return np.asarray(unit_pixels(open_images(data.images)))


def centred(data: Dataset) -> np.ndarray:
    """(n, c h w) float32: the same without the mean image."""
    return np.asarray(Pixels().fit_transform(open_images(data.images)))


def raw(data: Dataset) -> np.ndarray:
    """(n, c h w) float32: pixels from 0 to 1."""
    store = open_images(data.images)
    return np.concatenate([batch.reshape(len(batch), -1) for batch in store.batches(1024)]).astype(np.float32) / 255


FEATURES = {"unit": unit, "centred": centred, "raw": raw}


def has_row(name: str, method: str, kind: str) -> bool:
    """Whether the method called ``method`` takes the features of that ``kind`` of the set called ``name``."""
    n = published_sets()[name].n
    if METHODS[method][0] in ("nmf-lp", "nmf"):
        return kind != "centred"  # they take nothing below zero
    return not (method.endswith(", exact") and n > MOST_EXACT) and not (method in IN_PAIRS and n > MOST_PAIRED)


def row(data: Dataset, setting: Row, features: np.ndarray) -> Row:
    """One fit of the method and seed of ``setting`` on ``features`` (n, d)."""
    name = setting["method"]
    model = made(name, data.n_clusters, setting["seed"])
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        labels = model.fit(features).labels_
    took = time.perf_counter() - began
    return {
        **setting, "n": len(features), "k": data.n_clusters,
        "name": METHODS[name][0], "settings": METHODS[name][1], "random": is_random(name),
        **rounded(score(data.classes, labels)), "seconds": round(took, 2), **provenance(),
    }  # fmt: skip


def settings(asked: argparse.Namespace, name: str, kind: str) -> list[Row]:
    """The rows asked for on the features of that ``kind`` of the set called ``name``."""
    return [
        {"set": name, "method": method, "features": kind, "seed": seed}
        for method in asked.methods
        if has_row(name, method, kind)
        for seed in (asked.seeds if is_random(method) else [0])
    ]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--features", nargs="+", default=list(FEATURES), choices=list(FEATURES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args(words)
    for name, kind in itertools.product(asked.sets, asked.features):
        wanted = settings(asked, name, kind)
        if not list(missing(wanted, read_rows(asked.out))):
            continue
        data = load(name, asked.data)
        features = FEATURES[kind](data)
        for setting in missing(wanted, read_rows(asked.out)):
            found = row(data, setting, features)
            keep(asked.out, [*read_rows(asked.out), found])
            print(*(found[key] for key in ("set", "features", "method", "seed", "acc", "nmi", "seconds")), flush=True)


if __name__ == "__main__":
    main()
