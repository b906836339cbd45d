"""What a person would pick instead of coterie, called as its documentation has it; each imports its library when asked.

In an environment of their own: pip install scikit-learn umap-learn fast-hdbscan evoc.
"""

import numpy as np
from agdl import agdl_labels

RIVALS = ["k-means", "evoc", "umap + k-means", "umap + fast-hdbscan", "ward", "spectral", "agdl"]


def rival_labels(method: str, points: np.ndarray, k: int, agdl: str) -> np.ndarray:
    """Labels (n,) of ``points`` (n, d) by one of ``RIVALS``; -1 is what a method calls noise.

    k is given to those that take one. agdl: a folder with a checkout of the public Python AGDL.
    """
    if method == "agdl":
        return agdl_labels(points, k, agdl)
    if method == "evoc":
        from evoc import EVoC

        return EVoC(random_state=0).fit_predict(points)
    if method.startswith("umap"):
        return _by_umap(method, points, k)
    from sklearn import cluster

    return {
        "k-means": lambda: cluster.KMeans(k, n_init=10, random_state=0),
        "ward": lambda: cluster.AgglomerativeClustering(k),
        "spectral": lambda: cluster.SpectralClustering(
            k, affinity="nearest_neighbors", n_neighbors=20, random_state=0, n_jobs=2
        ),
    }[method]().fit_predict(points)


def _by_umap(method: str, points: np.ndarray, k: int) -> np.ndarray:
    from umap import UMAP

    flat = UMAP(n_neighbors=15, min_dist=0.0, n_components=2).fit_transform(points)
    if method.endswith("k-means"):
        from sklearn.cluster import KMeans

        return KMeans(k, n_init=10, random_state=0).fit_predict(flat)
    from fast_hdbscan import HDBSCAN

    return HDBSCAN(min_cluster_size=max(15, len(flat) // (20 * k))).fit_predict(flat)


def placed(labels: np.ndarray) -> tuple[np.ndarray, dict[str, object]]:
    """Labels that place everything, noise as one more cluster, and how many clusters and how much noise there were."""
    noise = labels < 0
    found = {"found": len(np.unique(labels[~noise])), "noise": round(float(noise.mean()), 3)}
    return np.where(noise, labels.max() + 1, labels), found
