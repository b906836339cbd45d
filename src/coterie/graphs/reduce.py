"""Fewer dimensions before the neighbour search: the first principal components."""

import numpy as np

# Below this number of images all dimensions are searched; above, fewer make the search ten times as fast, and on the
# sets
# of docs/results no worse: what the last components hold is mostly noise to a neighbour search.
REDUCE_FROM = 8_000
COMPONENTS = 64
SAMPLE = 20_000  # rows the components are estimated from
CHUNK = 4096


def components_for(n: int, d: int) -> int | None:
    """The number of components when nobody said: 64 for at least 8,000 images of more than 64 features, else all
    (None).
    """
    return COMPONENTS if n >= REDUCE_FROM and d > COMPONENTS else None


def principal_axes(features: np.ndarray, n_components: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(mean (d,), axes (d, n_components)) float32 of at most 20,000 evenly spaced rows of ``features`` (n, d)."""
    from sklearn.decomposition import PCA

    sample = features[:: len(features) // SAMPLE + 1]
    narrow = features.shape[1] <= 2000
    solver = "covariance_eigh" if narrow else "randomized"
    # centred here, because scikit-learn takes the mean off the float32 covariance, where the digits are lost by then
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    with np.errstate(invalid="ignore"):  # images that are all the same have no variance to take shares of
        model = PCA(n_components, svd_solver=solver, random_state=seed).fit(sample - mean)
    return mean, np.ascontiguousarray(model.components_.T, dtype=np.float32)


def project(features: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(n, p) float32: ``features`` (n, d) along ``axes`` (d, p)."""
    projected = np.empty((len(features), axes.shape[1]), np.float32)
    # in float64, because a float32 product rounds a row differently by its place in the block, and an image's
    # components must not depend on those it comes with
    mean, axes = mean.astype(np.float64), axes.astype(np.float64)
    for begin in range(0, len(features), CHUNK):
        projected[begin : begin + CHUNK] = (features[begin : begin + CHUNK] - mean) @ axes
    return projected
