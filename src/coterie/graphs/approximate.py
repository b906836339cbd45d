"""Approximate neighbour searches behind one face: likely neighbours of rows, and looking further when too few were
true."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from coterie.errors import MissingExtraError

FIRST_CELLS = 4  # of an inverted file that are looked through at first; doubled until the recall is enough
TRAINING = 64  # points a cell that the cells are learned from, and rounds: more found no more neighbours
ROUNDS = 10
LEAST_TRAINING = 39  # points a cell below which faiss complains


class Index(ABC):
    """A search among the rows of ``features`` (n, d), for ``count`` likely neighbours of each asked row."""

    @abstractmethod
    def search(self, rows: np.ndarray) -> np.ndarray:
        """(m, count) indices of likely neighbours of the rows ``rows`` (m,), themselves among them; -1 for none."""

    def look_further(self) -> bool:
        """From now on looks through more, for more time; False when there is no more to look through."""
        return False


def build_index(features: np.ndarray, count: int, method: str, seed: int) -> Index:
    """method: ``faiss`` (exact), ``ivf``, ``hnsw`` or ``nndescent``."""
    count = min(count, len(features))
    if method == "nndescent":
        return _Descent(features, count, seed)
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(f'search={method!r} needs faiss: pip install "coterie[faiss]"') from error
    kinds = {"faiss": _Flat, "ivf": _InvertedFile, "hnsw": _SmallWorld}
    return kinds[method](faiss, features, count, seed)


class _Faiss(Index):
    index: Any

    def __init__(self, features: np.ndarray, count: int) -> None:
        self.features, self.count = features, count

    def search(self, rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.index.search(self.features[rows], self.count)[1]
        return found


class _Flat(_Faiss):
    def __init__(self, faiss: Any, features: np.ndarray, count: int, _: int) -> None:
        super().__init__(features, count)
        self.index = faiss.IndexFlatL2(features.shape[1])
        self.index.add(features)


class _InvertedFile(_Faiss):
    """Cells around 2 sqrt(n) centres: training, filling and scanning then cost about the same."""

    def __init__(self, faiss: Any, features: np.ndarray, count: int, seed: int) -> None:
        super().__init__(features, count)
        n, d = features.shape
        self.cells = int(np.clip(2 * np.sqrt(n), 1, max(1, n // LEAST_TRAINING)))
        self.index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, self.cells)
        self.index.cp.seed, self.index.cp.niter, self.index.cp.max_points_per_centroid = seed, ROUNDS, TRAINING
        self.index.nprobe = min(FIRST_CELLS, self.cells)
        self.index.train(features)
        self.index.add(features)

    def look_further(self) -> bool:
        if self.index.nprobe >= self.cells:
            return False
        self.index.nprobe = min(2 * self.index.nprobe, self.cells)
        return True


class _SmallWorld(_Faiss):
    def __init__(self, faiss: Any, features: np.ndarray, count: int, _: int) -> None:
        super().__init__(features, count)
        self.index = faiss.IndexHNSWFlat(features.shape[1], 32)
        self.index.hnsw.efSearch = 2 * count
        self.index.add(features)

    def look_further(self) -> bool:
        if self.index.hnsw.efSearch >= min(len(self.features), 64 * self.count):
            return False
        self.index.hnsw.efSearch *= 2
        return True


class _Descent(Index):
    def __init__(self, features: np.ndarray, count: int, seed: int) -> None:
        try:
            from pynndescent import NNDescent
        except ImportError as error:
            raise MissingExtraError("search='nndescent' needs pynndescent: pip install \"coterie[map]\"") from error
        self.found: np.ndarray = NNDescent(features, n_neighbors=count, random_state=seed).neighbor_graph[0]

    def search(self, rows: np.ndarray) -> np.ndarray:
        return self.found[rows]
