"""Clusterers on hand-crafted features, beside pixels: a row for each in docs/results/handcrafted.json.

    python benchmarks/handcrafted_rows.py --data ../shared/data
    python benchmarks/handcrafted_rows.py --data ../shared/data --sets coil-20 --features hog lbp --methods gdl
    python benchmarks/handcrafted_rows.py --sets mnist-test --features hog --methods sc-ls n-cuts ac-pic
    python benchmarks/render_handcrafted.py

Linkage and k-means are measured unless others are asked for; the third command is Table 4 of JULE, whose other sets are
not at hand. All have their defaults; classes give the number of clusters and the scores. Every features has the
settings it had before it was measured here: none was chosen on these sets. A row that is there is not made again.
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
from coterie.errors import CoterieWarning
from coterie.evidence.datasets import Dataset, load
from coterie.evidence.protocol import score
from coterie.images.features import make_extractor
from coterie.images.store import open_images

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/handcrafted.json"
SETS = ("coil-20", "orl-32", "usps", "mnist-test", "fashion-mnist-test", "cifar-10-5000")
FEATURES = ("pixels", "hog", "lbp", "sift")
METHODS = ("gdl", "kmeans")
TABLE_4 = ("sc-ls", "n-cuts", "ac-pic")
SEED = 0


def described(data: Dataset, features: str) -> tuple[np.ndarray, float]:
    """The rows (n, d) of the images by those features, and the seconds they took."""
    store = open_images(data.images)
    began = time.perf_counter()
    rows = make_extractor(features, store, "cpu").fit_transform(store)
    return np.asarray(rows), time.perf_counter() - began


def row(data: Dataset, method: str, features: str, rows: np.ndarray) -> Row:
    """One fit of the method on ``rows`` (n, d)."""
    model = CLASSICAL[method](n_clusters=data.n_clusters)  # type: ignore[call-arg]
    if "random_state" in model.get_params():
        model.set_params(random_state=SEED)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        labels = model.fit(rows).labels_
    took = time.perf_counter() - began
    return {
        "set": data.name, "method": method, "features": features, "n": len(rows), "d": rows.shape[1],
        "k": data.n_clusters, "seed": SEED, **rounded(score(data.classes, labels)), "grouping_seconds": round(took, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--features", nargs="+", default=FEATURES, choices=FEATURES)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=(*METHODS, *TABLE_4))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    for name, features in itertools.product(asked.sets, asked.features):
        wanted = [{"set": name, "method": method, "features": features} for method in asked.methods]
        if not list(missing(wanted, read_rows(asked.out))):
            continue
        data = load(name, asked.data)
        rows, seconds = described(data, features)
        for setting in missing(wanted, read_rows(asked.out)):
            found = row(data, setting["method"], features, rows) | {
                "features_seconds": round(seconds, 2),
                **provenance(),
            }
            keep(asked.out, [*read_rows(asked.out), found])
            print(*(found[key] for key in ("set", "features", "method", "acc", "nmi", "grouping_seconds")), flush=True)


if __name__ == "__main__":
    main()
