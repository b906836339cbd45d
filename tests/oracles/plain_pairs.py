"""The losses of pairs, one pair and one number at a time, in float64."""

import math

import numpy as np

EPS = 1e-7


def label_feature(scores: np.ndarray) -> np.ndarray:
    """(k,) subtract the largest, exponentials, length 1: the constraint layer as the paper has it."""
    raised = [math.exp(float(score) - float(max(scores))) for score in scores]
    length = math.sqrt(sum(number * number for number in raised))
    return np.array([number / length for number in raised])


def similar(one: np.ndarray, other: np.ndarray) -> float:
    return min(max(sum(float(a) * float(b) for a, b in zip(one, other, strict=True)), 0.0), 1.0)


def taught(similarity: float, upper: float, lower: float, leave_out: bool) -> tuple[float, float]:
    """(target, weight) of a pair."""
    if similarity > upper:
        return 1.0, 1.0
    if similarity < lower or not leave_out:
        return 0.0, 1.0
    return 0.0, 0.0


def cross_entropy(target: float, probability: float) -> float:
    one, zero = max(probability, EPS), max(1 - probability, EPS)
    return -(target * math.log(one) + (1 - target) * math.log(zero))


def pair_loss(
    asked: np.ndarray, scores: np.ndarray, other: np.ndarray, upper: float, lower: float, *,
    leave_out: bool, squared: bool = False,
) -> float:  # fmt: skip
    """The mean over the pairs that count of the loss of ``scores`` against ``other`` (b, k), taught by ``asked``."""
    total = count = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            target, weight = taught(similar(label_feature(asked[i]), label_feature(asked[j])), upper, lower, leave_out)
            s = similar(label_feature(scores[i]), label_feature(other[j]))
            total += weight * ((s - target) ** 2 if squared else cross_entropy(target, s))
            count += weight
    return total / count


def auxiliary(shares: np.ndarray, wanted: np.ndarray) -> float:
    numbers = [cross_entropy(float(t), float(p)) for t, p in zip(wanted.ravel(), shares.ravel(), strict=True)]
    return sum(numbers) / len(numbers)


def emptiness(shares: np.ndarray) -> float:
    means = [sum(column) / len(column) for column in shares.T]
    return math.log(len(means)) + sum(mean * math.log(mean) for mean in means if mean > 0)
