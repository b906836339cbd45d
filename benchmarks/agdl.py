"""The public Python AGDL (github.com/myungjoon/GDL), loaded from a checkout of your own to be measured.

It is no part of this project and nothing of it is kept here. As published it does not start: two of its functions
were given a parameter ``a`` that its callers do not pass (1, in the paper), it calls scikit-learn and NumPy in ways
that are gone, and it imports a module that is gone. For that something stands in, with the same arithmetic, and for its
readers of data sets and its scores nothing; its linkage runs as it is.
"""

import contextlib
import functools
import io
import sys
import types
from collections.abc import Callable

import numpy as np

KS, KC = 20, 10  # what its own example uses


def agdl_labels(points: np.ndarray, k: int, folder: str) -> np.ndarray:
    """Labels (n,) of ``points`` (n, d); -1 for what stands in no cluster. Its memory is quadratic in n."""
    for name in ("scipy.misc", "loadData", "measure"):
        sys.modules[name] = types.ModuleType(name)
    sys.path.insert(0, folder)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        import AGDL
        import knngraph

        AGDL.knn = _nearest
        AGDL.getAffinityMaxtrix = functools.partial(_table, AGDL.getAffinityBtwCluster)
        AGDL.w_matrix = lambda *arguments: knngraph.w_matrix(*arguments, a=1)[0]
        AGDL.k0graph = functools.partial(knngraph.k0graph, a=1)
        clusters = AGDL.AGDL(points.astype(np.float64), k, KS, KC)
    labels = np.full(len(points), -1)
    for label, members in enumerate(clusters):
        labels[members] = label
    return labels


def _table(affinity: Callable[..., float], clusters: list[list[int]], weights: np.ndarray) -> np.ndarray:
    table = np.zeros((len(clusters), len(clusters)))
    for i in range(len(clusters)):
        for j in range(i + 1, len(clusters)):
            table[i, j] = table[j, i] = affinity(clusters[i], clusters[j], weights)
    return table


def _nearest(k: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.neighbors import NearestNeighbors

    distances, indices = NearestNeighbors(n_neighbors=k + 1, n_jobs=-1).fit(points).kneighbors(points)
    return distances[:, 1:], indices[:, 1:]
