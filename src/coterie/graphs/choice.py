"""How many clusters a merge history has, when nobody said."""

from typing import NamedTuple

import numpy as np

from coterie.graphs.history import History

RULE = "the number of clusters after which the affinity of the next merger of two large clusters falls the most"
N_RUNNERS_UP = 5


class Choice(NamedTuple):
    """The chosen number of clusters, the rule in words, and the next best as (number, score), scores in nats of
    affinity.
    """

    n_clusters: int
    score: float
    rule: str
    runners_up: list[tuple[int, float]]


def choose_n_clusters(history: History, *, largest: int | None = None) -> Choice:
    """The number of clusters k in 2..``largest`` (default: half the square root of n, at least 10) with the widest gap.

    Only mergers of two clusters of at least ``counted_size`` images count, so that stray fragments do not. The gap of k
    is log A(merger that left k) - log A(merger that leaves k - 1).
    """
    n = len(history.initial)
    largest = largest or max(10, int(np.sqrt(n) / 2))
    affinity = last_affinities(history, counted_size(n), largest + 1)
    if len(affinity) < 2:
        return Choice(min(2, history.n_initial), 0.0, RULE, [])
    floor = np.log(affinity[affinity > 0].min() / 10) if (affinity > 0).any() else 0.0
    logs = np.log(np.where(affinity > 0, affinity, np.exp(floor)))
    gaps = logs[1:] - logs[:-1]  # index i: k = i + 2
    order = np.argsort(-gaps, kind="stable")
    ranked = [(int(i) + 2, float(gaps[i])) for i in order]
    return Choice(*ranked[0], RULE, ranked[1 : N_RUNNERS_UP + 1])


def counted_size(n: int) -> int:
    """The smallest cluster that counts when nothing is known: a tenth of the square root of n, at least 2."""
    return max(2, round(0.1 * np.sqrt(n)))


def last_affinities(history: History, min_size: int, most: int) -> np.ndarray:
    """(j,) affinity of the merger that took k + 1 counted clusters to k, for k = 1, 2, ... (j <= most)."""
    sizes = np.concatenate([np.bincount(history.initial), history.size])
    both = (sizes[history.merges] >= min_size).all(axis=1)
    return history.affinity[both][::-1][:most]
