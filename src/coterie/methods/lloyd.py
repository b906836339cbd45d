"""k-means of a few thousand points where they are, all restarts at once: nothing is read back from a GPU."""

import torch
from torch import Tensor

RESTARTS = 20  # n_init of the authors of GATCluster
STEPS = 30  # of Lloyd; a thousand points in ten clusters are still after half as many
TRIED = 8  # steps after which only the best quarter of the restarts goes on


def kmeans_labels(
    points: Tensor, k: int, generator: torch.Generator, *, restarts: int = RESTARTS, steps: int = STEPS
) -> Tensor:
    """(m,) int64 in 0..k-1: the nearest of k centres for each of ``points`` (m, d), by the restart with the least sum
    of squared distances. A cluster may be empty where points repeat.

    Starts are k-means++, random through ``generator``, which is on the device of the points; k is at most m.
    """
    # inner products are exact enough about the middle only: the first targets of a training are all nearly the same
    points = points - points.mean(0)
    centres = _spread(points, k, generator, restarts)
    for step in range(steps):
        distances, nearest = _squared(points, centres).min(2)
        if step == TRIED:
            best = distances.sum(1).topk(-(-restarts // 4), largest=False).indices
            centres, nearest = centres[best], nearest[best]
        chosen = (nearest[:, :, None] == torch.arange(k, device=points.device)).to(points.dtype)
        counts = chosen.sum(1)[:, :, None]
        # a centre that nothing is nearest to stays where it was
        centres = torch.where(counts > 0, chosen.transpose(1, 2) @ points / counts.clamp_min(1), centres)
    distances, labels = _squared(points, centres).min(2)
    return labels.gather(0, distances.sum(1).argmin().expand(1, len(points)))[0]


def _spread(points: Tensor, k: int, generator: torch.Generator, restarts: int) -> Tensor:
    """(restarts, k, d) points to start from, each drawn by its squared distance to those before it (k-means++)."""
    m = len(points)
    first = torch.randint(m, (restarts,), generator=generator, device=points.device)
    centres = [points[first]]
    apart = _squared(points, centres[0][:, None])[:, :, 0]
    for _ in range(1, k):
        # where all points are covered already, any will do
        weights = torch.where(apart.sum(1, keepdim=True) > 0, apart, torch.ones_like(apart))
        drawn = torch.multinomial(weights, 1, generator=generator)[:, 0]
        centres.append(points[drawn])
        apart = torch.minimum(apart, _squared(points, centres[-1][:, None])[:, :, 0])
    return torch.stack(centres, 1)


def _squared(points: Tensor, centres: Tensor) -> Tensor:
    """(restarts, m, k) squared distances of ``points`` (m, d), whose mean is 0, to ``centres`` (restarts, k, d)."""
    products = points @ centres.transpose(1, 2)
    lengths = points.square().sum(1)[:, None] + centres.square().sum(2)[:, None]
    return (lengths - 2 * products).clamp_min(0)
