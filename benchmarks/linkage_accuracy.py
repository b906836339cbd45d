"""Graph degree linkage and k-means without training, on every image set at hand: how well, how long, how much memory.

    python benchmarks/linkage_accuracy.py --data ../shared/data --out docs/results/linkage.json [--sets usps coil20]

Protocol: all images of a set at once, labels used for the number of clusters and for scoring only. Settings of a row:
"published" is n_neighbors as printed (20, or 100 for 70,000 images), stop="plain", refine=0; "default" is the
constructor's defaults; "auto" also leaves the number of clusters to the rule. Each row runs in a process of its own;
finished rows are kept, so the script can be stopped and started again.
"""

import argparse
import io
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

SETS = [
    "mnist-test",
    "usps_11k",
    "usps",
    "coil20",
    "orl_32x32",
    "orl",
    "cmu_pie",
    "digits",
    "photos",
    "mnist",
    "fashion_mnist",
]
METHODS = ["published", "default", "auto", "kmeans"]
CHOSEN_ON = {"mnist-test", "usps_11k", "usps", "coil20", "orl_32x32", "orl", "cmu_pie", "mnist", "fashion_mnist"}


def images_of(name: str, data: Path, folder: Path) -> tuple[object, np.ndarray]:
    """(what coterie is given, classes): an array, or for photos a folder of JPEG files written to ``folder``."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return (digits.images * 255 / 16).astype(np.uint8), digits.target
    if name == "photos":
        return photo_folder(data, folder)
    archive = np.load(data / f"{name.removesuffix('-test')}.npz")
    images, classes = archive["images"], archive["labels"]
    if name.endswith("-test"):
        images, classes = images[archive["split"] == 1], classes[archive["split"] == 1]
    return images, classes


def photo_folder(data: Path, folder: Path) -> tuple[str, np.ndarray]:
    archive = np.load(data / "tiny_imagenet_10_jpeg.npz")
    jpeg, offsets = archive["jpeg"], archive["offsets"]
    for i, (a, b) in enumerate(pairwise(offsets)):
        (folder / f"{i:05d}.jpg").write_bytes(jpeg[a:b].tobytes())
    return str(folder), archive["labels"]


def run_row(name: str, method: str, data: Path) -> dict[str, object]:
    import coterie
    from coterie.metrics import accuracy, ari, nmi

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        source, classes = images_of(name, data, Path(folder))
        k = int(classes.max()) + 1
        printed = 100 if len(classes) == 70_000 else 20
        model = {
            "published": lambda: coterie.GraphDegreeLinkage(
                k, n_neighbors=printed, n_components=None, stop="plain", refine=0
            ),
            "default": lambda: coterie.GraphDegreeLinkage(k),
            "auto": lambda: coterie.GraphDegreeLinkage("auto"),
            "kmeans": lambda: coterie.KMeans(k, random_state=0),
        }[method]()
        began = time.perf_counter()
        store = coterie.open_images(source, cache=Path(folder) / "cache")
        model.fit(store)
        seconds = time.perf_counter() - began
    row = {
        "set": name, "method": method, "n": len(classes), "k": k, "found": model.n_clusters_,
        "features": model.extractor_.name, "n_neighbors": getattr(model, "n_neighbors_", None),
        "acc": round(accuracy(classes, model.labels_), 4), "nmi": round(nmi(classes, model.labels_), 4),
        "ari": round(ari(classes, model.labels_), 4), "seconds": round(seconds, 1),
        "stages": {stage: round(value, 2) for stage, value in model.timings_.items()},
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "warnings": [str(w.message) for w in given], "rule_chosen_on_this_set": name in CHOSEN_ON,
    }  # fmt: skip
    if getattr(model, "choice_", None):
        row["runners_up"] = [k for k, _ in model.choice_.runners_up]
    return row


def provenance() -> dict[str, object]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    return {
        "command": " ".join(["python", *sys.argv]), "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(), "machine": f"2 cores, {platform.machine()}, no GPU", "seeds": [0],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/linkage.json"))
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--again", action="store_true", help="measure rows that are there already")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(run_row(*arguments.row, arguments.data)))
        return
    done = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"rows": []}
    have = {(row["set"], row["method"]) for row in done["rows"]}
    for name in arguments.sets:
        for method in arguments.methods:
            if (name, method) in have and not arguments.again:
                continue
            command = [sys.executable, __file__, "--data", str(arguments.data), "--row", name, method]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(io.StringIO(answer.stdout.strip().splitlines()[-1]).read()) | provenance()
            done["rows"] = [old for old in done["rows"] if (old["set"], old["method"]) != (name, method)] + [row]
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(done, indent=1) + "\n")
            scores = f"ACC {row['acc']:.3f} NMI {row['nmi']:.3f} ARI {row['ari']:.3f} k {row['found']}"
            print(f"{name:14} {method:10} {scores} {row['seconds']} s {row['peak_gb']} GB", flush=True)


if __name__ == "__main__":
    main()
