"""Agglomeration by centres and scatters, whose memory grows with the number of images and not with its square.

Sizes, centres and scatters (mean squared distances of the members to their centre) tell two distances of clusters:

    average of the squared distances of their images    |c_a - c_b|^2 + s_a + s_b
    Ward's growth of the sum of squares                 |a| |b| / (|a| + |b|) |c_a - c_b|^2

No merger brings its result nearer to a third cluster than both its parts were, so two clusters that are each other's
nearest merge at some time, whatever happens first (Bruynooghe, 1977), and the tree may be built out of order. As long
as many are such pairs, all of them merge at once, which takes products of matrices; the rest is one chain of nearest
neighbours after another.
"""

from collections.abc import Callable

import numpy as np

from coterie.graphs.history import History, history_of

BLOCK = 512  # clusters whose distances to all others are held at once
WORTH = 20  # a product of matrices is so many times as fast as one of a vector at a time

Parts = tuple[np.ndarray, np.ndarray]
Distance = Callable[[np.ndarray, Parts, Parts], np.ndarray]


def average_of_squares(sq: np.ndarray, sizes: Parts, scatters: Parts) -> np.ndarray:  # noqa: ARG001
    """The mean squared distance of an image of one cluster to one of the other, where ``sq`` is that of the centres."""
    return sq + scatters[0] + scatters[1]


def ward(sq: np.ndarray, sizes: Parts, scatters: Parts) -> np.ndarray:  # noqa: ARG001
    """How much the sum of squared distances to the centres grows when the two are one."""
    found: np.ndarray = sq * (sizes[0] * sizes[1] / (sizes[0] + sizes[1]))
    return found


def link_centres(features: np.ndarray, distance: Distance) -> History:
    """The mergers of the images ``features`` (n, d) down to one cluster; affinities are negative distances.

    Time grows with n^2 d.
    """
    clusters = _Clusters(features, distance)
    while clusters.m > 1:
        one, two = clusters.mutual_pairs()
        if len(one) * WORTH < clusters.m:
            break
        clusters.merge(one, two)
    _link_chains(clusters)
    return clusters.history()


def _link_chains(clusters: "_Clusters") -> None:
    """Follows nearest neighbours until two are each other's, merges these, and goes on from the one before them."""
    chain: list[int] = []
    reached: list[float] = []  # the distance of each in the chain to the one before
    while clusters.m > 1:
        if not chain:
            chain, reached = [0], [np.inf]
        distances = clusters.distances(slice(chain[-1], chain[-1] + 1))[0]
        distances[chain] = np.inf
        nearest = int(distances.argmin())
        if distances[nearest] < reached[-1]:
            chain.append(nearest)
            reached.append(float(distances[nearest]))
            continue
        one, two = sorted(chain[-2:])
        del chain[-2:], reached[-2:]
        clusters.merge(np.array([one]), np.array([two]))
        chain = [two if i == clusters.m else i for i in chain]  # the last took the place that came free


class _Clusters:
    """The clusters of the moment, in the first ``m`` rows of every array."""

    def __init__(self, features: np.ndarray, distance: Distance) -> None:
        self.m = n = len(features)
        self.distance = distance
        self.number = np.arange(n)  # one image of each, by which the history knows it
        self.size = np.ones(n)
        self.centre = features.astype(np.float64)
        self.centre -= self.centre.mean(axis=0)  # the expanded square loses digits far from the origin
        self.square = (self.centre**2).sum(axis=1)
        self.scatter, self.height = np.zeros(n), np.zeros(n)
        self.survivors: list[np.ndarray] = []
        self.heights: list[np.ndarray] = []
        self.sizes: list[np.ndarray] = []

    def distances(self, rows: slice) -> np.ndarray:
        """(b, m): of the clusters ``rows`` to all; infinite to themselves."""
        m = self.m
        sq = self.centre[rows] @ self.centre[:m].T
        sq *= -2
        sq += self.square[rows, None]
        sq += self.square[:m]
        np.maximum(sq, 0.0, out=sq)
        sizes, scatters = (self.size[rows, None], self.size[:m]), (self.scatter[rows, None], self.scatter[:m])
        found = self.distance(sq, sizes, scatters)
        found[np.arange(len(found)), np.arange(rows.start, rows.stop)] = np.inf
        return found

    def mutual_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """(p,), (p,): the clusters that are each other's nearest, the smaller index first."""
        blocks = [slice(i, min(i + BLOCK, self.m)) for i in range(0, self.m, BLOCK)]
        nearest = np.concatenate([self.distances(rows).argmin(axis=1) for rows in blocks])
        own = np.arange(self.m)
        one = np.flatnonzero((nearest[nearest] == own) & (own < nearest))
        return one, nearest[one]

    def merge(self, one: np.ndarray, two: np.ndarray) -> None:
        """``two`` (p,) join ``one`` (p,), each smaller than its partner; the last clusters move to where they were."""
        gap = self.centre[two] - self.centre[one]
        sq, sizes, scatters = (
            (gap**2).sum(axis=1),
            (self.size[one], self.size[two]),
            (self.scatter[one], self.scatter[two]),
        )
        total = sizes[0] + sizes[1]
        height = self.distance(sq, sizes, scatters)
        height = np.maximum(height, np.maximum(self.height[one], self.height[two]))  # rounding must not turn the tree
        self.survivors.append(np.column_stack([self.number[one], self.number[two]]))
        self.heights.append(height)
        self.sizes.append(total)
        self.centre[one] += gap * (sizes[1] / total)[:, None]
        within = sizes[0] * scatters[0] + sizes[1] * scatters[1] + sizes[0] * sizes[1] / total * sq
        self.scatter[one], self.size[one], self.height[one] = within / total, total, height
        self.square[one] = (self.centre[one] ** 2).sum(axis=1)
        for freed in np.sort(two)[::-1]:
            self._remove(int(freed))

    def _remove(self, freed: int) -> None:
        self.m -= 1
        for values in (self.number, self.size, self.centre, self.square, self.scatter, self.height):
            values[freed] = values[self.m]

    def history(self) -> History:
        """The mergers by rising distance."""
        if not self.survivors:
            return History(self.number, np.empty((0, 2), np.int64), np.empty(0), np.empty(0, np.int64))
        height = np.concatenate(self.heights)
        order = np.argsort(height, kind="stable")
        survivors, sizes = np.concatenate(self.survivors)[order], np.concatenate(self.sizes)[order]
        return history_of(np.arange(len(self.number)), survivors, -height[order], sizes.astype(np.int64))
