"""Fewer dimensions before the neighbour search: the first principal components."""

import numpy as np
import torch

# Below this number of images all dimensions are searched; above, fewer make the search ten times as fast, and on the
# sets
# of docs/results no worse: what the last components hold is mostly noise to a neighbour search.
REDUCE_FROM = 8_000
COMPONENTS = 64
SAMPLE = 20_000  # rows the components are estimated from
CHUNK = 4096
NARROW = 2_000  # features up to which the whole covariance is cheaper than a randomised search


def components_for(n: int, d: int) -> int | None:
    """The number of components when nobody said: 64 for at least 8,000 images of more than 64 features, else all
    (None).
    """
    return COMPONENTS if n >= REDUCE_FROM and d > COMPONENTS else None


def principal_axes(features: np.ndarray, n_components: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(mean (d,), axes (d, n_components)) float32 of at most 20,000 evenly spaced rows of ``features`` (n, d)."""
    sample = features[:: len(features) // SAMPLE + 1]
    # centred here, because a float32 covariance that the mean is taken off afterwards has lost the digits by then
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    axes = _axes_of_covariance if features.shape[1] <= NARROW else _axes_of_sample
    return mean, axes(sample - mean, n_components, seed)


def _axes_of_covariance(centred: np.ndarray, n_components: int, _: int) -> np.ndarray:
    # torch, because NumPy's eigh takes seconds as soon as another program uses the cores
    rows = torch.from_numpy(centred)
    vectors = torch.linalg.eigh((rows.T @ rows).double())[1]  # eigenvalues ascend
    return np.ascontiguousarray(vectors[:, -n_components:].flip(1).float().numpy())


def _axes_of_sample(centred: np.ndarray, n_components: int, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # images that are all the same have no variance to take shares of
        model = PCA(n_components, svd_solver="randomized", random_state=seed).fit(centred)
    return np.ascontiguousarray(model.components_.T, dtype=np.float32)


def project(features: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(n, p) float32: ``features`` (n, d) along ``axes`` (d, p)."""
    projected = np.empty((len(features), axes.shape[1]), np.float32)
    # in float64, because a float32 product rounds a row differently by its place in the block, and an image's
    # components must not depend on those it comes with
    mean, axes = mean.astype(np.float64), axes.astype(np.float64)
    for begin in range(0, len(features), CHUNK):
        projected[begin : begin + CHUNK] = (features[begin : begin + CHUNK] - mean) @ axes
    return projected
