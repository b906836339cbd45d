"""Graph degree linkage by its definition, on dense matrices: slow, short, and written without a look at the kernel.

W (n, n) directed affinity, rows are sources; labels (n,) the cluster of each image.
"""

import numpy as np


def u_by_loops(W: np.ndarray, labels: np.ndarray, i: int, c: int) -> float:
    """U(i->c) of JULE Eq. 1: the sum over s in C_i of (weight from c into s) times (weight from s into c)."""
    total = 0.0
    for s in np.flatnonzero(labels == i):
        into = out = 0.0
        for r in np.flatnonzero(labels == c):
            into += W[r, s]
            out += W[s, r]
        total += into * out
    return total


def u_table(W: np.ndarray, labels: np.ndarray, c: int) -> np.ndarray:
    """(c, c) of U(i->j), by H' (P o Q) with H one-hot, P = W'H, Q = WH; the diagonal is 0."""
    H = np.eye(c)[labels]
    U = H.T @ ((W.T @ H) * (W @ H))
    np.fill_diagonal(U, 0.0)
    return U


def pq_tables(W: np.ndarray, labels: np.ndarray, c: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, c) weights from each cluster into each image and from each image into each cluster, 0 inside a cluster."""
    H = np.eye(c)[labels]
    outside = H == 0
    return (W.T @ H) * outside, (W @ H) * outside


class DenseLinkage:
    """The directed affinities A(i->j) of ``c`` clusters, and what a merger makes of them under one of the three rules.

    rule: "exact" (Eqs. 2-3), "size_ratio" (Eq. 7) or "constant_ratio" (Eq. 9 with ``alpha``).
    """

    def __init__(self, W: np.ndarray, labels: np.ndarray, rule: str = "exact", alpha: float = 0.0) -> None:
        self.W, self.labels, self.rule, self.alpha = W, labels.copy(), rule, alpha
        self.c = int(labels.max()) + 1
        self.directed = self._by_definition()

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.labels, minlength=self.c).astype(float)

    def affinity(self) -> np.ndarray:
        """(c, c) symmetric A(i, j) = A(i->j) + A(j->i)."""
        return self.directed + self.directed.T

    def unnormalised(self) -> np.ndarray:
        """(c, c) U(i->j) = |j|^2 A(i->j), as the rule has it."""
        return self.directed * self.sizes**2

    def best(self) -> tuple[float, int, int]:
        """The largest affinity and its pair, the smallest pair of equals."""
        upper = np.triu(self.affinity(), 1)
        i, j = divmod(int(upper.argmax()), self.c)
        return float(upper[i, j]), i, j

    def merge(self, stays: int, goes: int) -> None:
        m, n, A = self.sizes[stays], self.sizes[goes], self.directed
        if self.rule == "exact":
            incoming = np.zeros(self.c)  # comes from the definition, below
        elif self.rule == "size_ratio":
            incoming = m / (m + n) * A[:, stays] + n / (m + n) * A[:, goes]
        else:
            incoming = (1 + self.alpha) * (m**2 * A[:, stays] + n**2 * A[:, goes]) / (m + n) ** 2
        A[stays, :] += A[goes, :]  # Eq. 2
        A[:, stays] = incoming
        A[goes, :] = A[:, goes] = 0.0
        A[stays, stays] = 0.0
        self.labels[self.labels == goes] = stays
        if self.rule == "exact":
            self.directed = self._by_definition()

    def _by_definition(self) -> np.ndarray:
        return u_table(self.W, self.labels, self.c) / np.maximum(self.sizes, 1.0) ** 2


def run(W: np.ndarray, labels: np.ndarray, rule: str = "exact", alpha: float = 0.0) -> list[tuple[float, int, int]]:
    """(affinity, i, j) of every merger, each the best pair at its time, until no affinity is positive."""
    dense, merges = DenseLinkage(W, labels, rule, alpha), []
    while (best := dense.best())[0] > 0:
        merges.append(best)
        dense.merge(best[1], best[2])
    return merges
