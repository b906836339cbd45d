"""What each of several runs groups by: its head or the linkage of its features, and what that keeps of its graph.

The other figures of a run (``run_choice``) are of its classifier alone: how sure it is, and of what. But a classifier
that has only seen generated images puts its borders where those end, and a run may have found a feature that its own
borders cut through; the linkage of its features then finds the groups whole, and hardly cuts anything. Ours.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from coterie.graphs.affinity import smallest_variance
from coterie.graphs.grouping import LinkageSettings
from coterie.graphs.sampled import sampled_rows, spread
from coterie.methods.answers import Answer, head_answer, keeps_most, kept_inside, linkage_answer, most_common
from coterie.methods.run_names import head_of, linkage_of
from coterie.methods.settled import LINKAGE

HEAD = "head"
JUDGED = 10_000  # images whose graphs are looked at, where there are more


class Judged(NamedTuple):
    """Of r runs: ``kept`` (r,), the share, 0 to 1, of the neighbour graph of a run's features that its answer keeps
    inside clusters; ``by`` which answer that is, "head" or "linkage"; and both ``answers``, of all images.
    """

    kept: np.ndarray
    by: list[str]
    answers: list[dict[str, Answer]]

    @property
    def labels(self) -> np.ndarray:
        """(n, r): the groups of each run by the answer that counts."""
        return np.stack([own[name].labels for own, name in zip(self.answers, self.by, strict=True)], axis=1)


def judged(features_of: Callable[[int], np.ndarray], shares: np.ndarray, n_clusters: int, assign: str) -> Judged:
    """The runs by their own graphs; of more than 10,000 images that many are looked at, and the others join where their
    neighbours among those are.

    features_of: gives what run i sees in all images, (n, d). shares: (n, r, k), what the classifiers say of them.
    assign: the answer that counts: "head", "linkage", or "auto", whichever keeps more.
    """
    kept, by, answers = [], [], []
    rows = sampled_rows(len(shares), min(JUDGED, len(shares)))
    for run in range(shares.shape[1]):
        features = features_of(run)
        linkage, grouping = linkage_answer(features[rows], LinkageSettings(n_clusters=n_clusters))
        own = kept_inside(grouping.graph, {HEAD: head_answer(shares[rows, run])[0], LINKAGE: linkage}, n_clusters)
        by.append(keeps_most(own) if assign == "auto" else assign)
        kept.append(own[by[-1]])
        if len(rows) < len(shares):
            assert grouping.neighbors is not None
            smallest = smallest_variance(grouping.neighbors.sq_distances)
            linkage = Answer(*spread(grouping, features, rows, smallest, None)[:2])
        answers.append({HEAD: head_answer(shares[:, run])[0], LINKAGE: linkage})
    return Judged(np.array(kept), by, answers)


def judged_alone(shares: np.ndarray) -> Judged:
    """A single run that says ``shares`` (n, 1, k): there is nothing to compare it with, and no graph is made."""
    return Judged(np.full(1, np.nan), [HEAD], [{HEAD: head_answer(shares[:, 0])[0]}])


def answers_of_others(found: Judged, chosen: int) -> dict[str, Answer]:
    """Both answers of every run but the ``chosen`` one, by their names (``run_names``)."""
    return {
        name: answer
        for run, own in enumerate(found.answers)
        if run != chosen
        for name, answer in ((head_of(run), own[HEAD]), (linkage_of(run), own[LINKAGE]))
    }


def drawn_by_others(
    found: Judged, others: Sequence[int], samples: Sequence[np.ndarray], shares: np.ndarray
) -> dict[str, np.ndarray]:
    """Of each of the runs ``others`` the answer that counts, by its name, and what the run draws for its clusters.

    samples: of every run (k, m, c, h, w). shares: (n, r, k).
    """
    named = {run: head_of(run) if found.by[run] == HEAD else linkage_of(run) for run in others}
    labels = found.labels
    return {name: drawn_for(labels[:, run], samples[run], shares[:, run]) for run, name in named.items()}


def drawn_for(labels: np.ndarray, samples: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(K, m, c, h, w): for each group of ``labels`` (n,) the ``samples`` (k, m, c, h, w) of the drawn cluster that most
    of its images are in, by what the run says of them, ``shares`` (n, k).
    """
    found: np.ndarray = samples[most_common(shares.argmax(axis=1), labels)]
    return found
