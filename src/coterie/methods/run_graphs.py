"""How well each of several runs groups what it sees itself: the weight of its neighbour graph that its clusters keep.

The other figures of a run (``run_choice``) are of its classifier alone: how sure it is, and of what. But a classifier
that has only seen generated images puts its borders where those end, and a run may have found a feature that its own
borders cut through; the linkage of its features then finds the groups whole, and hardly cuts anything. Ours.
"""

from collections.abc import Callable

import numpy as np

from coterie.graphs.grouping import LinkageSettings
from coterie.methods.answers import Answer, head_answer, kept_inside, linkage_answer
from coterie.methods.settled import LINKAGE

JUDGED = 10_000  # images, evenly spread, that runs are compared on


def judged_rows(n: int) -> slice:
    """Every so many of n images that at most 10,000 are left."""
    return slice(0, n, -(-n // JUDGED))


def kept_by_runs(
    features_of: Callable[[int], np.ndarray], shares: np.ndarray, n_clusters: int, assign: str
) -> np.ndarray:
    """(r,): the share, 0 to 1, of the neighbour graph of each run's features that its answer keeps inside clusters.

    features_of: gives what run i sees in m images, (m, d). shares: (m, r, k), what the classifiers say of them. assign:
    the answer that counts: "head", "linkage", or "auto", whichever keeps more.
    """
    kept = []
    for run in range(shares.shape[1]):
        linkage, grouping = linkage_answer(features_of(run), LinkageSettings(n_clusters=n_clusters))
        answers: dict[str, Answer] = {"head": head_answer(shares[:, run])[0], LINKAGE: linkage}
        own = kept_inside(grouping.graph, answers, n_clusters)
        kept.append(max(own.values()) if assign == "auto" else own[assign])
    return np.array(kept)
