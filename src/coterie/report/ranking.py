"""Which images are typical of their group: the sure ones, and of equally sure ones those in the middle of the group."""

import numpy as np

from coterie.files.run_folder import RunFolder

BLOCK_ROWS = 8_192  # rows of the embedding looked at together, so that a large one is never read whole


def typical_first(run: RunFolder) -> np.ndarray:
    """(n,) int64 place of each image in the order by falling confidence.

    Where neighbours all agree, thousands of images have a confidence of exactly 1; of such equals those with a
    thumbnail come first, then those closest to the mean of their group in the embedding, then those earlier in the
    source.
    """
    n = len(run.labels)
    without_thumb = np.ones(n, dtype=bool)
    if run.thumbnails is not None:
        shown = run.thumbnails.images
        without_thumb[shown[(shown >= 0) & (shown < n)]] = False
    order = np.lexsort((_distances(run), without_thumb, -np.nan_to_num(run.confidence, nan=-1.0)))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    return rank


def _distances(run: RunFolder) -> np.ndarray:
    """(n,) squared distance of each image to the mean of its group; zeros for a run without an embedding."""
    n = len(run.labels)
    if not (run.path / "embedding.npy").exists():
        return np.zeros(n)
    embedding = run.embedding
    groups, group_of = np.unique(run.labels, return_inverse=True)
    sums = np.zeros((len(groups), embedding.shape[1]))
    for start in range(0, n, BLOCK_ROWS):
        np.add.at(sums, group_of[start : start + BLOCK_ROWS], embedding[start : start + BLOCK_ROWS])
    means = sums / np.bincount(group_of)[:, None]
    distances = np.empty(n)
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        distances[rows] = ((embedding[rows] - means[group_of[rows]]) ** 2).sum(axis=1)
    return distances
