"""A graph and initial clusters in, the whole merge history out."""

import numpy as np

from coterie.errors import ConfigError
from coterie.graphs import linkage_kernel as kernel
from coterie.graphs.affinity import Graph
from coterie.graphs.history import History, history_of

UPDATES = {"exact": kernel.EXACT, "size_ratio": kernel.SIZE_RATIO, "constant_ratio": kernel.CONSTANT_RATIO}


def link(graph: Graph, initial: np.ndarray, *, update: str = "exact", alpha: float = 0.0) -> History:
    """Merges the clusters ``initial`` (n,) along ``graph`` until no two of them have a positive affinity.

    update: ``exact`` (JULE Eqs. 2-3, what the papers' numbers use), ``size_ratio`` (Eq. 7) or ``constant_ratio`` (Eq.
    9, with ``alpha``; the Torch release of JULE runs alpha = 0, the supplement advises 0 to 0.1).
    """
    if update not in UPDATES:
        raise ConfigError(f"update is {update!r}; expected one of {', '.join(UPDATES)}")
    code = UPDATES[update]
    state = kernel.start(graph.indptr, graph.indices, graph.weights, initial, code)
    _, merges, affinity, size = kernel.merge(state, int(initial.max()), code, float(alpha))
    return history_of(initial, merges, affinity, size)
