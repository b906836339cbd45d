"""Time and memory of the linkage alone, from a neighbour graph to the whole merge history, against n.

    python benchmarks/linkage_scale.py --sizes 1000 10000 100000 1000000 --out docs/results/scale.json

A mixture of 100 Gaussians in 8 dimensions; exact neighbours by SciPy's k-d tree (their time is not counted: in 8
dimensions a tree is the fast way, for images it is not). One thread, after compilation. Each size runs in a process of
its own, so that its peak memory is its own; "graph_gb" is what the process held before the linkage began.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

N_NEIGHBORS = 20


def mixture(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(100, 8)) * 2
    return (centers[rng.integers(0, 100, n)] + rng.normal(size=(n, 8))).astype(np.float32)


def run_size(n: int) -> dict[str, object]:
    from scipy.spatial import cKDTree

    from coterie.graphs import linkage_kernel as kernel
    from coterie.graphs.affinity import affinity_graph
    from coterie.graphs.components import nearest_neighbor_clusters
    from coterie.graphs.history import history_of
    from coterie.graphs.knn import Neighbors
    from coterie.graphs.linkage import link
    from coterie.graphs.stop import sized_stop

    def neighbors_of(points: np.ndarray) -> Neighbors:
        distances, indices = cKDTree(points).query(points, N_NEIGHBORS + 1, workers=2)
        return Neighbors(indices[:, 1:], distances[:, 1:] ** 2)

    few = neighbors_of(mixture(2000, seed=1))
    small = affinity_graph(few)
    sized_stop(link(small, nearest_neighbor_clusters(few.indices[:, 0])), small, 100)  # compiles
    neighbors = neighbors_of(mixture(n))
    graph = affinity_graph(neighbors)
    initial = nearest_neighbor_clusters(neighbors.indices[:, 0])
    del neighbors
    before = peak_gb()
    began = time.perf_counter()
    state = kernel.start(graph.indptr, graph.indices, graph.weights, initial, kernel.EXACT)
    built = time.perf_counter()
    # the arguments of `link`, for which the warm-up has compiled it
    _, merges, affinity, size = kernel.merge(state, int(initial.max()), kernel.EXACT, 0.0)
    merged = time.perf_counter()
    del state
    stop = sized_stop(history_of(initial, merges, affinity, size), graph, min(100, n // 20))
    stopped = time.perf_counter()
    return {
        "n": n,
        "n_initial": int(initial.max()) + 1,
        "build_s": round(built - began, 3),
        "merge_s": round(merged - built, 3),
        "stop_s": round(stopped - merged, 3),
        "graph_gb": before,
        "peak_gb": peak_gb(),
        "clusters": int(stop.labels.max()) + 1,
    }


def peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 70_000, 300_000, 1_000_000])
    parser.add_argument("--out", type=Path, default=Path("docs/results/scale.json"))
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(run_size(arguments.size)))
        return
    from provenance import provenance

    rows = []
    for n in arguments.sizes:
        command = [sys.executable, __file__, "--size", str(n)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(answer.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        arguments.out.write_text(json.dumps(provenance() | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
