"""Losses that tell images, and clusters, from one another. Free functions of tensors; the equations are tcc.md's."""

import torch
from torch import Tensor

ABSENT = -2  # the id of a queued row whose cluster had no images in its batch
CLOSEST = 1e-7  # to 0 and to 1 that a uniform number may come, so that its Gumbel stays finite (tcc.md section 7)


def gumbel_noise(size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """-log(-log u) for u uniform on (0, 1), on the generator's device."""
    u = torch.rand(size, generator=generator, device=generator.device).clamp(CLOSEST, 1 - CLOSEST)
    return -(-u.log()).log()


def instance_loss(v: Tensor, keys: Tensor, queue: Tensor, is_negative: Tensor | None, tau: float) -> Tensor:
    """-log p(i | x_i, c_i) of Eq. 4, (..., b): each embedding finds its own key among a queue of others'.

    Args:
        v: (..., b, d) unit embeddings of the queries, with gradient.
        keys: (b, d) unit embeddings of the same images by the slow twin.
        queue: (l, d) unit embeddings of other images.
        is_negative: (b, l) bool, False where a row of the queue does not count; None counts all.
        tau: temperature.
    """
    right = (v * keys).sum(-1, keepdim=True) / tau
    wrong = v @ queue.T / tau
    if is_negative is not None:
        wrong = wrong.masked_fill(~is_negative, -torch.inf)
    return torch.cat([right, wrong], dim=-1).logsumexp(-1) - right[..., 0]


def sample_kl(log_pi: Tensor) -> Tensor:
    """KL(q(k | x_i) || 1/K) = log K - H(pi_i), averaged over the images (Eq. 3, as in the paper).

    log_pi: (b, k). It pulls every single image towards all clusters alike.
    """
    return _kl_to_uniform(log_pi.exp(), log_pi).mean()


def marginal_kl(marginal: Tensor) -> Tensor:
    """KL between the mean assignment (k,) of a batch and 1/K: clusters are used alike, single images are left alone."""
    return _kl_to_uniform(marginal, marginal.clamp(min=torch.finfo(marginal.dtype).tiny).log())


def self_training_loss(log_pi: Tensor, marginal: Tensor) -> Tensor:
    """KL(t || pi), a mean over log pi (b, k), where t_i(k) ~ pi_i(k)^2 / marginal(k) is surer and more balanced than pi
    and has no gradient: the self-training of DEC, which the precursor added a tenth of (tcc.md section 6)."""
    balance = marginal.clamp(min=torch.finfo(marginal.dtype).tiny).log()
    log_target = (2 * log_pi - balance).log_softmax(1).detach()
    return (log_target.exp() * (log_target - log_pi)).sum(1).mean()


def cluster_loss(
    r: Tensor,
    others: Tensor,
    queue: Tensor,
    queue_ids: Tensor,
    present: Tensor,
    *,
    tau: float,
    query_negatives: bool = True,
) -> Tensor:
    """L_clu of Eq. 6, a scalar: each cluster finds its own second view among all other clusters'.

    Args:
        r: (k, d) unit representations of the clusters, with gradient.
        others: (k, d) those of the second view, without.
        queue: (l, d) those of past batches; rows of the same cluster are no negatives.
        queue_ids: (l,) the cluster each row was, -1 for random rows, which are negatives of every cluster, ``ABSENT``
            for rows that are nobody's.
        present: (k,) bool; absent clusters count neither as queries nor as negatives.
        tau: tau_c.
        query_negatives: whether the other clusters of ``r`` itself are negatives too.
    """
    k = len(r)
    same = torch.eye(k, dtype=torch.bool, device=r.device)
    against_views = (r @ others.T / tau).masked_fill(~(present | same), -torch.inf)
    own = queue_ids == torch.arange(k, device=r.device)[:, None]
    against_past = (r @ queue.T / tau).masked_fill(own | (queue_ids == ABSENT), -torch.inf)
    columns = [against_views, against_past]
    if query_negatives:
        columns.append((r @ r.T / tau).masked_fill(same | ~present, -torch.inf))
    each = torch.cat(columns, dim=1).logsumexp(1) - (r * others).sum(1) / tau
    return torch.where(present, each, 0.0).sum() / present.sum().clamp(min=1)


def _kl_to_uniform(p: Tensor, log_p: Tensor) -> Tensor:
    k = torch.tensor(float(p.shape[-1]), dtype=p.dtype, device=p.device)
    return (p * (log_p + k.log())).sum(-1)
