"""The classical methods of JULE's Table 2 on its sets that are at hand: a row for each in docs/results/classical.json.

    python benchmarks/classical_rows.py --data ../shared/data
    python benchmarks/classical_rows.py --data ../shared/data --sets usps-11k --methods AC-Link --features centred
    python benchmarks/render_classical.py

Features are the pixels as rows of length 1, with nothing taken off (unit) or without the mean image (centred): the
paper does not say which it had. Classes give the number of clusters and the scores. A row that is there is not made
again.
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
from study_rows import Row, keep, missing, origin, read_rows, rounded

from coterie.classical import CLASSICAL
from coterie.classical.transitions import MOST_EXACT
from coterie.clusterer import Clusterer
from coterie.errors import CoterieWarning
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.literature import published_sets
from coterie.evidence.protocol import score
from coterie.images.features import Pixels, unit_pixels
from coterie.images.store import open_images

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/classical.json"
SETS = ("cmu-pie", "coil-20", "usps-11k", "mnist-test")
# Name in the tables -> ours, with its settings.
METHODS = {
    "K-means": ("kmeans", {}),
    "SC-NJW": ("sc-njw", {}),
    "SC-ST": ("sc-st", {}),
    "SC-LS": ("sc-ls", {}),
    "N-Cuts": ("n-cuts", {}),
    "AC-Link": ("ac-link", {}),
    "AC-Zell": ("ac-zell", {}),
    "AC-Zell, exact": ("ac-zell", {"series": "exact"}),
    "AC-PIC": ("ac-pic", {}),
    "AC-PIC, exact": ("ac-pic", {"series": "exact"}),
    "AC-GDL": ("gdl", {"n_neighbors": 20, "n_components": None, "scale": "global", "stop": "plain", "refine": 0}),
    "NMF-LP": ("nmf-lp", {}),
    "NMF-LP, as published": ("nmf-lp", {"n_factors": None, "locality": 100.0}),
}
RANDOM_SEED = 0


def made(name: str, k: int) -> Clusterer:
    """The clusterer of that name in the tables, for k clusters."""
    kind, settings = METHODS[name]
    return CLASSICAL[kind](n_clusters=k, **settings)  # type: ignore[call-arg]


def unit(data: Dataset) -> np.ndarray:
    """(n, c h w) float32: pixels as rows of length 1."""
    return np.asarray(unit_pixels(open_images(data.images)))


def centred(data: Dataset) -> np.ndarray:
    """(n, c h w) float32: the same without the mean image."""
    return np.asarray(Pixels().fit_transform(open_images(data.images)))


FEATURES = {"unit": unit, "centred": centred}


def has_row(name: str, method: str, kind: str) -> bool:
    """Whether the method called ``method`` takes the features of that ``kind`` of the set called ``name``."""
    if METHODS[method][0] == "nmf-lp":
        return kind == "unit"
    return not method.endswith(", exact") or published_sets()[name].n <= MOST_EXACT


def row(data: Dataset, name: str, kind: str, features: np.ndarray) -> Row:
    """One fit of the method called ``name`` on ``features`` (n, d) of that ``kind``."""
    model = made(name, data.n_clusters)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        labels = model.fit(features).labels_
    took = time.perf_counter() - began
    return {
        "set": data.name, "method": name, "features": kind, "n": len(features), "k": data.n_clusters,
        "name": METHODS[name][0], "settings": METHODS[name][1], "random": "random_state" in model.get_params(),
        "seed": RANDOM_SEED, **rounded(score(data.classes, labels)), "seconds": round(took, 2), **origin(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--features", nargs="+", default=list(FEATURES), choices=list(FEATURES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    for name, kind in itertools.product(asked.sets, asked.features):
        methods = [method for method in asked.methods if has_row(name, method, kind)]
        wanted = [{"set": name, "method": method, "features": kind} for method in methods]
        if not list(missing(wanted, read_rows(asked.out))):
            continue
        data = load(name, asked.data)
        features = FEATURES[kind](data)
        for setting in missing(wanted, read_rows(asked.out)):
            found = row(data, setting["method"], kind, features)
            keep(asked.out, [*read_rows(asked.out), found])
            print(*(found[key] for key in ("set", "features", "method", "acc", "nmi", "seconds")), flush=True)


if __name__ == "__main__":
    main()
