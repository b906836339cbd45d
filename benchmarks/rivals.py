"""coterie's linkage beside what else a person would pick, in one run: time, peak memory, ACC, NMI, ARI.

    python benchmarks/rivals.py --rival-python OTHER/bin/python --sets mnist-test mnist --out docs/results/rivals.json

Input: the images as an array, pixels / 255 for the rivals; all images at once; labels for k (except where the method
finds k) and for scoring only. Each row runs in a process of its own, warmed up on 3,000 images first so that nothing is
compiled in the measured time. Rivals live in another environment (``rival_methods``). --agdl: a folder with a checkout
of the public Python AGDL. A row that needs more than --limit seconds is recorded as given up; so is one that is refused
for its memory (Ward and AGDL: n^2 distances).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rival_methods import RIVALS, placed, rival_labels

ROWS = ["coterie", "coterie auto", *RIVALS]
COMPILED = {"coterie", "coterie auto", "evoc", "umap + k-means", "umap + fast-hdbscan"}  # by numba, for what they meet
WARD_UP_TO = 25_000  # its distances need 8 n^2 / 2 bytes: 2.5 GB here, 20 GB at 70,000
AGDL_UP_TO = 25_000  # two dense matrices of n x n float64: 10 GB here, 73 GB at 70,000


def load(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    archive = np.load(data / f"{name.removesuffix('-test')}.npz")
    images, classes = archive["images"], archive["labels"]
    if name.endswith("-test"):
        images, classes = images[archive["split"] == 1], classes[archive["split"] == 1]
    return images, classes


def fit(method: str, images: np.ndarray, k: int, agdl: str) -> np.ndarray:
    """Labels of ``images`` (n, h, w) uint8; -1 is what a method calls noise."""
    if method.startswith("coterie"):
        from coterie import GraphDegreeLinkage

        return GraphDegreeLinkage("auto" if method.endswith("auto") else k).fit(images).labels_
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    return rival_labels(method, pixels, k, agdl)


def run_row(method: str, data: Path, name: str, out: Path, agdl: str) -> None:
    images, classes = load(data, name)
    k = int(classes.max()) + 1
    if method != "agdl":  # which compiles nothing and is slow
        fit(method, images if method in COMPILED else images[:: len(images) // 3000], k, agdl)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    labels = fit(method, images, k, agdl)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.save(out, labels)
    print(json.dumps({"seconds": round(seconds, 2), "peak_gb": round(max(before, after) / 2**20, 2)}))


def score(labels: np.ndarray, classes: np.ndarray) -> dict[str, object]:
    from coterie.metrics import accuracy, ari, nmi

    whole, found = placed(labels)
    return found | {
        "acc": round(accuracy(classes, whole), 4),
        "nmi": round(nmi(classes, whole), 4),
        "ari": round(ari(classes, whole), 4),
    }


def measure(method: str, name: str, arguments: argparse.Namespace) -> dict[str, object]:
    row: dict[str, object] = {"set": name, "method": method}
    images, classes = load(arguments.data, name)
    if method == "ward" and len(images) > WARD_UP_TO:
        return row | {"gave_up": f"needs {len(images) ** 2 * 4 / 2**30:.0f} GB for its distances"}
    if method == "agdl" and not arguments.agdl:
        return row | {"gave_up": "no checkout was given"}
    if method == "agdl" and len(images) > AGDL_UP_TO:
        return row | {"gave_up": f"needs {len(images) ** 2 * 16 / 2**30:.0f} GB for its dense graphs"}
    python = sys.executable if method.startswith("coterie") or not arguments.rival_python else arguments.rival_python
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.npy"
        command = [python, __file__, "--row", method, name, str(labels), "--data", str(arguments.data)]
        command += ["--agdl", arguments.agdl or ""]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit, check=True)
        except subprocess.TimeoutExpired:
            return row | {"gave_up": f"more than {arguments.limit} s"}
        except subprocess.CalledProcessError as error:
            return row | {"gave_up": error.stderr.strip().splitlines()[-1][:200]}
        return row | json.loads(answer.stdout.splitlines()[-1]) | score(np.load(labels), classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="*", default=["mnist-test", "mnist"])
    parser.add_argument("--methods", nargs="*", default=ROWS, choices=ROWS)
    parser.add_argument("--rival-python", help="an interpreter that has the rivals")
    parser.add_argument("--agdl", help="a checkout of github.com/myungjoon/GDL, which is no part of this project")
    parser.add_argument("--limit", type=int, default=900, help="seconds for one row, its warm-up included")
    parser.add_argument("--out", type=Path, default=Path("docs/results/rivals.json"))
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        method, name, labels = arguments.row
        run_row(method, arguments.data, name, Path(labels), arguments.agdl)
        return
    from provenance import provenance

    before = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"runs": [], "rows": []}
    rows = before["rows"]
    for name in arguments.sets:
        for method in arguments.methods:
            rows = [r for r in rows if (r["set"], r["method"]) != (name, method)]
            rows.append(measure(method, name, arguments))
            print(rows[-1], flush=True)
            result = {"runs": [*before["runs"], provenance()], "rows": rows}
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
