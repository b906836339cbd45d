"""An embedding flattened to two dimensions, for the map of the page."""

from importlib.util import find_spec

import numpy as np

from coterie.errors import ConfigError, MissingExtraError

UMAP_FROM = 16  # images: UMAP looks at the 15 nearest others of each
UMAP_UP_TO = 20_000  # images; beyond, UMAP takes minutes on a laptop, so "auto" draws the PCA map


def flat_map(embedding: np.ndarray, *, method: str = "auto", seed: int = 0) -> np.ndarray:
    """(n, 2) float32 positions of the rows of ``embedding`` (n, d).

    method: ``pca``, the two directions of largest variance; ``umap`` (extra ``map``), neighbourhoods kept together, or
    ``pca`` for fewer than 16 images; ``auto``: UMAP where it is installed and n is 50 to 20,000, else PCA.
    """
    if method not in ("auto", "pca", "umap"):
        raise ConfigError(f"--map {method!r} is not a map; expected auto, pca or umap")
    if method == "auto":
        fits = 50 <= len(embedding) <= UMAP_UP_TO
        method = "umap" if fits and find_spec("umap") is not None else "pca"
    if method == "umap" and len(embedding) >= UMAP_FROM:
        return _umap(embedding, seed)
    return _pca(embedding, seed)


def _pca(embedding: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    n_components = min(2, *embedding.shape)
    flat = np.zeros((len(embedding), 2), np.float32)
    if n_components and np.ptp(embedding, axis=0).max() > 0:
        flat[:, :n_components] = PCA(n_components, svd_solver="auto", random_state=seed).fit_transform(embedding)
    return flat


def _umap(embedding: np.ndarray, seed: int) -> np.ndarray:
    import warnings

    with warnings.catch_warnings():
        # UMAP says that there is no TensorFlow and that a seed makes it use one thread; both are as we want them
        warnings.simplefilter("ignore")
        try:
            from umap import UMAP
        except ImportError as error:
            raise MissingExtraError('--map umap needs UMAP: pip install "coterie[map]"') from error
        flat: np.ndarray = UMAP(random_state=seed, n_jobs=1).fit_transform(embedding)
    return flat.astype(np.float32)
