"""Levels of a merge history by sets of images and plain loops, straight from the words of ``graphs.levels``."""

from itertools import permutations

import numpy as np

from coterie.graphs.history import History

Level = set[frozenset[int]]


def nodes(history: History) -> list[frozenset[int]]:
    """The images of every node."""
    found = [frozenset(np.flatnonzero(history.initial == i).tolist()) for i in range(history.n_initial)]
    for one, other in history.merges.tolist():
        found.append(found[one] | found[other])
    return found


def roots(history: History, moment: int) -> list[int]:
    """The nodes that nothing has merged after that many mergers."""
    merged = set(history.merges[:moment].ravel().tolist())
    return [node for node in range(history.n_initial + moment) if node not in merged]


def matched(history: History, labels: np.ndarray, moment: int, min_size: float) -> list[int]:
    """The counted root of each label, by trying every pairing."""
    images = nodes(history)
    counted = [node for node in roots(history, moment) if len(images[node]) >= min_size]
    groups = [set(np.flatnonzero(labels == label).tolist()) for label in range(int(labels.max()) + 1)]

    def common(order: tuple[int, ...]) -> int:
        return sum(len(images[node] & group) for node, group in zip(order, groups, strict=True))

    return list(max(permutations(counted), key=common))


def fewer(history: History, labels: np.ndarray, node_of: list[int], moment: int, fewest: int) -> list[Level]:
    """The levels below the run's, one after the other."""
    groups: dict[int, frozenset[int]] = {
        node: frozenset(np.flatnonzero(labels == label).tolist()) for label, node in enumerate(node_of)
    }
    found = []
    for merger, (one, other) in enumerate(history.merges.tolist()):
        if merger < moment:
            continue
        held = [groups.pop(child) for child in (one, other) if child in groups]
        if len(held) == 2 and len(groups) + 1 < fewest:
            break
        if held:
            groups[history.n_initial + merger] = frozenset().union(*held)
        if len(held) == 2:
            found.append(set(groups.values()))
    return found


def more(
    history: History, labels: np.ndarray, node_of: list[int], min_size: float, most: int, features: np.ndarray
) -> list[Level]:
    """The levels above the run's, one after the other."""
    images = nodes(history)
    parts = {label: [node] for label, node in enumerate(node_of)}
    steps = [[list(own) for own in parts.values()]]
    size = max(min_size, 1.0)
    while True:
        options = []
        for label, own_parts in parts.items():
            own = set(np.flatnonzero(labels == label).tolist())
            for part in own_parts:
                for merger, (one, other) in enumerate(history.merges.tolist()):
                    inside = images[history.n_initial + merger] <= images[part]
                    if inside and min(len(images[one] & own), len(images[other] & own)) >= size:
                        options.append((merger, label, part, [one, other]))
        if sum(map(len, parts.values())) >= most:
            break
        if not options:
            if size <= 2:
                break
            size = max(size / 2, 2.0)
            continue
        _, label, part, children = max(options, key=lambda option: option[0])
        parts[label] = [node for node in parts[label] if node != part] + children
        steps.append([list(own) for own in parts.values()])
    return [_level(images, labels, step, steps[-1], features) for step in steps[1:]]


def _level(
    images: list[frozenset[int]], labels: np.ndarray, step: list[list[int]], last: list[list[int]], features: np.ndarray
) -> Level:
    """Images stand where the last step puts them; a part of an earlier step holds what its parts later hold."""
    groups: Level = set()
    for label, (now, finest) in enumerate(zip(step, last, strict=True)):
        own = set(np.flatnonzero(labels == label).tolist())
        at_home = {node: own & images[node] for node in finest}
        settled = {node: set(held) for node, held in at_home.items()}
        for image in own - set().union(*at_home.values()):
            if len(finest) == 1:
                settled[finest[0]].add(image)
                continue
            far = {n: float(((features[image] - features[sorted(at_home[n])].mean(0)) ** 2).sum()) for n in finest}
            settled[min(far, key=lambda node: far[node])].add(image)
        for node in now:
            groups.add(frozenset().union(*(settled[part] for part in finest if images[part] <= images[node])))
    return groups
