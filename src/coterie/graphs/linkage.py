"""A graph and initial clusters in, the whole merge history out."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from coterie.errors import ConfigError
from coterie.graphs import linkage_kernel as kernel
from coterie.graphs.affinity import Graph
from coterie.graphs.heap import reserve_heap
from coterie.graphs.history import History, history_of
from coterie.graphs.linkage_state import LinkageState, fill_heap, power_of
from coterie.graphs.local_kernel import merge_locally

UPDATES = {"exact": kernel.EXACT, "size_ratio": kernel.SIZE_RATIO, "constant_ratio": kernel.CONSTANT_RATIO}


class LocalStructure(NamedTuple):
    """JULE's merge criterion (``local_kernel``): K_c nearest clusters, lambda, and the number of clusters from which
    on the plain criterion is used (0 never; the Torch release of JULE has 100).
    """

    n_nearest: int = 5
    weight: float = 1.0
    plain_from: int = 0


def link(
    graph: Graph,
    initial: np.ndarray,
    *,
    update: str = "exact",
    alpha: float = 0.0,
    local: LocalStructure | None = None,
) -> History:
    """Merges the clusters ``initial`` (n,) along ``graph`` until no two of them have a positive affinity.

    update: ``exact`` (JULE Eqs. 2-3, what the papers' numbers use), ``size_ratio`` (Eq. 7) or ``constant_ratio`` (Eq.
    9, with ``alpha``; the Torch release of JULE runs alpha = 0, the supplement advises 0 to 0.1). local: JULE's
    criterion for the next merger; None takes the pair with the largest affinity.
    """
    if update not in UPDATES:
        raise ConfigError(f"update is {update!r}; expected one of {', '.join(UPDATES)}")
    code = UPDATES[update]
    state = kernel.start(graph.indptr, graph.indices, graph.weights, initial, code)
    limit = int(initial.max())
    if local is None:
        _, *mergers = kernel.merge(state, limit, code, float(alpha))
        return history_of(initial, *mergers)
    state, *first = merge_locally(
        state, max(limit + 1 - max(local.plain_from, 1), 0), local.n_nearest, float(local.weight), code, float(alpha)
    )
    _, *rest = kernel.merge(_for_pairs(state, code), limit - len(first[0]), code, float(alpha))
    return history_of(initial, *map(np.concatenate, zip(first, rest, strict=True)))


def link_sums(between: csr_matrix, initial: np.ndarray) -> History:
    """Merges the clusters ``initial`` (n,) by M_ij (1 / |i| + 1 / |j|), M_ij the sum of ``between`` (n, n), symmetric
    and not negative, over the images of i and those of j; until no two clusters have a positive affinity.

    It is the size-ratio rule, whose V(i->j) = |j| A(i->j) is a plain sum, with V = M in both directions. The clusters
    stand in for images here: what one image has of another is a product of two weights, so each weight is a root.
    """
    n, size = len(initial), np.bincount(initial)
    members = csr_matrix((np.ones(n), (initial, np.arange(n))), shape=(len(size), n))
    roots = (members @ between @ members.T).tocsr().sqrt()
    indptr, indices = roots.indptr.astype(np.int64), roots.indices.astype(np.int64)
    state = kernel.start(indptr, indices, roots.data, np.arange(len(size)), kernel.SIZE_RATIO)
    state.size[:] = size
    state = _for_pairs(state, kernel.SIZE_RATIO)
    return history_of(initial, *kernel.merge(state, len(size) - 1, kernel.SIZE_RATIO)[1:])


def _for_pairs(state: LinkageState, code: int) -> LinkageState:
    """``state`` with the heap that the plain criterion needs."""
    state.heap.size[0] = 0
    state = kernel.with_heap(state, reserve_heap(state.heap, int(state.pairs.entries.sum())))
    fill_heap(state, power_of(code))
    return state
