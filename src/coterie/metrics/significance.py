"""Is one method better than another, or was it chance? Tests on paired scores.

A pair is what two methods got under the same conditions: the same seed on the same set, or the same cell of two
published tables. Two methods are compared by the Wilcoxon signed-rank test, one with many rivals by the same with
Holm's correction, and several among themselves by Friedman's test and Nemenyi's critical difference of mean ranks, as
J. Demsar recommends ("Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006).

The tests take pairs for independent. ACC, NMI and ARI of one run are not: a comparison over all three overstates its
evidence, which is why ``compare_with`` gives a t-test on one score beside it.

Scores are numbers of which larger is better, on any scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError

DECIMALS = 9  # differences that agree so far are ties: 79.0 - 69.9 and 9.1 are the same, whatever floats say


@dataclass(frozen=True)
class Comparison:
    """One method against a rival, over the cells that both have.

    Attributes:
        rival: its name.
        n: cells in common.
        mean_difference: mean of (method - rival), in the unit of the scores.
        wins: cells in which the method is strictly better.
        p: exact two-sided Wilcoxon signed-rank, of this pair alone.
        p_holm: the same, corrected for the number of rivals; below 0.05 is the usual proof.
        n_t: cells of the t-test.
        p_t: two-sided paired t-test on those alone; NaN with fewer than two.
    """

    rival: str
    n: int
    mean_difference: float
    wins: int
    p: float
    p_holm: float
    n_t: int
    p_t: float


@dataclass(frozen=True)
class Ranking:
    """Several methods ranked over the same blocks (sets, or seeds).

    Attributes:
        mean_ranks: method -> mean rank, 1 is best; in the order of the ranks.
        n: blocks in which every method has a score.
        chi2, p_chi2: Friedman's statistic, corrected for ties, and its probability if all methods were alike.
        f, p: the F-statistic of Iman and Davenport made from it, which is less cautious; the p to report.
        critical_difference: mean ranks further apart than this differ (Nemenyi), at ``alpha``.
        alpha: as given.
        p_pairs: (k, k) Nemenyi's p for each two methods, in the order of ``mean_ranks``; 1 on the diagonal.
    """

    mean_ranks: dict[str, float]
    n: int
    chi2: float
    p_chi2: float
    f: float
    p: float
    critical_difference: float
    alpha: float
    p_pairs: np.ndarray


def wilcoxon_exact(differences: ArrayLike) -> float:
    """Two-sided p of the Wilcoxon signed-rank test, exact also with ties: 1 when nothing differs.

    The null hypothesis is that each of ``differences`` (n,) could as well have had the other sign; all 2^n choices are
    counted. Zeros are left out, ties share the mean of their ranks. (``scipy.stats.wilcoxon(method="exact")`` counts as
    if there were no ties.) n pairs never give a p below 2^(1-n): five cannot reach 0.05.

    Raises ConfigError for differences that are not 1-D, finite and at least one.
    """
    from scipy.stats import rankdata

    found = _differences(differences)
    found = found[found != 0]
    if not len(found):
        return 1.0
    ranks = np.rint(2 * rankdata(np.abs(found))).astype(np.int64)  # doubled, so that shared ranks are whole
    below = int(ranks[found < 0].sum())
    smaller = min(below, int(ranks.sum()) - below)
    return min(1.0, 2 * float(_sums_of_choices(ranks)[: smaller + 1].sum()))


def paired_t(differences: ArrayLike) -> float:
    """Two-sided p of the t-test that the mean of ``differences`` (n,) is 0; NaN for one, 0 when all are the same."""
    from scipy.stats import t

    found = _differences(differences)
    if len(found) < 2:
        return float("nan")
    spread = float(found.std(ddof=1)) / len(found) ** 0.5
    if spread == 0.0:
        return 0.0 if found[0] else 1.0
    return float(2 * t.sf(abs(found.mean()) / spread, len(found) - 1))


def holm(p_values: ArrayLike) -> np.ndarray:
    """(m,) p-values of m tests, corrected so that the chance of *any* false alarm stays below the level (Holm 1979).

    The smallest is multiplied by m, the next by m - 1, and so on; none falls below a smaller one, none exceeds 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ConfigError("p_values must be 1-D numbers from 0 to 1.")
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def compare_with(method: str, scores: Mapping[str, ArrayLike], t_cells: ArrayLike | None = None) -> list[Comparison]:
    """``method`` against each other method of ``scores``, in their order.

    Args:
        method: a key of ``scores``.
        scores: method -> (m,) scores in the same cells, NaN where it has none.
        t_cells: (m,) bool, which cells the t-test takes: one score for each set, say its ACC; None takes all.

    Raises:
        ConfigError: the method is not among the scores, there is no rival, lengths differ, or two methods have no cell
            in common.
    """
    table = _table(scores)
    if method not in table or len(table) < 2:
        raise ConfigError(f"method={method!r} needs scores and a rival; there are scores of {', '.join(table)}.")
    chosen = np.ones(len(table[method]), dtype=bool) if t_cells is None else np.asarray(t_cells, dtype=bool)
    if chosen.shape != table[method].shape:
        raise ConfigError(f"t_cells must say yes or no for each of {len(table[method])} cells, got {chosen.shape}.")
    found = [_comparison(rival, *_common(table, method, rival), chosen) for rival in table if rival != method]
    corrected = holm([row.p for row in found])
    return [replace(row, p_holm=float(p)) for row, p in zip(found, corrected, strict=True)]


def friedman_nemenyi(scores: Mapping[str, ArrayLike], alpha: float = 0.05) -> Ranking:
    """Ranks three or more methods over the blocks in which all have a score.

    Args:
        scores: method -> (n,) scores in the same blocks, NaN where it has none. Blocks should be independent: sets, or
            seeds, with one score each.
        alpha: level of the critical difference, between 0 and 1.

    Raises:
        ConfigError: fewer than three methods or two complete blocks, lengths differ, or alpha is no level.
    """
    from scipy.stats import chi2, f, rankdata, studentized_range

    table = _table(scores)
    blocks = np.column_stack(list(table.values()))
    blocks = blocks[~np.isnan(blocks).any(axis=1)]
    n, k = blocks.shape
    if k < 3 or n < 2:
        raise ConfigError(f"ranks need 3 methods and 2 blocks that all have, got {k} and {n}: compare two by Wilcoxon.")
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha={alpha!r} is not a level: give a number between 0 and 1, such as 0.05.")
    ranks = rankdata(-np.round(blocks, DECIMALS), axis=1)
    statistic = friedman_statistic(ranks)
    ratio = iman_davenport(statistic, n, k)
    order = np.argsort(ranks.mean(axis=0), kind="stable")
    means = ranks.mean(axis=0)[order]
    unit = (k * (k + 1) / (12 * n)) ** 0.5  # of the studentised range: sqrt(k (k + 1) / 6 n) / sqrt 2
    return Ranking(
        mean_ranks=dict(zip(np.array(list(table))[order].tolist(), means.tolist(), strict=True)),
        n=n,
        chi2=statistic,
        p_chi2=float(chi2.sf(statistic, k - 1)),
        f=ratio,
        p=float(f.sf(ratio, k - 1, (k - 1) * (n - 1))),
        critical_difference=float(studentized_range.ppf(1 - alpha, k, np.inf) * unit),
        alpha=alpha,
        p_pairs=_nemenyi(np.abs(means[:, None] - means[None, :]) / unit),
    )


def friedman_statistic(ranks: np.ndarray) -> float:
    """Friedman's chi-squared of ``ranks`` (n blocks, k methods), corrected for ties; 0 when all always tie."""
    n, k = ranks.shape
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    within = ((ranks - (k + 1) / 2) ** 2).sum() / (n * (k - 1))
    return float(between / within) if within > 0 else 0.0


def iman_davenport(chi2: float, n: int, k: int) -> float:
    """The F-statistic with (k - 1, (k - 1)(n - 1)) degrees of freedom; infinite when every block has the same order."""
    left = n * (k - 1) - chi2
    return (n - 1) * chi2 / left if left > 1e-9 * n * k else float("inf")


def _nemenyi(ranges: np.ndarray) -> np.ndarray:
    """p for the studentised ``ranges`` (k, k)."""
    from scipy.stats import studentized_range

    values, where = np.unique(ranges, return_inverse=True)
    p: np.ndarray = np.clip(studentized_range.sf(values, len(ranges), np.inf), 0.0, 1.0)
    return np.where(ranges == 0, 1.0, p[where.reshape(ranges.shape)])


def _sums_of_choices(ranks: np.ndarray) -> np.ndarray:
    """Probability of each sum 0..sum(ranks) when each rank is taken or left by the toss of a coin."""
    chance = np.zeros(int(ranks.sum()) + 1)
    chance[0] = 1.0
    for rank in ranks.tolist():
        taken = np.zeros_like(chance)
        taken[rank:] = chance[:-rank]
        chance = (chance + taken) / 2
    return chance


def _comparison(rival: str, differences: np.ndarray, cells: np.ndarray, chosen: np.ndarray) -> Comparison:
    """Of one rival, before the correction for the others; ``chosen`` (m,) are the cells of the t-test."""
    of_t = differences[chosen[cells]]
    p = wilcoxon_exact(differences)
    return Comparison(
        rival=rival,
        n=len(differences),
        mean_difference=float(differences.mean()),
        wins=int((differences > 0).sum()),
        p=p,
        p_holm=p,
        n_t=len(of_t),
        p_t=paired_t(of_t) if len(of_t) else float("nan"),
    )


def _common(table: Mapping[str, np.ndarray], method: str, rival: str) -> tuple[np.ndarray, np.ndarray]:
    """Differences in the cells that both methods have, and which cells those are."""
    cells = np.flatnonzero(~np.isnan(table[method]) & ~np.isnan(table[rival]))
    if not len(cells):
        raise ConfigError(f"{method} and {rival} have no score in the same cell: there is nothing to compare.")
    return _differences(table[method][cells] - table[rival][cells]), cells


def _differences(differences: ArrayLike) -> np.ndarray:
    found = np.asarray(differences, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ConfigError(f"differences must be 1-D, finite and at least one, got shape {found.shape}.")
    return np.round(found, DECIMALS)


def _table(scores: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    table = {name: np.asarray(row, dtype=np.float64) for name, row in scores.items()}
    if len({row.shape for row in table.values()}) != 1 or next(iter(table.values())).ndim != 1:
        shapes = ", ".join(f"{name} {row.shape}" for name, row in table.items())
        raise ConfigError(f"scores must be one row of the same length for each method, got {shapes or 'none'}.")
    return table
