"""Can a published triple of ACC, NMI and ARI belong to one assignment? Bounds for balanced classes, with proof.

Setting: k classes of N / k images each and at most k clusters, so the confusion matrix is x (k, k): x_ij is the share
of class i that lies in cluster j, rows sum to 1, columns to c_j, and the clusters are numbered so that the trace is k
ACC. Write eta = k (1 - ACC), the number of classes' worth of errors; 0 <= eta <= k - 1, since the k cyclic diagonals
share all the mass and the best is at least their mean. With

    Row = sum_i (1 - sum_j x_ij^2)      pairs of images that a class loses      (k - S,  S = sum x_ij^2)
    Col = sum_j (c_j^2 - sum_i x_ij^2)  pairs that a cluster should not join    (B - S,  B = sum c_j^2 = k + Col - Row)

the ARI, for N -> infinity and just as exactly for finite N, is

    ARI = 1 - (Row + Col) / 2 / (D + m (Col - Row))
    m = 1/2 - alpha,   alpha = (n - 1) / (k n - 1) -> 1/k,   D = k (1 - alpha) (1 - 1/n) -> k - 1,   n = N / k

**Smallest ARI.** Split each column into its diagonal d_j and the rest o_j = c_j - d_j. By Cauchy, S >= sum d_j^2 +
o_j^2 / (k - 1) = sum c_j^2 / k + k / (k - 1) sum t_j^2 with t_j = d_j - c_j / k, sum t_j = k ACC - 1. ARI = (S -
alpha B - const) / (linear in B), so by Dinkelbach the minimum lambda makes min { S - mu B } zero after constants, mu
= alpha + lambda m: minimise k/(k-1) sum t^2 - (mu - 1/k) sum c^2. If mu <= 1/k, equal t and equal c are best: errors
spread evenly over all other clusters. Else use 0 <= o_j and d_j <= 1, that is l_j := k t_j / (k - 1) <= c_j <= k (1 -
t_j). Put c_j = l_j + delta_j, sum delta_j = r, delta_j <= r - k^2 s_j / (k - 1) where s_j = t_j - mean(t); then sum
s_j delta_j <= (k - 1) (r^2 - sum delta^2) / k^2 and sum c^2 <= const + (k/(k-1))^2 sum s^2 + (1 - 2/k) sum delta^2,
sum delta^2 <= r^2. Since (mu - 1/k) k/(k-1) < 1, the gain from s never pays its price k/(k-1) sum s^2, so s = 0 and
all of r goes to one column: **one class is whole, every other class loses the same share eta / (k - 1), and all
errors lie in that one cluster**. It obeys every constraint, so the bound is attained:

    min ARI -> (k - 1 - eta)^2 / ((k - 1)^2 + (k - 2) eta^2 / 2)      (N -> infinity)

The smaller of the two candidates is the minimum over all real tables, hence a bound for every table of whole images.

**Largest ARI**, eta <= 1. Sharing pairs only with the diagonal, Row + Col >= sum_{i != j} 2 x_ij (d_i + d_j) >= 2 eta
(2 - eta) because d_i + d_j >= 2 - eta, and Row >= sum 2 d_i (1 - d_i) >= 2 eta (1 - eta) by concavity. The ARI falls
in Row + Col and in Row, so both at their minimum bound it, and one class that leaks eta into one other cluster
attains both: exact. For eta > 1 take for each class its largest share R_i; of the classes whose largest shares meet
in one cluster all but the largest are unmatched. The matched ones are a naming, so eta <= sum_matched (1 - R_i) +
#unmatched, while Row + Col >= sum (1 - R_i) + sum_unmatched 2 R_i^2 >= 7/8 eta. Together with Row >= 0 that bounds
the ARI from above: safe, but about half as far from 1 as the best tables known.

**Smallest NMI.** By Fano, H(class | cluster) <= h(e) + e ln(k - 1) with e = 1 - ACC, and H(cluster) <= ln k, so both
the geometric and the arithmetic NMI are at least 1 - (h(e) + e ln(k - 1)) / ln k; evenly spread errors attain it. A
largest NMI is not derived here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, log

from coterie.errors import ConfigError


@dataclass(frozen=True)
class Feasibility:
    """Answer of ``check_triple``: ``reasons`` has a sentence for each contradiction, none when the triple is possible.

    ``ari_range`` and ``nmi_minimum`` are the bounds for the ACC as printed, not widened by its rounding.
    """

    feasible: bool
    reasons: list[str] = field(default_factory=list)
    ari_range: tuple[float, float] | None = None
    nmi_minimum: float | None = None


def ari_range(acc: float, k: int, n_per_class: int | None = None) -> tuple[float, float]:
    """Smallest and largest ARI that can go with an accuracy of ``acc`` for k balanced classes and at most k clusters.

    ``n_per_class`` is the number of images of each class (at least 2); None stands for very many. The smallest is
    attained (up to whole images). So is the largest while acc >= 1 - 1/k; below that it is a safe bound that is not
    attained. Raises ConfigError for an ``acc`` outside 1/k to 1: the best naming never covers less than 1/k.
    """
    _check(acc, k, n_per_class)
    eta = k * (1.0 - acc)
    share = eta / (k - 1)
    row = (k - 1) * 2 * share * (1 - share)
    dumped = _ari(row, row + eta**2 * k / (k - 1), k, n_per_class)
    error = 1.0 - acc
    spread_loss = k * (1 - acc**2 - error**2 / (k - 1))
    spread = _ari(spread_loss, spread_loss, k, n_per_class)
    return min(dumped, spread), _largest(eta, k, n_per_class)


def nmi_minimum(acc: float, k: int) -> float:
    """Smallest NMI, geometric or arithmetic, that can go with ``acc`` for k balanced classes and at most k clusters."""
    _check(acc, k, None)
    error = 1.0 - acc
    return max(0.0, 1.0 - (_plogp(acc) + _plogp(error) + error * log(k - 1)) / log(k))


def check_triple(
    acc: float,
    nmi: float | None = None,
    ari: float | None = None,
    k: int = 10,
    n_per_class: int | None = None,
    rounding: float | Mapping[str, float] = 0.0005,
) -> Feasibility:
    """Whether one assignment to at most k clusters of k balanced classes can have these scores.

    ``rounding`` is half a unit of the last printed digit (0.0005 for .984), or that of each score by its name: a triple
    is called impossible only when no values that round to it are possible. The other direction is not promised: one
    that passes may still be impossible.
    """
    half = rounding if isinstance(rounding, Mapping) else dict.fromkeys(("acc", "nmi", "ari"), rounding)
    for name, value in (("acc", acc), ("nmi", nmi), ("ari", ari)):
        if value is not None and not (isfinite(value) and -1 <= value <= 1):
            raise ConfigError(f"{name} must be a share of at most 1 (.984, not 98.4), got {value}.")
    lowest, highest = max(acc - half["acc"], 1 / k), min(acc + half["acc"], 1.0)
    if lowest > highest:
        return Feasibility(False, [f"ACC {acc:.4g} is below 1/{k}, which the best naming always reaches."])
    printed = min(max(acc, 1 / k), 1.0)
    low, high = ari_range(printed, k, n_per_class)
    reasons = []
    if ari is not None and ari + half["ari"] < (bound := ari_range(lowest, k, n_per_class)[0]):
        reasons.append(
            f"ARI {ari:.4g} is too low: with ACC {acc:.4g} and {k} balanced classes it is at least {bound:.4f}."
        )
    if ari is not None and ari - half["ari"] > (bound := _highest(lowest, highest, k, n_per_class)):
        reasons.append(
            f"ARI {ari:.4g} is too high: with ACC {acc:.4g} and {k} balanced classes it is at most {bound:.4f}."
        )
    if nmi is not None and nmi + half["nmi"] < (bound := nmi_minimum(lowest, k)):
        reasons.append(
            f"NMI {nmi:.4g} is too low: with ACC {acc:.4g} and {k} balanced classes it is at least {bound:.4f}."
        )
    return Feasibility(not reasons, reasons, (low, high), nmi_minimum(printed, k))


def _highest(lowest: float, highest: float, k: int, n: int | None) -> float:
    """Largest ARI for any accuracy between the two."""
    most, least = k * (1 - lowest), k * (1 - highest)
    # With two classes the exact bound has a shallow dip, so both ends of its piece are asked.
    bounds = [_largest(least, k, n), _largest(max(least, min(most, 1.0)), k, n)]
    if most > 1:  # the looser bound for eta > 1 starts above the exact one: ask it where it is largest
        bounds.append(_ari(0.0, 7 / 8 * max(1.0, least), k, n))
    return max(bounds)


def _largest(eta: float, k: int, n: int | None) -> float:
    if eta <= 1 + 1e-9:
        return _ari(2 * eta * (1 - eta), 2 * eta, k, n)
    return _ari(0.0, 7 / 8 * eta, k, n)


def _ari(row: float, col: float, k: int, n: int | None) -> float:
    """ARI from the pairs lost in rows and in columns, in units of n^2."""
    alpha = 1 / k if n is None else (n - 1) / (k * n - 1)
    scale = k * (1 - alpha) * (1.0 if n is None else 1 - 1 / n)
    return 1.0 - (row + col) / 2 / (scale + (0.5 - alpha) * (col - row))


def _plogp(p: float) -> float:
    return -p * log(p) if p > 0 else 0.0


def _check(acc: float, k: int, n_per_class: int | None) -> None:
    if k < 2:
        raise ConfigError(f"k must be at least 2, got {k}.")
    if n_per_class is not None and n_per_class < 2:
        raise ConfigError(f"n_per_class must be at least 2, got {n_per_class}.")
    if not 1 / k - 1e-12 <= acc <= 1:  # NaN fails too
        raise ConfigError(f"acc must lie between 1/k = {1 / k:.4g} and 1, got {acc}.")
