"""The losses of DCCM and its BCubed curve, pair by pair and number by number."""

import math
from typing import Any

Rows = list[list[float]]


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def graph_loss(z: Rows, linked: list[list[bool]], eps: float = 1e-7) -> float:
    """Eq. 3: the mean over all ordered pairs, an image with itself among them."""
    total = 0.0
    for i, a in enumerate(z):
        for j, b in enumerate(z):
            likeness = cosine(a, b) if linked[i][j] else 1 - cosine(a, b)
            total -= math.log(max(likeness, eps))
    return total / len(z) ** 2


def label_loss(z: Rows, y: list[int], confident: list[bool], eps: float = 1e-12) -> float:
    """Eq. 9 as the code has it: K binary cross entropies, averaged, summed over the sure images, divided by all."""
    total = 0.0
    for row, own, is_sure in zip(z, y, confident, strict=True):
        entropies = [-math.log(max(p if k == own else 1 - p, eps)) for k, p in enumerate(row)]
        total += is_sure * sum(entropies) / len(row)
    return total / len(z)


def label_cross_entropy(z: Rows, y: list[int], confident: list[bool]) -> float:
    sure = [(row, own) for row, own, is_sure in zip(z, y, confident, strict=True) if is_sure]
    return sum(-math.log(row[own]) for row, own in sure) / len(z)


def invariance_loss(z: Rows, other: Rows) -> float:
    """Eq. 11."""
    return sum(math.dist(a, b) for a, b in zip(z, other, strict=True)) / len(z)


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def information_loss(together: Any, apart: Any, counted: list[bool]) -> float:
    """Eq. 14: the means over pairs and places; ``together`` [pair][place], ``apart`` [which][image][place]."""
    first = [softplus(-score) for pair in together for score in pair]
    second = [softplus(score) for which in apart for image, own in enumerate(which) if counted[image] for score in own]
    return sum(first) / len(first) + (sum(second) / len(second) if second else 0.0)


def bcubed(z: Rows, classes: list[Any], threshold: float) -> tuple[float, float]:
    """Precision and recall of the graph (dccm.md E5)."""
    precision = recall = 0.0
    for i, a in enumerate(z):
        joined = [j for j, b in enumerate(z) if i == j or cosine(a, b) >= threshold]
        same = sum(classes[j] == classes[i] for j in joined)
        precision += same / len(joined)
        recall += same / classes.count(classes[i])
    return precision / len(z), recall / len(z)
