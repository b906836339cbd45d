"""Scores: against known classes, without classes, and whether published ones can be true together."""

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

__all__ = [
    "Feasibility",
    "accuracy",
    "agreement",
    "ari",
    "ari_range",
    "bcubed",
    "check_triple",
    "effective_clusters",
    "knn_purity",
    "legacy_batch_scores",
    "match",
    "nmi",
    "nmi_minimum",
    "purity",
    "sampled_silhouette",
    "score_all",
    "score_notes",
    "uniformity_index",
]
