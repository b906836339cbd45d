"""Scores: against known classes, without classes, whether published ones can be true together, and tests on them."""

from coterie.metrics.external import (
    accuracy,
    ari,
    bcubed,
    legacy_batch_scores,
    match,
    nmi,
    purity,
    score_all,
    score_notes,
    uniformity_index,
)
from coterie.metrics.feasibility import Feasibility, ari_range, check_triple, nmi_minimum
from coterie.metrics.internal import agreement, effective_clusters, knn_purity, sampled_silhouette
from coterie.metrics.significance import (
    Comparison,
    Ranking,
    compare_with,
    friedman_nemenyi,
    holm,
    paired_t,
    wilcoxon_exact,
)

__all__ = [
    "Comparison",
    "Feasibility",
    "Ranking",
    "accuracy",
    "agreement",
    "ari",
    "ari_range",
    "bcubed",
    "check_triple",
    "compare_with",
    "effective_clusters",
    "friedman_nemenyi",
    "holm",
    "knn_purity",
    "legacy_batch_scores",
    "match",
    "nmi",
    "nmi_minimum",
    "paired_t",
    "purity",
    "sampled_silhouette",
    "score_all",
    "score_notes",
    "uniformity_index",
    "wilcoxon_exact",
]
