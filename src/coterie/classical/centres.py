"""How much an image belongs to clusters that are told by their centres."""

import numpy as np

from coterie.graphs.votes import own_share

CHUNK = 4096  # images at a time, so that memory does not grow with their number


def memberships(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(m, k) memberships > 0 of ``features`` (m, d): 1 / squared distance to each of ``centres`` (k, d), as in fuzzy
    c-means with m = 2, in the unit of the largest of a row.
    """
    rows, centres = features.astype(np.float64), centres.astype(np.float64)
    middle = centres.mean(axis=0)  # the expanded square loses digits far from the origin
    rows, centres = rows - middle, centres - middle
    sq_distances = (rows**2).sum(1)[:, None] - 2 * rows @ centres.T + (centres**2).sum(1)
    furthest = np.maximum(sq_distances.max(axis=1, keepdims=True), np.finfo(float).tiny)
    found: np.ndarray = 1 / np.maximum(sq_distances / furthest, 1e-12)  # whatever the features' unit
    return found


def confidences(features: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n,) float32: own / (own + best other) of the memberships of each row of ``features`` (n, d)."""
    found = [
        own_share(memberships(features[i : i + CHUNK], centres), labels[i : i + CHUNK])
        for i in range(0, len(features), CHUNK)
    ]
    return np.concatenate(found).astype(np.float32)
