"""Triplets and their loss by plain loops in float64, straight from jule.md B4 and B5."""

import numpy as np

Pairs = list[tuple[int, int]]


def pairs(labels: list[int]) -> Pairs:
    """Every unordered pair of images with the same label, the earlier one first."""
    return [(m, n) for m in range(len(labels)) for n in range(m + 1, len(labels)) if labels[m] == labels[n]]


def count(labels: list[int], n_negatives: int) -> int:
    """The number of triplets: n_neg * sum over labels of |g| (|g| - 1) / 2, n_neg = min(n_negatives, labels - 1)."""
    sizes = np.unique(labels, return_counts=True)[1]
    return min(n_negatives, len(sizes) - 1) * int(sum(size * (size - 1) // 2 for size in sizes))


def nearest(labels: list[int], anchor: int, distances: np.ndarray, n_nearest: int) -> list[int]:
    """The nearest image of each of the ``n_nearest`` other clusters whose nearest image is nearest to ``anchor``."""
    best: dict[int, int] = {}
    for i, label in enumerate(labels):
        if label != labels[anchor] and (label not in best or distances[anchor, i] < distances[anchor, best[label]]):
            best[label] = i
    return sorted(best.values(), key=lambda i: distances[anchor, i])[:n_nearest]


def loss(x: np.ndarray, triplets: list[tuple[int, int, int]], margin: float, gamma: float) -> float:
    """(1 / T) times the sum of max(0, gamma |a - p|^2 - |a - n|^2 + margin) over the triplets of rows of ``x``."""
    total = 0.0
    for a, p, n in triplets:
        total += max(0.0, gamma * squared(x[a], x[p]) - squared(x[a], x[n]) + margin)
    return total / len(triplets)


def gradient(
    x: np.ndarray, triplets: list[tuple[int, int, int]], margin: float, gamma: float, *, anchors_only: bool = False
) -> np.ndarray:
    """(b, d) of ``loss`` by the rows of ``x``: da, dp and dn of B5; ``anchors_only`` leaves dp and dn out."""
    found = np.zeros_like(x)
    for a, p, n in triplets:
        if gamma * squared(x[a], x[p]) - squared(x[a], x[n]) + margin <= 0:
            continue
        share = 2.0 / len(triplets)
        found[a] += share * ((gamma - 1) * x[a] + x[n] - gamma * x[p])
        if not anchors_only:
            found[p] += share * gamma * (x[p] - x[a])
            found[n] += share * (x[a] - x[n])
    return found


def before_unit_length(raw: np.ndarray, by_rows: np.ndarray) -> np.ndarray:
    """(b, d) the gradient by rows that were divided by their length, from that by the rows of length 1."""
    found = np.zeros_like(raw)
    for i, row in enumerate(raw):
        length = float(np.sqrt((row * row).sum()))
        unit = row / length
        found[i] = (by_rows[i] - (by_rows[i] * unit).sum() * unit) / length
    return found


def squared(one: np.ndarray, other: np.ndarray) -> float:
    return float(sum((float(a) - float(b)) ** 2 for a, b in zip(one, other, strict=True)))
