"""N-Cuts: normalized cuts on the pairs that lie near each other, all others having no affinity."""

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix, identity

from coterie.classical.rival import normalised_sparse, top_eigenvectors, unit_rows
from coterie.classical.spectral import Spectral
from coterie.errors import ConfigError

CHUNK = 512
LEAST = 1e-6  # affinity; less is none
MOST_AFFINITIES = 200_000_000  # 2.4 GB, twice that while they are put together


class NormalizedCuts(Spectral):
    """Normalized cuts of Shi and Malik (2000), with the discretisation of Yu and Shi (2003): N-Cuts in JULE's tables.

    Affinity exp(-(d^2 / s)^2) with s a twentieth of the largest squared distance, 0 below 1e-6; one is added to each
    degree and a half to the diagonal; the k largest eigenvectors over the roots of the degrees; rows of length 1,
    turned until each lies near an axis, which is its cluster. As uploaded: the fourth power of the distance in the
    affinity. Affinities of 0 are not held, so it takes any number of images of which at most 200 million pairs have
    one.
    n_clusters, random_state, features, device: as ``SpectralNJW``.
    """

    kind = "n-cuts"
    pairs_all = False

    def _rows(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        affinity = near_affinities(features)
        degrees = np.asarray(affinity.sum(axis=1)).ravel() + 1.0
        matrix = normalised_sparse(csr_matrix(affinity + 0.5 * identity(len(features))), degrees)
        return unit_rows(top_eigenvectors(matrix, self.n_clusters, rng) / np.sqrt(degrees)[:, None])

    def _group(self, features: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.random_state)
        return discretised(self._rows(features, rng), rng)


def near_affinities(features: np.ndarray) -> csr_matrix:
    """(n, n): exp(-(d^2 / s)^2) of each two rows of ``features`` (n, d) where that is at least 1e-6; 1 on the diagonal.

    All distances are taken twice, for the largest of them and then for the near ones. ConfigError where more than 200
    million are near.
    """
    n = len(features)
    scale = 0.05 * max(float(block.max()) for block in _sq_blocks(features)) or 1.0
    furthest = scale * math.sqrt(-math.log(LEAST))
    counts, columns, values, total = [], [], [], 0
    for sq in _sq_blocks(features):
        near = sq <= furthest
        total += int(near.sum())
        if total > MOST_AFFINITIES:
            raise ConfigError(
                f"n-cuts has an affinity for more than {MOST_AFFINITIES:,} of the {n**2:,} pairs of the {n:,} images, "
                "too many to hold; take sc-ls, or leave out images that are far from all others: they set the scale"
            )
        counts.append(near.sum(axis=1))
        columns.append(np.nonzero(near)[1].astype(np.int32))
        values.append(np.exp(-((sq[near] / scale) ** 2)))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return csr_matrix((np.concatenate(values), np.concatenate(columns), starts), shape=(n, n))


def _sq_blocks(features: np.ndarray) -> Iterator[np.ndarray]:
    """Chunk by chunk: (m, n) float64 squared distances of rows to all; 0 to themselves."""
    rows = features.astype(np.float64)
    rows -= rows.mean(axis=0)  # the expanded square loses digits far from the origin
    squares = (rows**2).sum(axis=1)
    for i in range(0, len(rows), CHUNK):
        found = rows[i : i + CHUNK] @ rows.T
        found *= -2
        found += squares[i : i + CHUNK, None]
        found += squares
        np.maximum(found, 0.0, out=found)
        own = np.arange(len(found))
        found[own, i + own] = 0.0
        yield found


def discretised(rows: np.ndarray, rng: np.random.Generator, most: int = 20) -> np.ndarray:
    """(n,) the axis each of ``rows`` (n, k), of length 1, lies nearest to once they are turned to lie near axes."""
    n, k = rows.shape
    turn = np.zeros((k, k))
    turn[:, 0] = rows[rng.integers(n)]
    closeness = np.zeros(n)
    for j in range(1, k):
        closeness += np.abs(rows @ turn[:, j - 1])
        turn[:, j] = rows[closeness.argmin()]
    labels, before = np.zeros(n, np.int64), np.inf
    for _ in range(most):
        labels = (rows @ turn).argmax(axis=1)
        pulled = np.zeros((k, k))
        np.add.at(pulled, labels, rows)
        left, values, right = np.linalg.svd(pulled)
        cut = 2 * (n - values.sum())
        if abs(cut - before) < np.finfo(float).eps:
            break
        before, turn = cut, right.T @ left.T
    return labels
