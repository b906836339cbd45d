"""Scores against known classes.

Every function takes ``classes`` (n,) and ``labels`` (n,), integers or text whose values only name groups, and is pure.
Images whose class is unknown are left out by the caller. All raise ConfigError when the two differ in length, are empty
or hold NaN. None of them ever divides by zero: what a score is when there is one class, or one class per image, stands
in its docstring, and ``score_notes`` says when that happened.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from coterie.errors import ConfigError
from coterie.metrics.contingency import Contingency, count, entropy, groups

Average = Literal["geometric", "arithmetic"]


def accuracy(classes: ArrayLike, labels: ArrayLike) -> float:
    """Share of images that are right under the best one-to-one naming of clusters by classes (ACC), 0 to 1.

    The numbers of clusters and classes may differ; images of a cluster without a partner count as wrong.
    """
    table = count(classes, labels)
    cells = _matched_cells(table)
    return float(table.counts[cells].sum() / table.n)


def match(classes: ArrayLike, labels: ArrayLike) -> dict[Any, Any]:
    """Cluster -> class of the best one-to-one naming, which ``accuracy`` counts; those without a partner are absent."""
    table = count(classes, labels)
    cells = _matched_cells(table)
    names = zip(table.cluster_values[table.columns[cells]], table.class_values[table.rows[cells]], strict=True)
    return {cluster.item(): known.item() for cluster, known in names}


def nmi(classes: ArrayLike, labels: ArrayLike, average: Average = "geometric") -> float:
    """Mutual information over a mean of the two entropies, 0 to 1.

    ``average`` names the mean. The default is geometric, I / sqrt(H H'), as in JULE; scikit-learn's default differs, it
    is arithmetic, 2 I / (H + H'), which is never larger. 1.0 when both groupings are one group, 0.0 when only one of
    them is. It is not corrected for chance: many small groups raise it.
    """
    table = count(classes, labels)
    return _nmi(table, average)


def ari(classes: ArrayLike, labels: ArrayLike) -> float:
    """Rand index corrected for chance, at most 1, about 0 for a random grouping; 1.0 for two equal trivial ones."""
    return _ari(count(classes, labels))


def purity(classes: ArrayLike, labels: ArrayLike) -> float:
    """Share of images that belong to the commonest class of their cluster; 1.0 when each image is its own cluster."""
    return _purity(count(classes, labels))


def bcubed(classes: ArrayLike, labels: ArrayLike) -> tuple[float, float, float]:
    """BCubed precision, recall and their harmonic mean F, each above 0 and at most 1.

    Precision is the mean over images of the share of their cluster that has their class, recall of the share of their
    class that is in their cluster (the image itself counts). Computed from the table, without n x n pairs.
    """
    return _bcubed(count(classes, labels))


def uniformity_index(values: ArrayLike, n_groups: int | None = None) -> float:
    """Entropy of the group sizes over ln k (UI): 1 for equal sizes, towards 0 when one group holds nearly everything.

    ``values`` (n,) are classes or labels; k is ``n_groups``, by default the number of groups that occur. A single group
    out of one is as even as can be: 1.0.
    """
    sizes = np.bincount(groups(values, "values")[1])
    k = len(sizes) if n_groups is None else n_groups
    if k < len(sizes):
        raise ConfigError(f"n_groups must be at least the {len(sizes)} groups that occur, got {n_groups}.")
    return min(1.0, entropy(sizes) / float(np.log(k))) if k > 1 else 1.0


def legacy_batch_scores(classes: ArrayLike, labels: ArrayLike, batch_size: int = 100) -> dict[str, float]:
    """Means over consecutive batches of ``purity``, ``nmi`` (arithmetic) and ``ari``, for papers that reported those.

    Scoring batches of 100 one by one flatters: a random grouping into ten clusters gets purity .27 and NMI .21 where
    the whole set gives .10 and 0. A last batch that is not full is left out, unless it is the only one.
    """
    known, found = groups(classes, "classes")[1], groups(labels, "labels")[1]
    if len(known) != len(found):
        raise ConfigError(f"classes and labels must have one entry for each image, got {len(known)} and {len(found)}.")
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, got {batch_size}.")
    starts = range(0, max(len(known) - batch_size, 0) + 1, batch_size)
    tables = [count(known[s : s + batch_size], found[s : s + batch_size]) for s in starts]
    return {
        "purity": float(np.mean([_purity(table) for table in tables])),
        "nmi": float(np.mean([_nmi(table, "arithmetic") for table in tables])),
        "ari": float(np.mean([_ari(table) for table in tables])),
    }


def score_all(classes: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """Every score of this file by name, from one table; ``uniformity_index`` is that of the labels."""
    table = count(classes, labels)
    precision, recall, f = _bcubed(table)
    return {
        "accuracy": float(table.counts[_matched_cells(table)].sum() / table.n),
        "nmi_geometric": _nmi(table, "geometric"),
        "nmi_arithmetic": _nmi(table, "arithmetic"),
        "ari": _ari(table),
        "purity": _purity(table),
        "bcubed_precision": precision,
        "bcubed_recall": recall,
        "bcubed_f": f,
        "uniformity_index": uniformity_index(labels),
        "uniformity_index_classes": uniformity_index(classes),
    }


def score_notes(classes: ArrayLike, labels: ArrayLike) -> list[str]:
    """A sentence for each reason why the scores of these groupings say little; empty in the ordinary case."""
    table = count(classes, labels)
    n_classes, n_clusters, n = len(table.class_sizes), len(table.cluster_sizes), table.n
    notes = []
    if n == 1:
        notes.append("There is one image only: every score is 1 or without meaning.")
    elif n_classes == 1:
        notes.append("All images have the same class: NMI and ARI are 0 unless there is one cluster, and say nothing.")
    elif n_classes == n:
        notes.append("Every image has its own class: ARI is 0 unless every image is its own cluster, and says nothing.")
    if n > 1 and n_clusters == 1:
        notes.append("There is one cluster only: NMI and ARI are 0 unless there is one class, and say nothing.")
    elif n > 1 and n_clusters == n:
        notes.append("Every image is its own cluster: purity is 1 and NMI is high whatever the classes are.")
    if n_clusters > n_classes > 1:
        notes.append(
            f"There are more clusters ({n_clusters}) than classes ({n_classes}): "
            "accuracy counts the images of the surplus clusters as wrong, purity does not."
        )
    return notes


def _nmi(table: Contingency, average: Average) -> float:
    if average not in ("geometric", "arithmetic"):
        raise ConfigError(f"average must be 'geometric' or 'arithmetic', got {average!r}.")
    h, h2 = entropy(table.class_sizes), entropy(table.cluster_sizes)
    if h == 0.0 and h2 == 0.0:
        return 1.0
    expected = table.class_sizes[table.rows] * (table.cluster_sizes[table.columns] / table.n)
    information = float((table.counts * np.log(table.counts / expected)).sum() / table.n)
    mean = (h * h2) ** 0.5 if average == "geometric" else (h + h2) / 2
    # One grouping without entropy shares no information with anything.
    return min(1.0, max(0.0, information) / mean) if min(h, h2) > 0.0 else 0.0


def _ari(table: Contingency) -> float:
    # Python integers: the products of pair counts pass 2^63 at a few hundred thousand images.
    both = sum(c * (c - 1) // 2 for c in table.counts.tolist())
    in_class = sum(c * (c - 1) // 2 for c in table.class_sizes.tolist())
    in_cluster = sum(c * (c - 1) // 2 for c in table.cluster_sizes.tolist())
    pairs = table.n * (table.n - 1) // 2
    bottom = pairs * (in_class + in_cluster) - 2 * in_class * in_cluster
    if bottom == 0:  # only when both are one group, or both are all singletons: the same grouping
        return 1.0
    return float(2 * (both * pairs - in_class * in_cluster) / bottom)


def _purity(table: Contingency) -> float:
    largest = np.zeros(len(table.cluster_sizes), dtype=np.int64)
    np.maximum.at(largest, table.columns, table.counts)
    return float(largest.sum() / table.n)


def _bcubed(table: Contingency) -> tuple[float, float, float]:
    squares = table.counts.astype(np.float64) ** 2
    precision = min(1.0, float((squares / table.cluster_sizes[table.columns]).sum() / table.n))
    recall = min(1.0, float((squares / table.class_sizes[table.rows]).sum() / table.n))
    return precision, recall, 2 * precision * recall / (precision + recall)


def _matched_cells(table: Contingency) -> np.ndarray:
    """Cells of the best one-to-one naming.

    It splits into the connected parts of the table, each solved on its own: with as many classes as images the parts
    are tiny, where the whole table would hold n x n numbers.
    """
    part = _parts(table)
    # The largest cell of each part is the answer where the part has one class or one cluster; there may be very many.
    order = np.lexsort((-table.counts, part))
    firsts = np.flatnonzero(np.diff(part[order], prepend=-1))
    largest = order[firsts]
    width = np.minimum(_distinct(part, table.rows), _distinct(part, table.columns))
    knotted = [np.sort(cells) for cells in np.split(order, firsts[1:]) if width[part[cells[0]]] > 1]
    return np.concatenate([largest[width[part[largest]] == 1], *(_best_cells(table, cells) for cells in knotted)])


def _parts(table: Contingency) -> np.ndarray:
    """Number of the connected part that each cell belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_rows = len(table.class_sizes)
    size = n_rows + len(table.cluster_sizes)
    ends = (table.rows, n_rows + table.columns)
    graph = coo_array((np.ones(len(table.counts), dtype=np.int8), ends), shape=(size, size))
    part: np.ndarray = connected_components(graph.tocsr(), directed=False)[1]
    of_cell: np.ndarray = part[table.rows]
    return of_cell


def _distinct(part: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Number of different ``ends`` in each part."""
    return np.bincount(part[np.unique(ends, return_index=True)[1]])


def _best_cells(table: Contingency, cells: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    rows, i = np.unique(table.rows[cells], return_inverse=True)
    columns, j = np.unique(table.columns[cells], return_inverse=True)
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    where = np.full(counts.shape, -1, dtype=np.int64)
    counts[i, j] = table.counts[cells]
    where[i, j] = cells
    chosen: np.ndarray = where[linear_sum_assignment(counts, maximize=True)]
    matched: np.ndarray = chosen[chosen >= 0]  # partners that share no image are no match
    return matched
