"""AC-Zell and AC-PIC by their definitions: dense inverses, loops over images, every pair of clusters looked at anew.

P (n, n): transitions; a, b: the images of two clusters.
"""

import math
from collections.abc import Callable

import numpy as np

Images = list[int]
Affinity = Callable[[np.ndarray, float, Images, Images], float]


def transitions(features: np.ndarray, k: int, a: float) -> np.ndarray:
    """Row i: 1 for itself, exp(-D / s) for each of the ``k`` nearest, s = a times the mean D; over its sum."""
    rows = features.astype(float)
    n = len(rows)
    D = [[float(((x - y) ** 2).sum()) for y in rows] for x in rows]
    near = [sorted((j for j in range(n) if j != i), key=lambda j: (D[i][j], j))[:k] for i in range(n)]
    s = a * sum(D[i][j] for i in range(n) for j in near[i]) / (n * k)
    W = np.eye(n)
    for i in range(n):
        for j in near[i]:
            W[i, j] = math.exp(-D[i][j] / s)
    return W / W.sum(axis=1, keepdims=True)


def inverse(P: np.ndarray, z: float, images: Images) -> np.ndarray:
    return np.linalg.inv(np.eye(len(images)) - z * P[np.ix_(images, images)])


def paths_gained(P: np.ndarray, z: float, a: Images, b: Images) -> float:
    """S_a|ab - S_a."""
    m = len(a)
    return float(inverse(P, z, a + b)[:m, :m].sum() - inverse(P, z, a).sum()) / m**2


def cycles_gained(P: np.ndarray, z: float, a: Images, b: Images) -> float:
    """Z_a|ab - Z_a."""
    both, own = inverse(P, z, a + b), inverse(P, z, a)
    return sum(math.log(both[i, i]) - math.log(own[i, i]) for i in range(len(a))) / len(a)


def paths_of_two_steps(P: np.ndarray, z: float, a: Images, b: Images) -> float:
    return z**2 * sum(float(P[i, s] * P[s, j]) for i in a for s in b for j in a) / len(a) ** 2


def cycles_of_two_steps(P: np.ndarray, z: float, a: Images, b: Images) -> float:
    return z**2 * sum(float(P[i, s] * P[s, i]) for i in a for s in b) / len(a)


def both_ways(gained: Affinity) -> Affinity:
    """The affinity of two clusters: what each gains from the other."""
    return lambda P, z, a, b: gained(P, z, a, b) + gained(P, z, b, a)


AFFINITIES = {
    ("ac-pic", "exact"): both_ways(paths_gained),
    ("ac-zell", "exact"): both_ways(cycles_gained),
    ("ac-pic", "leading"): both_ways(paths_of_two_steps),
    ("ac-zell", "leading"): both_ways(cycles_of_two_steps),
}


def run(
    P: np.ndarray, z: float, initial: np.ndarray, affinity: Affinity, least: float
) -> list[tuple[float, frozenset[frozenset[int]]]]:
    """(affinity, the two clusters) of every merger, each of the best pair then, until none is above ``least``."""
    clusters = [np.flatnonzero(initial == c).tolist() for c in range(int(initial.max()) + 1)]
    merges = []
    while len(clusters) > 1:
        pairs = [(affinity(P, z, a, b), a, b) for i, a in enumerate(clusters) for b in clusters[:i]]
        best, a, b = max(pairs, key=lambda pair: pair[0])
        if best <= least:
            break
        merges.append((best, frozenset([frozenset(a), frozenset(b)])))
        clusters = [c for c in clusters if c not in (a, b)] + [a + b]
    return merges
