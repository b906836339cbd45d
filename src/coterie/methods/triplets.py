"""Triplets of a batch, and the loss that pulls a cluster together and pushes others away (JULE, jule.md B4, B5)."""

import torch
from torch import Tensor

NEVER = -1.0  # below every random key


def positive_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(p,) anchors and (p,) positives: every unordered pair of images of a batch with the same label, the earlier one
    first. labels: (b,) int64.
    """
    same = labels[:, None] == labels[None, :]
    anchor, positive = torch.nonzero(same.triu(1), as_tuple=True)
    return anchor, positive


def uniform_negatives(labels: Tensor, anchor: Tensor, n_negatives: int, generator: torch.Generator) -> Tensor:
    """(p, m) images of other labels, drawn for each pair without repeats.

    m is ``n_negatives``, or one less than the labels in the batch where those are fewer. What both releases of JULE do
    (jule.md B4.3). labels (b,), anchor (p,) from ``positive_pairs``.
    """
    m = min(n_negatives, len(torch.unique(labels)) - 1)
    keys = torch.rand(len(anchor), len(labels), generator=generator, device=labels.device)
    keys[labels[anchor][:, None] == labels[None, :]] = NEVER
    return keys.topk(m, dim=1).indices


def nearest_negatives(labels: Tensor, anchor: Tensor, sq_distances: Tensor, n_nearest: int) -> Tensor:
    """(p, m) the nearest image of each of the ``n_nearest`` clusters that are nearest to the anchor in the batch.

    Our reading of the paper's text, in which negatives are neighbours of the anchor from other clusters (jule.md B4.4).
    sq_distances: (b, b); m = min(n_nearest, labels in the batch - 1).
    """
    _, cluster = torch.unique(labels, return_inverse=True)
    g = int(cluster.max()) + 1
    of_other = sq_distances.masked_fill(labels[:, None] == labels[None, :], torch.inf)[anchor]
    closest = torch.full((len(anchor), g), torch.inf, device=labels.device, dtype=of_other.dtype)
    closest = closest.scatter_reduce(1, cluster.expand(len(anchor), -1), of_other, "amin")
    chosen = closest.topk(min(n_nearest, g - 1), dim=1, largest=False)
    among = of_other[:, None, :].masked_fill(cluster[None, None, :] != chosen.indices[:, :, None], torch.inf)
    return among.argmin(dim=2)


def triplet_loss(
    embeddings: Tensor, anchor: Tensor, positive: Tensor, negatives: Tensor, *, margin: float, gamma: float = 1.0
) -> Tensor:
    """Mean over all triplets of max(0, gamma |a - p|^2 - |a - n|^2 + margin), on unit rows (JULE Eq. 23, in the form of
    both releases; jule.md B5).

    embeddings (b, d); anchor, positive (p,); negatives (p, m): indices into the batch.
    """
    near = (embeddings[anchor] - embeddings[positive]).square().sum(1)
    far = _sq_distances(embeddings)[anchor[:, None], negatives]
    return torch.relu(gamma * near[:, None] - far + margin).mean()


def triplet_loss_of_release(
    embeddings: Tensor, anchor: Tensor, positive: Tensor, negatives: Tensor, *, margin: float
) -> Tensor:
    """``triplet_loss`` with gamma = 1 and the gradient of the Torch release, in which a slip leaves only the anchors
    one (jule.md B5): the same value, positives and negatives taken as constants.
    """
    fixed = embeddings.detach()
    near = (embeddings[anchor] - fixed[positive]).square().sum(1)
    far = (embeddings[anchor][:, None] - fixed[negatives]).square().sum(2)
    return torch.relu(near[:, None] - far + margin).mean()


def sq_distances(embeddings: Tensor) -> Tensor:
    """(b, b) squared distances of unit rows, without gradient."""
    return _sq_distances(embeddings.detach())


def _sq_distances(embeddings: Tensor) -> Tensor:
    # rows of length 1: |a - b|^2 = 2 - 2 a.b
    return 2.0 - 2.0 * embeddings @ embeddings.T
