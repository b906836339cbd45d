"""What each of several runs groups by: its head or the linkage of its features, and what that keeps of its graph.

The other figures of a run (``run_choice``) are of its classifier alone: how sure it is, and of what. But a classifier
that has only seen generated images puts its borders where those end, and a run may have found a feature that its own
borders cut through; the linkage of its features then finds the groups whole, and hardly cuts anything. Ours.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from coterie.graphs.grouping import LinkageSettings
from coterie.methods.answers import Answer, head_answer, kept_inside, linkage_answer, most_common
from coterie.methods.settled import LINKAGE

HEAD = "head"
JUDGED = 10_000  # images, evenly spread, that runs are compared on


class Judged(NamedTuple):
    """Of r runs: ``kept`` (r,), the share, 0 to 1, of the neighbour graph of a run's features that its answer keeps
    inside clusters; ``by`` which answer that is, "head" or "linkage"; and both ``answers``, of the m images looked at.
    """

    kept: np.ndarray
    by: list[str]
    answers: list[dict[str, Answer]]

    @property
    def labels(self) -> np.ndarray:
        """(m, r): the groups of each run by the answer that counts."""
        return np.stack([own[name].labels for own, name in zip(self.answers, self.by, strict=True)], axis=1)


def judged_rows(n: int) -> slice:
    """Every so many of n images that at most 10,000 are left."""
    return slice(0, n, -(-n // JUDGED))


def judged(features_of: Callable[[int], np.ndarray], shares: np.ndarray, n_clusters: int, assign: str) -> Judged:
    """The runs by their own graphs.

    features_of: gives what run i sees in m images, (m, d). shares: (m, r, k), what the classifiers say of them. assign:
    the answer that counts: "head", "linkage", or "auto", whichever keeps more.
    """
    kept, by, answers = [], [], []
    for run in range(shares.shape[1]):
        linkage, grouping = linkage_answer(features_of(run), LinkageSettings(n_clusters=n_clusters))
        answers.append({HEAD: head_answer(shares[:, run])[0], LINKAGE: linkage})
        own = kept_inside(grouping.graph, answers[-1], n_clusters)
        by.append(max(own, key=lambda name: round(own[name], 6)) if assign == "auto" else assign)
        kept.append(own[by[-1]])
    return Judged(np.array(kept), by, answers)


def judged_alone(shares: np.ndarray) -> Judged:
    """A single run that says ``shares`` (n, 1, k): there is nothing to compare it with, and no graph is made."""
    return Judged(np.full(1, np.nan), [HEAD], [{HEAD: head_answer(shares[:, 0])[0]}])


def answers_of_run(run: int, shares: np.ndarray, found: Judged) -> dict[str, Answer]:
    """What ``run``, from 0, groups all images by, of which it says ``shares`` (n, k): its head, "run-1" for the first,
    and, where all were looked at, its linkage, "linkage-of-run-1"; that by which it was judged comes first.
    """
    own = {f"run-{run + 1}": head_answer(shares)[0]}
    linkage = found.answers[run][LINKAGE]
    if len(linkage.labels) < len(shares):
        return own
    named = {f"linkage-of-run-{run + 1}": linkage}
    return named | own if found.by[run] == LINKAGE else own | named


def drawn_for(labels: np.ndarray, samples: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(K, m, c, h, w): of a run's ``samples`` (k, m, c, h, w) of each cluster that it draws those for the clusters of
    ``labels`` (n,): of each the cluster that most of its images are in by the run's ``shares`` (n, k).
    """
    found: np.ndarray = samples[most_common(shares.argmax(axis=1), labels)]
    return found
