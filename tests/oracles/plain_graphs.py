"""Neighbours, weights, components and histories by plain loops."""

import math

import numpy as np


def knn(features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, squared distances), each (n, k), of the nearest other rows, in float64; ties by the smaller index."""
    X = features.astype(np.float64)
    indices, distances = [], []
    for i, x in enumerate(X):
        d = ((x - X) ** 2).sum(axis=1)
        order = sorted((j for j in range(len(X)) if j != i), key=lambda j: (d[j], j))[:k]
        indices.append(order)
        distances.append(d[order])
    return np.array(indices), np.array(distances)


def local_weights(sq_distances: np.ndarray) -> np.ndarray:
    """exp(-d^2 / (2 sigma_i^2)) / sigma_i, sigma_i the distance to the floor(k/2)-th neighbour (jule.md A1.7)."""
    n, k = sq_distances.shape
    weights = np.zeros((n, k))
    for i in range(n):
        variance = sq_distances[i, max(k // 2, 1) - 1]
        for j in range(k):
            weights[i, j] = math.exp(-sq_distances[i, j] / (2 * variance)) / math.sqrt(variance)
    return weights


def global_weights(sq_distances: np.ndarray, a: float) -> np.ndarray:
    """exp(-d^2 / sigma^2), sigma^2 = a times the mean of all d^2 (jule.md A1.3-4)."""
    n, k = sq_distances.shape
    mean = sum(float(d) for row in sq_distances for d in row) / (n * k)
    return np.array([[math.exp(-d / (a * mean)) for d in row] for row in sq_distances])


def dense(indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, n) matrix of a graph in compressed rows; parallel edges add up."""
    n = len(indptr) - 1
    W = np.zeros((n, n))
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            W[i, indices[e]] += weights[e]
    return W


def components(n: int, edges: list[tuple[int, int]]) -> list[int]:
    """The smallest index of each image's connected part, by relabelling until nothing changes."""
    label = list(range(n))
    changed = True
    while changed:
        changed = False
        for i, j in edges:
            low = min(label[i], label[j])
            if label[i] != low or label[j] != low:
                label[i] = label[j] = low
                changed = True
    return label


def clusters_after(initial: np.ndarray, merges: np.ndarray, count: int) -> list[frozenset[int]]:
    """The clusters, as sets of images, after the first ``count`` of SciPy-style ``merges``."""
    c = int(initial.max()) + 1
    nodes = {i: frozenset(np.flatnonzero(initial == i).tolist()) for i in range(c)}
    for t in range(count):
        left, right = (int(child) for child in merges[t][:2])
        nodes[c + t] = nodes.pop(left) | nodes.pop(right)
    return list(nodes.values())


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    """A labelling as a set of sets, which does not know the names of the labels."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def join_by_centroid(features: np.ndarray, labels: np.ndarray, n_clusters: int) -> set[frozenset[int]]:
    """The smallest cluster (ties: the one of the smaller label) joins the one with the nearest mean, until
    ``n_clusters`` are left; the joined cluster keeps the label it was joined to."""
    clusters = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
    while len(clusters) > n_clusters:
        small = min(clusters, key=lambda c: (len(clusters[c]), c))
        mean = features[clusters[small]].mean(axis=0)
        rest = [c for c in clusters if c != small]
        into = min(rest, key=lambda c: (((features[clusters[c]].mean(axis=0) - mean) ** 2).sum(), c))
        clusters[into] = np.concatenate([clusters[into], clusters.pop(small)])
    return {frozenset(members.tolist()) for members in clusters.values()}
