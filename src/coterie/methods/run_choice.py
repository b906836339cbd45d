"""Which of several trainings to trust, without labels, and which of them found something else.

Each run is ranked by five figures that need no classes, and the best mean rank answers (udc.md section 10), of the
runs that cut little of the neighbour graph of what they see (``run_graphs``): at most twice what the best does. So a
run that has found groups, of which its graph hardly cuts anything, decides alone, and elsewhere the ranks do:

    wasserstein  how far its images are from real ones that it was not trained on; lower is better
    entropy      of the classifier on real images, mean; lower
    marginal     KL of the classifier's mean shares from the shares that were drawn; lower
    agreement    share of images whose cluster is that of their augmented variant; higher
    medoid       mean adjusted Rand index with the other runs; higher

Which of several states of one run answers is chosen by the mean rank among its states. A run that puts the images
into far fewer clusters than were drawn stands behind those that do not, since what it says of them is sure, and agrees
with itself, for nothing. That a run's images drift away from the real ones is told, and counts by its distance alone,
where ranks decide: eta makes that rise as it climbs, in good runs too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

LOWER, HIGHER = ("wasserstein", "entropy", "marginal"), ("agreement", "medoid")
CRITERIA = LOWER + HIGHER
DRIFTS, OF_START = 3.0, 0.25  # a distance that grew to so many times its smallest, and to that share of the first
DECIDES = 2.0  # times what another run cuts of its graph is a feature found less well, whatever the ranks say
SAME = 0.8  # normalised mutual information from which on two groupings are of the same feature


class Figures(NamedTuple):
    """Of r runs, each (r,): the figures of ``CRITERIA``, which runs drift, and which are collapsed."""

    wasserstein: np.ndarray
    entropy: np.ndarray
    marginal: np.ndarray
    agreement: np.ndarray
    medoid: np.ndarray
    drifting: np.ndarray
    collapsed: np.ndarray


def figures_of(
    shares: np.ndarray, changed: np.ndarray, wasserstein: np.ndarray, prior: np.ndarray, drifting: np.ndarray
) -> Figures:
    """The figures of r runs.

    shares: (n, r, k), what each classifier says of real images. changed: (n, r), the labels of variants of them.
    wasserstein: (r,). prior: (r, k), how often each cluster was drawn. drifting: (r,) bool.
    """
    logs = np.log(np.maximum(shares, 1e-12))
    mean = np.maximum(shares.mean(axis=0), 1e-12)
    labels = shares.argmax(axis=2)
    return Figures(
        wasserstein=wasserstein, entropy=-(shares * logs).sum(axis=2).mean(axis=0),
        marginal=(mean * np.log(mean / prior)).sum(axis=1), agreement=(labels == changed).mean(axis=0),
        medoid=medoid(labels), drifting=drifting, collapsed=collapsed(labels, prior),
    )  # fmt: skip


def collapsed(labels: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(r,) bool: whose clusters ``labels`` (n, r) count for less than half of those that ``prior`` (r, k) draws, both
    by the exponential of the entropy of their shares; or that put all images into one.
    """
    k = prior.shape[1]
    shares = np.stack([np.bincount(own, minlength=k) / len(labels) for own in labels.T])
    found: np.ndarray = (_effective(shares) < _effective(prior) / 2) | (shares.max(axis=1) == 1)
    return found


def mean_ranks(figures: Figures) -> np.ndarray:
    """(r,): the mean over ``CRITERIA`` of the rank of each run, 1 the best; equals share theirs. To a collapsed run as
    many are added as there are runs.
    """
    from scipy.stats import rankdata

    own = [rankdata(np.round(getattr(figures, name), 6)) for name in LOWER]
    own += [rankdata(-np.round(getattr(figures, name), 6)) for name in HIGHER]
    ranks: np.ndarray = np.mean(own, axis=0) + len(figures.collapsed) * figures.collapsed
    return ranks


def best_first(figures: Figures, kept: np.ndarray) -> list[int]:
    """The r runs, from 0, the best first: those that cut little of their neighbour graph, of which each has ``kept``
    (r,) inside its clusters, before the others, by mean rank; collapsed ones last.
    """
    far = ~_cuts_little(figures, kept)
    return [int(run) for run in np.lexsort((mean_ranks(figures), far, figures.collapsed))]


def best_run(figures: Figures, kept: np.ndarray, choose: int | None = None) -> tuple[int, str]:
    """The first by ``best_first``, or the one that ``choose`` names from 1: its number from 0, and why."""
    n = len(kept)
    if choose is not None:
        return choose - 1, f"choose={choose} asked for run {choose} of {n}"
    if n == 1:
        return 0, "it is the only run"
    best = best_first(figures, kept)[0]
    near = int((_cuts_little(figures, kept) & (figures.collapsed == figures.collapsed[best])).sum())
    this, cut = f"run {best + 1} of {n}", f"cuts {1 - kept[best]:.1%} of the neighbour graph of its own features"
    if near == 1:
        return best, f"{this} {cut}, less than half of what any other run does that has not collapsed"
    told = ", ".join(f"{name} {getattr(figures, name)[best]:.3g}" for name in CRITERIA)
    among = "" if near == n else f", of the {near} runs that cut little,"
    return best, f"{this} has{among} the best mean rank in figures without labels ({told}) and {cut}"


def moment_ranks(figures: Sequence[Figures]) -> np.ndarray:
    """(t, r): the mean rank of each of t moments among those of the same run; ``figures`` are of r runs each."""
    runs = zip(*(np.stack(values, axis=1) for values in zip(*figures, strict=True)), strict=True)  # each (t,)
    return np.stack([mean_ranks(Figures(*of_run)) for of_run in runs], axis=1)


def best_moments(figures: Sequence[Figures]) -> list[int]:
    """For each of r runs the moment, from 0, with the best mean rank; of equals the last."""
    backwards = moment_ranks(figures)[::-1]
    return [int(moment) for moment in len(backwards) - 1 - backwards.argmin(axis=0)]


def at_moments(figures: Sequence[Figures], chosen: Sequence[int], labels: np.ndarray) -> Figures:
    """The figures of r runs, run i as at moment ``chosen[i]``, where they group as ``labels`` (n, r)."""
    runs = np.arange(len(chosen))
    own = Figures(*(np.stack(values)[list(chosen), runs] for values in zip(*figures, strict=True)))
    return own._replace(medoid=medoid(labels))  # the runs now meet at other moments than they did


def pairwise_nmi(labels: np.ndarray) -> np.ndarray:
    """(r, r): normalised mutual information (arithmetic) of the groupings ``labels`` (n, r)."""
    from sklearn.metrics import normalized_mutual_info_score

    return _pairwise(labels, normalized_mutual_info_score)


def other_features(nmi: np.ndarray, figures: Figures, kept: np.ndarray, chosen: int) -> list[int]:
    """The runs, the best first, that group by something else than ``chosen`` and than each other, by ``pairwise_nmi``;
    none that is collapsed.
    """
    found = [chosen]
    for run in best_first(figures, kept):
        if not figures.collapsed[run] and all(nmi[run, one] < SAME for one in found):
            found.append(run)
    return found[1:]


def drifts(distances: np.ndarray) -> np.ndarray:
    """(r,) bool: which runs move away from the images again, by ``distances`` (t, r), their Wasserstein estimates.

    The mean over the last tenth is 3 times the smallest mean of a tenth, and a quarter of the first (UDC, supplement:
    too many noise variables show as a distance that diverges late).
    """
    t = len(distances)
    if t < 10:
        return np.zeros(distances.shape[1], dtype=bool)
    tenths = np.abs([part.mean(axis=0) for part in np.array_split(distances, 10)])
    last: np.ndarray = tenths[-1]
    return (last > DRIFTS * tenths.min(axis=0)) & (last > OF_START * tenths[0])


def correlations(figures: Figures, kept: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Spearman's correlation of each criterion and of ``kept`` (r,), so turned that higher is better, with ``scores``
    (r,) of the runs against known classes; NaN where one of the two is constant. For studies: nothing is chosen by it.
    """
    from scipy.stats import rankdata

    def of(values: np.ndarray) -> float:
        a, b = rankdata(values), rankdata(scores)
        return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else float("nan")

    turned = {name: -getattr(figures, name) for name in LOWER} | {name: getattr(figures, name) for name in HIGHER}
    return {name: of(values) for name, values in turned.items()} | {
        "mean_rank": of(-mean_ranks(figures)), "kept": of(kept),
    }  # fmt: skip


def spread(scores: Sequence[float]) -> dict[str, float]:
    """min, median and max, as the tables of the paper have them."""
    return {"min": float(np.min(scores)), "median": float(np.median(scores)), "max": float(np.max(scores))}


def medoid(labels: np.ndarray) -> np.ndarray:
    """(r,): the mean adjusted Rand index of each of the groupings ``labels`` (n, r) with the others; 1 of one alone."""
    from sklearn.metrics import adjusted_rand_score

    runs = labels.shape[1]
    if runs == 1:
        return np.ones(1)
    alike: np.ndarray = _pairwise(labels, adjusted_rand_score)
    return (alike.sum(axis=1) - 1) / (runs - 1)


def _cuts_little(figures: Figures, kept: np.ndarray) -> np.ndarray:
    """(r,) bool: who cuts at most twice what the best does of those that have not collapsed, if there are any."""
    cut = np.round(1 - kept, 6)
    standing = cut if figures.collapsed.all() else cut[~figures.collapsed]
    found: np.ndarray = cut <= DECIDES * standing.min()
    return found


def _effective(shares: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.exp(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1))
    return found


def _pairwise(labels: np.ndarray, score: Any) -> np.ndarray:
    runs = labels.shape[1]
    alike = np.eye(runs)
    for i in range(runs):
        for j in range(i):
            alike[i, j] = alike[j, i] = score(labels[:, i], labels[:, j])
    return alike
