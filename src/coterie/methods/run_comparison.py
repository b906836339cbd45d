"""The runs of a training compared: which one answers, and which others are worth a look."""

from typing import NamedTuple

import numpy as np

from coterie.methods.run_choice import Figures, best_run, collapsed, other_features, pairwise_nmi
from coterie.methods.run_graphs import Judged


class Comparison(NamedTuple):
    """Of r runs: the ``best`` and the ``others`` that group by something else, both from 0, and ``because`` why; their
    ``figures``, in which a run is collapsed whose head or whose answer is; ``nmi`` (r, r) of what they group by.
    """

    best: int
    others: list[int]
    because: str
    figures: Figures
    nmi: np.ndarray


def compared(figures: Figures, found: Judged, prior: np.ndarray, choose: int | None) -> Comparison:
    """The comparison of runs with ``figures``, judged by their graphs as ``found``; run ``choose``, from 1, is the best
    where it is not None. prior: (r, k), how often each cluster was drawn.

    A head that puts all images into few clusters is sure for nothing, so such a run stands behind the others; but what
    it sees may be worth a look, so it may be among the others where its linkage has groups.
    """
    crowded = collapsed(found.labels, prior)
    standing = figures._replace(collapsed=figures.collapsed | crowded)
    best, because = best_run(standing, found.kept, choose)
    nmi = pairwise_nmi(found.labels)
    others = other_features(nmi, figures._replace(collapsed=crowded), found.kept, best)
    return Comparison(best, others, because, standing, nmi)
