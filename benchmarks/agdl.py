"""The public Python AGDL (github.com/myungjoon/GDL), loaded from a checkout of your own to be measured.

It is no part of this project and nothing of it is kept here. As published it does not start: two of its functions
were given a parameter ``a`` that its callers do not pass (1, in the paper), and it imports modules that are gone or
that only its readers of data sets and its score need. Those are stood in for; its linkage runs as it is.
"""

import contextlib
import functools
import io
import sys
import types

import numpy as np

KS, KC = 20, 10  # what its own example uses


def agdl_labels(points: np.ndarray, k: int, folder: str) -> np.ndarray:
    """Labels (n,) of ``points`` (n, d); -1 for what stands in no cluster. Its memory is quadratic in n."""
    for name in ("scipy.misc", "munkres"):
        module = types.ModuleType(name)
        module.Munkres = module.make_cost_matrix = None  # type: ignore[attr-defined]
        sys.modules[name] = module
    sys.path.insert(0, folder)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        import AGDL
        import knngraph

        AGDL.w_matrix = lambda *arguments: knngraph.w_matrix(*arguments, a=1)[0]
        AGDL.k0graph = functools.partial(knngraph.k0graph, a=1)
        clusters = AGDL.AGDL(points.astype(np.float64), k, KS, KC)
    labels = np.full(len(points), -1)
    for label, members in enumerate(clusters):
        labels[members] = label
    return labels
