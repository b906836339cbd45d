"""What GATCluster teaches itself, and with which losses: free functions of tensors (gatcluster.md section 4).

l is a softmax output (b, k), q those of the clean images that the targets come from (m, k). The optimum of section 1,
every l one-hot with all k clusters in use, is where ``similarity_loss`` and ``entropy_loss`` together are smallest.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from coterie.methods.lloyd import kmeans_labels

EPS = 1e-5  # of the authors: not negligible beside the shares of 1,000 images in a cluster that is nearly empty
LOG_LEAST = -100.0  # where PyTorch's binary cross entropy cuts a logarithm off
GUARD = 0.1  # of m / k: the smallest cluster that k-means may find


class Targets(NamedTuple):
    """What m images are taught: ``similarity`` t_s (m, k), ``attention`` t_a (m, k), ``groups`` (m,) int64, equal for
    two images that belong together; ``guarded``, a bool on the device, when no two do because k-means lost a cluster.
    """

    similarity: Tensor
    attention: Tensor
    groups: Tensor
    guarded: Tensor

    def of(self, rows: Tensor) -> "Targets":
        """The targets of the images ``rows`` (b,) alone."""
        return Targets(self.similarity[rows], self.attention[rows], self.groups[rows], self.guarded)


class Weights(NamedTuple):
    """Weights of the four learning tasks (section 4); 0 leaves one out."""

    similarity: float = 5.0
    relation: float = 1.0
    entropy: float = 3.0
    attention: float = 5.0


def make_targets(q: Tensor, generator: torch.Generator) -> Targets:
    """All targets of m images from their labels ``q`` (m, k), on their device; random through ``generator``."""
    attention = attention_target(q)
    groups, guarded = relation_groups(attention, q.shape[1], generator)
    return Targets(similarity_target(q), attention, groups, guarded)


def similarity_target(q: Tensor) -> Tensor:
    """t_s (m, k): q_ih / (sum_i q_ih + eps), rows divided by their sum + eps; lifts clusters that few images are in."""
    balanced = q / (q.sum(0) + EPS)
    return balanced / (balanced.sum(1, keepdim=True) + EPS)


def attention_target(q: Tensor) -> Tensor:
    """t_a (m, k): q_ih^2 / (sum_i q_ih + eps), rows divided by their sum + eps; surer than q, as in DEC."""
    sharper = q.square() / (q.sum(0) + EPS)
    return sharper / (sharper.sum(1, keepdim=True) + EPS)


def relation_groups(targets: Tensor, k: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(groups (m,), guarded): r_ij = 1 where groups are equal, by k-means on ``targets`` (m, k).

    Where a cluster has fewer than .1 m / k images, every image is a group of its own (r is the identity): relations
    that k-means made up of a collapsing output would make it collapse altogether.
    """
    m = len(targets)
    labels = kmeans_labels(targets, min(k, m), generator)
    counts = (labels[:, None] == torch.arange(k, device=labels.device)).sum(0)
    guarded = counts.min() < max(GUARD * m / k, 1)
    return torch.where(guarded, torch.arange(m, device=labels.device), labels), guarded


def similarity_loss(label: Tensor, target: Tensor) -> Tensor:
    """L_sim = -mean_i sum_h l_ih t_s,ih: what is seen after the transformation is what was seen before it.

    Linear in l, so at a one-hot target it is least for a one-hot l: this is the maximisation of l . l.
    """
    return -(label * target).sum(1).mean()


def relation_loss(label: Tensor, groups: Tensor, eps: float = EPS) -> Tensor:
    """L_rel: binary cross entropy of s_ij = y_i . y_j with r_ij, y = l / (|l| + eps), over the pairs i >= j of the
    sub-batch; r_ij is 1 where ``groups`` (b,) are equal.
    """
    length = label.norm(dim=1, keepdim=True)
    y = label / (length + eps)
    i, j = torch.tril_indices(len(label), len(label), device=label.device)
    # 1 - s without the cancellation: what the eps took off the two lengths, and half of the squared distance
    short = (eps * (eps + 2 * length) / (length + eps).square())[:, 0]
    apart = (y[i] - y[j]).square().sum(1) / 2 + (short[i] + short[j]) / 2
    close = (y[i] * y[j]).sum(1)
    log_s = torch.where(groups[i] == groups[j], _log(close), _log(apart))
    return -log_s.mean()


def entropy_loss(label: Tensor) -> Tensor:
    """L_ent = sum_h p_h log p_h of the sub-batch's mean label p; -log k where all clusters are used alike."""
    p = label.mean(0).clamp_min(EPS)
    return (p * p.log()).sum()


def attention_loss(log_attended: Tensor, target: Tensor) -> Tensor:
    """L_att: binary cross entropy of l_a, given by its logarithm (b, k), with t_a (b, k), over all b k entries."""
    log_not = log1mexp(log_attended).clamp_min(LOG_LEAST)
    return -(target * log_attended.clamp_min(LOG_LEAST) + (1 - target) * log_not).mean()


def total_loss(
    log_label: Tensor, log_attended: Tensor | None, targets: Targets, weights: Weights
) -> tuple[Tensor, Tensor]:
    """The weighted sum, and its parts (5,) without weights: similarity, relation, entropy, entropy of l_a, attention.

    Without l_a (None) its two parts are 0.
    """
    label = log_label.exp()
    zero = label.new_zeros(())
    similarity = similarity_loss(label, targets.similarity)
    relation = relation_loss(label, targets.groups)
    entropy, entropy_attended, attention = entropy_loss(label), zero, zero
    if log_attended is not None:
        entropy_attended = entropy_loss(log_attended.exp())
        attention = attention_loss(log_attended, targets.attention)
    loss = weights.similarity * similarity + weights.relation * relation
    loss = loss + weights.entropy * (entropy + entropy_attended) + weights.attention * attention
    return loss, torch.stack([similarity, relation, entropy, entropy_attended, attention]).detach()


def log1mexp(log_p: Tensor) -> Tensor:
    """log(1 - p) of ``log_p`` <= 0, exact at both ends; -inf is left out of the gradient where p is 1."""
    log_p = log_p.clamp_max(-torch.finfo(log_p.dtype).tiny)
    near_one = log_p > -0.6931  # above half
    # each branch sees harmless numbers where the other is taken, so that no gradient is 0 times infinity
    one = torch.where(near_one, log_p, -torch.ones_like(log_p)).expm1().neg().log()
    other = torch.where(near_one, -torch.ones_like(log_p), log_p).exp().neg().log1p()
    return torch.where(near_one, one, other)


def _log(share: Tensor) -> Tensor:
    """log of ``share`` in 0..1, cut off at -100 as PyTorch's binary cross entropy does."""
    tiny = torch.finfo(share.dtype).tiny
    found = share.clamp(tiny, 1).log().clamp_min(LOG_LEAST)
    return torch.where(share > tiny, found, LOG_LEAST)
