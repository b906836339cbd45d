"""How far the linkage kernel is from the dense definition: the largest error over all table entries after every merger.

python benchmarks/exactness.py [seeds]      20 seeds take some 10 seconds
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from coterie.graphs import linkage_kernel as kernel
from oracles.dense_linkage import u_table
from oracles.kernel_state import knn_case, labels_of, pair_table


def largest_error(seed: int, d: int) -> tuple[float, int]:
    """(largest |U stored - U by definition| after any merger, mergers) of 200 points in ``d`` dimensions, K_s = 7."""
    graph, W, initial = knn_case(seed, d)
    state = kernel.start(graph.indptr, graph.indices, graph.weights, initial)
    worst, mergers = 0.0, 0
    while True:
        error = np.abs(pair_table(state)[0] - u_table(W, labels_of(state), len(state.size))).max()
        worst = max(worst, float(error))
        state, merges, _, _ = kernel.merge(state, 1)
        if not len(merges):
            return worst, mergers
        mergers += 1


if __name__ == "__main__":
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for d in (1, 4, 16):
        errors, counts = zip(*(largest_error(seed, d) for seed in range(n_seeds)), strict=True)
        print(f"d = {d:2}: {n_seeds} seeds, {sum(counts):5} mergers, largest error {max(errors):.2g}")
