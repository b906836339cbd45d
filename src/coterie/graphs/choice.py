"""How many clusters the images have, when nobody said: what the merge histories of several graphs say."""

from typing import NamedTuple

import numpy as np

from coterie.graphs.history import History, labels_after

RULE = (
    "the number of clusters after which the affinity of the next merger of two large clusters falls the most, "
    "weighed by the logarithm of the number, up to 20; on average over graphs of fewer and of more neighbours"
)
FULL_WEIGHT = 20  # clusters
N_RUNNERS_UP = 5
# The gap between parts without any affinity and the last merger that had some, as if nothing were a tenth of little.
# Far blobs are then found as they are, and of the sets of docs/results none is answered otherwise: parts that copies or
# near copies make are outweighed by a clear gap above.
NOTHING = float(np.log(10))


class Choice(NamedTuple):
    """The chosen number of clusters, its score, the rule in words, the next best as (number, score), and the number
    that each of the histories alone would have given.
    """

    n_clusters: int
    score: float
    rule: str
    runners_up: list[tuple[int, float]]
    answers: tuple[int, ...] = ()


def choose_n_clusters(*histories: History, largest: int | None = None) -> Choice:
    """The number of clusters k in 2..``largest`` (default: the square root of n) with the largest gap times log k, on
    average over ``histories`` of the same images, which come from graphs of fewer and of more neighbours.

    A number that many graphs show is no accident of one. How far their own answers lie apart (``answers``) says how
    much the choice is worth.
    """
    each = [_scores(history, largest) for history in histories]
    ranked = _ranked({k: _mean(each, k) for scores in each for k in scores})
    answers = tuple(_ranked(scores)[0][0] for scores in each)
    return Choice(*ranked[0], RULE, ranked[1 : N_RUNNERS_UP + 1], answers)


def _mean(each: list[dict[int, float]], k: int) -> float:
    """The mean score of ``k`` over the graphs that can tell, at least two: one that falls into more parts than ``k``,
    as those of few neighbours may, says nothing about it.
    """
    known = sum(k >= min(scores) for scores in each)
    return sum(scores.get(k, 0.0) for scores in each) / max(known, min(2, len(each)))


def _ranked(scores: dict[int, float]) -> list[tuple[int, float]]:
    """(number, score), the best first, the smaller of equals first."""
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def _scores(history: History, largest: int | None) -> dict[int, float]:
    """The gap times log k of every number of clusters k that ``history`` may have.

    The gap of k is log A(merger that left k) - log A(merger that leaves k - 1), over mergers of two clusters of at
    least ``counted_size`` images, so that stray fragments do not count; that of parts without any affinity between them
    is ``NOTHING``. Two far parts make the gap of k = 2 large on almost any images; log k is what a coarser answer must
    be better by to win. Among hundreds of numbers some gap is large by chance, so the weight stops growing at k = 20.
    """
    n = len(history.initial)
    affinity = last_affinities(history, counted_size(n))
    # parts without any affinity to each other are apart whatever the rule says
    apart = max(1, int((affinity == 0).sum()) + 1, _counted_at_end(history, counted_size(n)))
    largest = largest or max(10, int(np.sqrt(n)), 2 * apart)
    logs = np.log(affinity[affinity > 0][: max(0, largest - apart + 1)])
    if len(logs) < 2:
        return {min(max(2, apart), history.n_initial): 0.0}
    gaps, k = logs[1:] - logs[:-1], np.arange(apart + 1, apart + len(logs))
    if apart > 1:
        gaps, k = np.append(NOTHING, gaps), np.append(apart, k)
    scores = gaps * np.log(np.minimum(k, FULL_WEIGHT))
    return dict(zip(k.tolist(), scores.tolist(), strict=True))


def counted_size(n: int) -> float:
    """The smallest cluster that counts while nothing is known of their number: a quarter of the square root of n, at
    least 3.
    """
    return max(3.0, 0.25 * float(np.sqrt(n)))


def last_affinities(history: History, min_size: float) -> np.ndarray:
    """(j,) affinity of the mergers of two clusters of at least ``min_size`` images, the last one first."""
    sizes = np.concatenate([np.bincount(history.initial), history.size])
    both = (sizes[history.merges] >= min_size).all(axis=1)
    return history.affinity[both][::-1]


def _counted_at_end(history: History, min_size: float) -> int:
    """Clusters of at least ``min_size`` images that the history ends with."""
    _, images = np.unique(labels_after(history, len(history.merges)), return_counts=True)
    return int((images >= min_size).sum())
