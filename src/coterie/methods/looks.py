"""Where a network with Gaussian attention looked, and what it said: for the page of a run (gatcluster.md section 8)."""

from typing import NamedTuple

import numpy as np
import torch

from coterie.graphs.votes import surest_first
from coterie.nets.attention import gaussian_map

MOST, MOST_EACH = 96, 4  # images shown of a run, and of a group
MOST_POINTS = 2_000  # on the circle


class Looks(NamedTuple):
    """Some images, and the labels l_o of more of them.

    Attributes:
        images: (a,) int64, up to four of each group, the surest first.
        maps: (a, h, w) float32 in 0..1, where the network looked; (a, 0, 0) without an attention branch.
        shares: (a, k) float32, their l_o, column g being that of group g as far as there are as many groups.
        circle: (m, 2) float32, ``circle_map`` of evenly spaced images.
        circle_images: (m,) int64, which those are.
    """

    images: np.ndarray
    maps: np.ndarray
    shares: np.ndarray
    circle: np.ndarray
    circle_images: np.ndarray


def looks(
    labels: np.ndarray, confidence: np.ndarray, shares: np.ndarray, maps: tuple[np.ndarray, tuple[int, int], str] | None
) -> Looks:
    """What the page shows of n images with ``labels`` (n,), their ``confidence`` (n,) and the l_o ``shares`` (n, k).

    maps: theta (n, 3) or (n, 5) of all images, the (h, w) of the map and the form of the Gaussian; None for none.
    """
    shares = shares[:, columns_of_groups(labels, shares)]
    images = surest_of_groups(labels, confidence)
    found = np.zeros((len(images), 0, 0), np.float32)
    if maps is not None:
        theta, shape, form = maps
        found = gaussian_map(torch.from_numpy(theta[images]), shape, form).numpy()
    some = np.arange(0, len(labels), -(-len(labels) // MOST_POINTS))
    circle = circle_map(shares[some]).astype(np.float32)
    return Looks(images, found, shares[images].astype(np.float32), circle, some)


def circle_map(shares: np.ndarray) -> np.ndarray:
    """v (n, 2) of labels l (n, k), Eq. A1: v_i = (sum_h l_ih sin(2 pi h / k), sum_h l_ih cos(2 pi h / k)).

    The sum is over h = 1 .. k; the printed one starts at h = i, the number of the image, which is a slip. An image that
    is surely of cluster h lies on the unit circle, at the angle 2 pi h / k clockwise from above; an unsure one inside.
    Two opposite clusters at a half each are in the middle too.
    """
    k = shares.shape[1]
    angle = 2 * np.pi * np.arange(1, k + 1) / k
    placed: np.ndarray = shares @ np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return placed


def columns_of_groups(labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(k,) the columns of ``shares`` (n, k) in the order of the groups ``labels`` (n,): for each group the column that
    most of its images prefer, each column once; those of no group come last."""
    from scipy.optimize import linear_sum_assignment

    k = shares.shape[1]
    counts = np.zeros((int(labels.max()) + 1, k), np.int64)
    np.add.at(counts, (labels, shares.argmax(axis=1)), 1)
    groups, columns = linear_sum_assignment(counts, maximize=True)
    in_order = columns[np.argsort(groups)]
    return np.concatenate([in_order, np.setdiff1d(np.arange(k), in_order)])


def surest_of_groups(labels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """(a,) int64: up to four images of each group of ``labels`` (n,), the surest first, 96 at most in all."""
    groups = surest_first(labels, confidence)  # as thumbnails are chosen, so that each of these has one
    each = min(max(MOST // len(groups), 1), MOST_EACH)
    return np.concatenate([own[:each] for own in groups])[:MOST]
