"""Reads what the linkage kernel holds, as plain arrays, and random graphs to start it on."""

import numpy as np

from coterie.graphs.affinity import Graph, affinity_graph
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.hash_tables import EMPTY, Tables
from coterie.graphs.knn import nearest_neighbors
from coterie.graphs.linkage_kernel import LinkageState
from oracles.plain_graphs import dense


def entries(tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(table (e,), key (e,), values (e, w)) of all that is stored; a key that stands twice in a table is an error."""
    capacity = np.where(tables.bits > 0, 1 << tables.bits, 0)
    table = np.repeat(np.arange(len(capacity)), capacity)
    slot = (
        np.arange(len(table)) - np.repeat(np.cumsum(capacity) - capacity, capacity) + np.repeat(tables.start, capacity)
    )
    used = tables.keys[slot] != EMPTY
    table, slot = table[used], slot[used]
    assert (np.bincount(table, minlength=len(capacity)) == tables.entries).all()
    assert len(set(zip(table.tolist(), tables.keys[slot].tolist(), strict=True))) == len(table)
    return table, tables.keys[slot].astype(np.int64), tables.values[slot]


def pair_table(state: LinkageState) -> tuple[np.ndarray, np.ndarray]:
    """(values, present), each (c, c): what the kernel stores for i->j, at [i, j], and whether there is an entry."""
    c = len(state.size)
    table, key, value = entries(state.pairs)
    values, present = np.zeros((c, c)), np.zeros((c, c), bool)
    values[key, table], present[key, table] = value[:, 0], True
    return values, present


def sample_tables(state: LinkageState) -> tuple[np.ndarray, np.ndarray]:
    """(p, q), each (n, c): the weights from each cluster into each image and back, as the kernel stores them.

    An image inside the cluster whose table it stands in is an error.
    """
    n, c = len(state.group), len(state.size)
    table, key, value = entries(state.samples)
    assert (labels_of(state)[key] != table).all()
    p, q = np.zeros((n, c)), np.zeros((n, c))
    p[key, table], q[key, table] = value.T
    return p, q


def labels_of(state: LinkageState) -> np.ndarray:
    """(n,) the cluster each image says it is in."""
    return state.cluster_of_group[state.group]


def members_of(state: LinkageState, cluster: int) -> list[int]:
    """The images in the member list of a cluster."""
    found, s = [], int(state.head[cluster])
    while s >= 0:
        found.append(s)
        s = int(state.following[s])
    return found


def heap_bounds(state: LinkageState) -> np.ndarray:
    """(c, c) the largest key that the heap holds for each pair i < j, at [i, j]; 0 where it holds none."""
    c, size = len(state.size), int(state.heap.size[0])
    pairs, bounds = state.heap.pairs[:size], np.zeros((c, c))
    np.maximum.at(bounds, (pairs >> 32, pairs & 0xFFFFFFFF), state.heap.keys[:size])
    return bounds


def knn_case(seed: int, d: int, *, n: int = 200, k: int = 7) -> tuple[Graph, np.ndarray, np.ndarray]:
    """(graph, dense W, initial clusters) of ``n`` normal points in ``d`` dimensions, weights in 0..1."""
    points = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    neighbors = nearest_neighbors(points, k)
    graph = affinity_graph(neighbors, scale="global")
    return graph, dense_of(graph), nearest_neighbor_clusters(neighbors.indices[:, 0])


def random_case(seed: int, *, n: int = 80, k: int = 7) -> tuple[Graph, np.ndarray, np.ndarray]:
    """(graph, dense W, every image by itself) of random edges and weights, with hubs: targets are drawn unevenly."""
    rng = np.random.default_rng(seed)
    popularity = rng.random(n) ** 3
    popularity /= popularity.sum()
    targets = np.stack([rng.choice(n, k, replace=False, p=popularity) for _ in range(n)])
    graph = Graph(np.arange(0, n * k + 1, k), targets.ravel(), rng.random(n * k), 0)
    W = dense_of(graph)
    np.fill_diagonal(W, 0.0)
    return graph, W, np.arange(n)


def dense_of(graph: Graph) -> np.ndarray:
    return dense(graph.indptr, graph.indices, graph.weights)


def graph_of(W: np.ndarray) -> Graph:
    """The graph of a dense matrix."""
    rows, columns = np.nonzero(W)
    indptr = np.searchsorted(rows, np.arange(len(W) + 1))
    return Graph(indptr.astype(np.int64), columns.astype(np.int64), W[rows, columns].astype(np.float64), 0)
