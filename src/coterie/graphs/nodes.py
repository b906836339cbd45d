"""Looking into a merge history from above: what lies inside a node, and where it last came together."""

import numpy as np

from coterie.graphs.compiled import Integer, compiled


@compiled
def node_ranges(merges: np.ndarray, c: Integer) -> tuple[np.ndarray, np.ndarray]:
    """(start, width), each (c + m,): an order of the ``c`` initial clusters in which every node of the ``m`` mergers is
    the range from its start on, that many initial clusters wide.
    """
    width = np.ones(c + len(merges), np.int64)
    for t in range(len(merges)):
        width[c + t] = width[merges[t, 0]] + width[merges[t, 1]]
    start = np.full(c + len(merges), -1)
    free = 0
    for node in range(c + len(merges) - 1, -1, -1):
        if start[node] < 0:  # nothing merged it
            start[node] = free
            free += width[node]
        if node >= c:
            one, other = merges[node - c]
            start[one] = start[node]
            start[other] = start[node] + width[one]
    return start, width


@compiled
def last_merger(merges: np.ndarray, own: np.ndarray, c: Integer, node: Integer, size: float) -> Integer:
    """The node inside ``node`` that came last of those made of two parts with ``own`` (c + m,) of at least ``size``; -1
    when there is none.
    """
    while node >= c and own[node] >= 2 * size:
        one, other = merges[node - c]
        if min(own[one], own[other]) >= size:
            return node
        node = one if own[one] >= own[other] else other
    return -1
