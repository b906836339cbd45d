"""Which images of a batch are paired for the triplet mutual information of DCCM (dccm.md section 5).

Everything is vectorised on the device, and nothing is read back from it. ``similarity`` (b, b) and ``linked`` (b, b)
bool are those of the clean images of the batch; the diagonal of ``linked`` is True.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SAMPLERS = ("nearest", "nearest-farthest", "random", "top", "compat")


class Pairs(NamedTuple):
    """Whose deep feature meets whose shallow map.

    Attributes:
        anchors: (b,) int64, images that give the deep feature; 0..b-1 but for "top".
        positives: (b,) int64, one linked image for each anchor, or the anchor itself where it has none.
        negatives: (m, b) int64, m unlinked images for each anchor.
        has_negative: (b,) bool, False where everything is linked to the anchor; its ``negatives`` then mean nothing.
    """

    anchors: Tensor
    positives: Tensor
    negatives: Tensor
    has_negative: Tensor


def sample_pairs(
    sampler: str, similarity: Tensor, linked: Tensor, generator: torch.Generator, n_negatives: int = 2
) -> Pairs:
    """The pairs of a batch by one of ``SAMPLERS``, V1 to V4 of the paper's Table 6 and the authors' code:

    "nearest" (V1): the most similar of the linked images, and random unlinked ones.
    "nearest-farthest" (V2): the most similar linked, and the least similar unlinked.
    "random" (V3): a random linked, and random unlinked.
    "top" (V4): the b most similar linked pairs of the whole batch, and random unlinked images of their anchors.
    "compat": what the code does. The first linked image in the order of the batch, one place too low if it comes after
    the anchor, and the first image of all where none is linked; the first unlinked images in the order of the batch.

    Unlinked images of an anchor are different ones as long as there are enough of them, then the same again. V1 to V3
    pair an anchor that nothing is linked to with itself.
    """
    return _SAMPLERS[sampler](similarity, linked, generator, n_negatives)


def lay_out(pairs: Pairs, self_pairs: bool) -> tuple[Tensor, Tensor, int]:
    """The pairs as rows for the discriminator: anchors (q, b), partners (q, b), and how many rows belong together.

    These come first: every image with itself, where ``self_pairs``, then anchors with their positives.
    """
    everyone = torch.arange(len(pairs.anchors), device=pairs.anchors.device)
    partners = [pairs.positives[None], pairs.negatives]
    anchors = [pairs.anchors.expand(1 + len(pairs.negatives), -1)]
    if self_pairs:
        partners.insert(0, everyone[None])
        anchors.insert(0, everyone[None])
    return torch.cat(anchors), torch.cat(partners), 1 + self_pairs


def _nearest(similarity: Tensor, linked: Tensor, generator: torch.Generator, m: int) -> Pairs:
    return _by_anchor(similarity, _keys(linked, generator), linked, m)


def _nearest_farthest(similarity: Tensor, linked: Tensor, generator: torch.Generator, m: int) -> Pairs:  # noqa: ARG001
    return _by_anchor(similarity, -similarity, linked, m)


def _random(similarity: Tensor, linked: Tensor, generator: torch.Generator, m: int) -> Pairs:  # noqa: ARG001
    return _by_anchor(_keys(linked, generator), _keys(linked, generator), linked, m)


def _top(similarity: Tensor, linked: Tensor, generator: torch.Generator, m: int) -> Pairs:
    once = torch.where(linked.triu(1), similarity, -2.0).flatten()  # a pair once, below -1 where there is none
    itself = torch.full_like(similarity[0], -1.0)  # images with themselves, where the pairs run out
    best = torch.cat([once, itself]).topk(len(linked)).indices
    is_pair = best < once.numel()
    anchors = torch.where(is_pair, best // len(linked), best - once.numel())
    positives = torch.where(is_pair, best % len(linked), anchors)
    negatives, has_negative = _best(_keys(linked, generator), ~linked, m)
    return Pairs(anchors, positives, negatives[:, anchors], has_negative[anchors])


def _compat(similarity: Tensor, linked: Tensor, generator: torch.Generator, m: int) -> Pairs:  # noqa: ARG001
    everyone = torch.arange(len(linked), device=linked.device)
    in_turn = -everyone.to(similarity.dtype).expand_as(similarity)
    first, exists = _best(in_turn, _others(linked), 1)
    positives = torch.where(exists, first[0] - (first[0] > everyone).long(), 0)
    return Pairs(everyone, positives, *_best(in_turn, ~linked, m))


def _by_anchor(nearness: Tensor, farness: Tensor, linked: Tensor, m: int) -> Pairs:
    """For every image the linked one of most ``nearness`` and the ``m`` unlinked ones of most ``farness`` (b, b)."""
    everyone = torch.arange(len(linked), device=linked.device)
    nearest, exists = _best(nearness, _others(linked), 1)
    return Pairs(everyone, torch.where(exists, nearest[0], everyone), *_best(farness, ~linked, m))


def _best(keys: Tensor, allowed: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """(m, b) the ``allowed`` columns of largest ``keys`` (b, b) of every row, over again where there are fewer than
    ``m``; (b,) whether there is one at all."""
    order = keys.masked_fill(~allowed, -torch.inf).topk(min(m, keys.shape[1])).indices
    n_allowed = allowed.sum(1)
    columns = torch.arange(m, device=keys.device) % n_allowed.clamp(1, order.shape[1])[:, None]
    return order.gather(1, columns).T, n_allowed > 0


def _others(linked: Tensor) -> Tensor:
    """``linked`` without the diagonal."""
    return linked & ~torch.eye(len(linked), dtype=torch.bool, device=linked.device)


def _keys(linked: Tensor, generator: torch.Generator) -> Tensor:
    """(b, b) random numbers: the largest of any set of columns are a random choice of them, without return."""
    return torch.rand(linked.shape, generator=generator, device=linked.device)


_SAMPLERS: dict[str, Callable[[Tensor, Tensor, torch.Generator, int], Pairs]] = {
    "nearest": _nearest, "nearest-farthest": _nearest_farthest, "random": _random, "top": _top, "compat": _compat,
}  # fmt: skip
