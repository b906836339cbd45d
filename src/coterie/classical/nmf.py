"""NMF: the part an image has most of, as the tables of DAC, DCCM and UDC have it."""

import warnings

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from coterie.classical.factors import NonNegative
from coterie.classical.rival import kmeans_labels
from coterie.parameters import check_choice, check_whole

ASSIGN = ("argmax", "kmeans")


class PlainNMF(NonNegative):
    """Non-negative matrix factorisation with as many parts as clusters, NMF in the tables of DAC, DCCM and UDC.

    By scikit-learn: the squared error, coordinate descent. With the parts at length 1, an image belongs to the part it
    has most of; with ``assign="kmeans"`` the shares of the parts are grouped by k-means. The papers do not say which of
    the two theirs was.

    n_rounds: most rounds of the descent. n_clusters: 1 to n. random_state: seed. features: must not be negative, so
    "unit-pixels"; device: see ``GraphDegreeLinkage``.
    """

    kind = "nmf"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        assign: str = "argmax",
        n_rounds: int = 200,
        random_state: int | None = 0,
        features: object = "auto",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.assign = assign
        self.n_rounds = n_rounds
        self.random_state = random_state
        self.features = features
        self.device = device

    def check_parameters(self) -> None:
        super().check_parameters()
        check_choice("assign", self.assign, ASSIGN)
        check_whole("n_rounds", self.n_rounds)

    def _group_shares(self, rows: np.ndarray) -> np.ndarray:
        model = NMF(self.n_clusters, max_iter=self.n_rounds, random_state=self.random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its tolerance is met by few sets of images
            shares: np.ndarray = model.fit_transform(rows) * np.linalg.norm(model.components_, axis=1)
        if self.assign == "kmeans":
            return kmeans_labels(shares, self.n_clusters, self.random_state)
        found: np.ndarray = shares.argmax(axis=1)
        return found
