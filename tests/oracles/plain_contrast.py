"""Losses of twin contrast as loops over images, clusters and rows, in Python's own numbers."""

import math
from collections.abc import Sequence

Vector = Sequence[float]
Rows = Sequence[Vector]


def dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def instance_loss(v: Rows, keys: Rows, queue: Rows, is_negative: Sequence[Sequence[bool]] | None, tau: float) -> list:
    """-log p of every image, Eq. 4."""
    losses = []
    for i in range(len(v)):
        right = math.exp(dot(v[i], keys[i]) / tau)
        total = right
        for j in range(len(queue)):
            if is_negative is None or is_negative[i][j]:
                total += math.exp(dot(v[i], queue[j]) / tau)
        losses.append(-math.log(right / total))
    return losses


def kl_to_uniform(p: Vector) -> float:
    return sum(x * math.log(len(p) * x) for x in p if x > 0)


def self_training(pi: Rows) -> float:
    """DEC's KL(t || pi), a mean over the rows."""
    means = [sum(row[k] for row in pi) / len(pi) for k in range(len(pi[0]))]
    total = 0.0
    for row in pi:
        raised = [p * p / mean for p, mean in zip(row, means, strict=True)]
        target = [t / sum(raised) for t in raised]
        total += sum(t * math.log(t / p) for t, p in zip(target, row, strict=True))
    return total / len(pi)


def representations(shares: Rows, features: Rows) -> list[list[float]]:
    """r of every cluster, Eq. 5."""
    result = []
    for k in range(len(shares[0])):
        total = [0.0] * len(features[0])
        for i in range(len(features)):
            for d in range(len(total)):
                total[d] += shares[i][k] * features[i][d]
        length = math.sqrt(dot(total, total))
        result.append([x / length for x in total])
    return result


def cluster_loss(
    r: Rows, others: Rows, queue: Rows, queue_ids: Sequence[int], present: Sequence[bool], tau: float,
    query_negatives: bool = True,
) -> float:  # fmt: skip
    """Eq. 6; an id of -2 is of a cluster that was absent from its batch."""
    losses = []
    for k in range(len(r)):
        if not present[k]:
            continue
        right = math.exp(dot(r[k], others[k]) / tau)
        total = right
        for j in range(len(r)):
            if j != k and present[j]:
                total += math.exp(dot(r[k], others[j]) / tau)
                if query_negatives:
                    total += math.exp(dot(r[k], r[j]) / tau)
        for row, owner in zip(queue, queue_ids, strict=True):
            if owner not in (k, -2):
                total += math.exp(dot(r[k], row) / tau)
        losses.append(-math.log(right / total))
    return sum(losses) / len(losses)
