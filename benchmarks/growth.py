"""Time and peak memory from features to labels against n, ours and the rivals until they give up.

    python benchmarks/growth.py --rival-python OTHER/bin/python --agdl FOLDER --out docs/results/growth.json
    python benchmarks/growth.py --plot          draws docs/images/growth.svg from the JSON again

Input: a mixture of 100 Gaussians in 8 dimensions, laid into 64 by a random linear map, with a little noise in all of
them (as images have: many pixels, few ways to differ). Only the array of features is given, and k = 100 where a method
takes one. Each row runs in a process of its own, warmed up on 2,000 points so that nothing is compiled in the measured
time; "before_gb" is what the process held when the features lay ready, "peak_gb" the most it ever held. A row that
needs more than --limit seconds or more than --most-gb is recorded as given up, and so is that method at every larger n.
Ours also has its seconds by stage and the recall of its neighbours. Finished rows are kept, so the script can be
stopped and started again; --sizes and --methods choose rows, --again measures them anew.

Rivals live in another environment (``rival_methods``). --agdl is a folder with a
checkout of github.com/myungjoon/GDL, which is measured and no part of this project.
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

OURS = "coterie"
METHODS = [OURS, *RIVALS]
SIZES = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
K, INTRINSIC, WIDTH, NOISE = 100, 8, 64, 0.05
PICTURE = Path(__file__).resolve().parents[1] / "docs/images/growth.svg"
Row = dict[str, object]


def mixture(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(points (n, 64) float32, component of each (n,))."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(K, INTRINSIC)) * 2
    axes = np.linalg.qr(rng.normal(size=(WIDTH, INTRINSIC)))[0].T.astype(np.float32)
    component = rng.integers(0, K, n)
    inner = (centers[component] + rng.normal(size=(n, INTRINSIC))).astype(np.float32)
    points = rng.standard_normal((n, WIDTH), np.float32)
    points *= NOISE
    points += inner @ axes
    return points, component


def ours(points: np.ndarray) -> tuple[np.ndarray, Row]:
    """Labels by the default settings, the seconds of each stage and the recall of the neighbours."""
    from coterie import GraphDegreeLinkage

    model = GraphDegreeLinkage(K).fit(points)
    return model.labels_, {
        "stages": {stage: round(seconds, 3) for stage, seconds in model.stages_.items()},
        "recall": round(model.recall_, 4), "n_neighbors": model.n_neighbors_, "linked": model.n_linked_,
    }  # fmt: skip


def run_row(method: str, n: int, labels_at: Path, agdl: str | None) -> Row:
    def labels_of(points: np.ndarray) -> tuple[np.ndarray, Row]:
        return ours(points) if method == OURS else (rival_labels(method, points, K, str(agdl)), {})

    if method != "agdl":  # which compiles nothing and is slow
        labels_of(mixture(2_000, seed=1)[0])
    points, _ = mixture(n)
    before = peak_gb()
    began = time.perf_counter()
    labels, more = labels_of(points)
    seconds = time.perf_counter() - began
    np.save(labels_at, labels)
    return {"seconds": round(seconds, 3), "before_gb": before, "peak_gb": peak_gb()} | more


def peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def measure(method: str, n: int, arguments: argparse.Namespace) -> Row:
    from provenance import provenance

    from coterie.metrics import ari

    row: Row = {"method": method, "n": n} | provenance()
    python = sys.executable if method == OURS or not arguments.rival_python else arguments.rival_python
    with tempfile.TemporaryDirectory() as folder:
        labels_at = Path(folder) / "labels.npy"
        command = [python, __file__, "--row", method, str(n), str(labels_at), "--agdl", arguments.agdl or ""]
        most = arguments.most_gb * 2**30
        capped = ["bash", "-c", f'ulimit -v {most // 1024}; exec "$@"', "bash", *command]
        try:
            answer = subprocess.run(capped, capture_output=True, text=True, timeout=arguments.limit, check=True)
        except subprocess.TimeoutExpired:
            return row | {"gave_up": f"more than {arguments.limit} s"}
        except subprocess.CalledProcessError as error:
            return row | {"gave_up": reason(error, arguments.most_gb)}
        measured = json.loads(answer.stdout.splitlines()[-1])
        labels = np.load(labels_at)
    whole, found = placed(labels)
    return row | measured | found | {"ari": round(float(ari(mixture(n)[1], whole)), 4)}


def reason(error: subprocess.CalledProcessError, most_gb: int) -> str:
    last = (error.stderr.strip().splitlines() or [f"ended with {error.returncode}"])[-1][:200]
    out_of_memory = "MemoryError" in error.stderr or "Unable to allocate" in error.stderr or error.returncode < 0
    return f"more than {most_gb} GB" if out_of_memory else last


def measured_rows(arguments: argparse.Namespace) -> list[Row]:
    """Every wanted row, those of before kept; one method after the other, so that one that gave up is left."""
    rows: list[Row] = json.loads(arguments.out.read_text())["rows"] if arguments.out.exists() else []
    for method in arguments.methods:
        if method == "agdl" and not arguments.agdl:
            continue
        for n in sorted(arguments.sizes):
            old = next((row for row in rows if (row["method"], row["n"]) == (method, n)), None)
            if old is None or arguments.again:
                rows = [row for row in rows if row is not old]
                old = measure(method, n, arguments)
                rows.append(old)
                print({key: old[key] for key in old if key not in ("command", "machine", "date")}, flush=True)
                arguments.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
            if "gave_up" in old:
                break
    return rows


def plot(rows: list[Row], out: Path) -> None:
    """Seconds and peak memory against n, both axes logarithmic; a cross where a method gave up at the next size."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 9}
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for at, method in enumerate(METHODS):
        of = sorted((row for row in rows if row["method"] == method), key=lambda row: int(str(row["n"])))
        done = [row for row in of if "gave_up" not in row]
        style = {"color": f"C{at}", "marker": "o", "markersize": 3, "linewidth": 2.5 if method == OURS else 1.2}
        for axis, key in zip(axes, ("seconds", "peak_gb"), strict=True):
            axis.plot([row["n"] for row in done], [row[key] for row in done], label=method, **style)
            if done and len(done) < len(of):
                axis.plot(done[-1]["n"], done[-1][key], marker="x", color=f"C{at}", markersize=9)
    for axis, title in zip(axes, ("seconds", "peak memory, GB"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="points", title=title)
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend(frameon=False, fontsize=8)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--rival-python", help="an interpreter that has the rivals")
    parser.add_argument("--agdl", help="a checkout of github.com/myungjoon/GDL; without it that row is left out")
    parser.add_argument("--limit", type=int, default=600, help="seconds for one row, its warm-up included")
    parser.add_argument("--most-gb", type=int, default=16, help="address space of one row")
    parser.add_argument("--out", type=Path, default=Path("docs/results/growth.json"))
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--again", action="store_true", help="measure rows that are there already")
    parser.add_argument("--plot", action="store_true", help="only draw the rows that are there")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        method, n, labels_at = arguments.row
        print(json.dumps(run_row(method, int(n), Path(labels_at), arguments.agdl)))
        return
    rows = json.loads(arguments.out.read_text())["rows"] if arguments.plot else measured_rows(arguments)
    plot(rows, arguments.picture)


if __name__ == "__main__":
    main()
