"""A bag of visual words: the kinds of patches that there are in a set of images, learned without labels."""

import warnings
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from coterie.images.extractor import Images

MOST_WORDS = 200  # Lazebnik et al. have 200 and 400, with little between them
SAMPLE_IMAGES, SAMPLE_PATCHES = 500, 20_000  # 100 patches a word; the authors' program learns from 50 photos
SEED = 0  # fixed: the same images give the same words
ROUNDS = 50  # of k-means; what changes later moves no figure


def sampled_images(store: Images, size: int) -> Iterator[NDArray[np.uint8]]:
    """At most 500 images (b, c, h, w), drawn without repetition, up to ``size`` at a time in the order of the store."""
    n = len(store)
    drawn = np.zeros(n, dtype=bool)
    drawn[np.random.default_rng(SEED).choice(n, min(n, SAMPLE_IMAGES), replace=False)] = True
    start = 0
    for images in store.batches(size):
        chosen = drawn[start : start + len(images)]
        start += len(images)
        if chosen.any():
            yield images[chosen]


def learned_words(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(m, d) centres of k-means on at most 20,000 of the patches (p, d) in ``parts``; m = 200, or as many as differ."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    sample = drawn_patches(parts)
    n_words = min(MOST_WORDS, len(np.unique(sample, axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # patches that differ by rounding alone: two equal words
        means = KMeans(n_words, n_init=1, max_iter=ROUNDS, random_state=SEED).fit(sample)
    return np.ascontiguousarray(means.cluster_centers_, dtype=np.float32)


def drawn_patches(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """At most 20,000 rows of ``parts``, by chance; no more than those are kept at any time."""
    rng = np.random.default_rng(SEED)
    kept: list[NDArray[np.float32]] = []
    marks: list[NDArray[np.float64]] = []
    for part in parts:
        # The rows with the lowest of random marks: a fair sample however many parts there are, and in which sizes.
        kept, marks = [*kept, part], [*marks, rng.random(len(part))]
        lowest = np.sort(np.argsort(np.concatenate(marks))[:SAMPLE_PATCHES])
        kept, marks = [np.concatenate(kept)[lowest]], [np.concatenate(marks)[lowest]]
    return kept[0]


def nearest_words(rows: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.intp]:
    """(p,): which of ``words`` (m, d) is nearest to each of ``rows`` (p, d)."""
    from sklearn.metrics import pairwise_distances_argmin

    nearest: NDArray[np.intp] = pairwise_distances_argmin(rows, words)
    return nearest
