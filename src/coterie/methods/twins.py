"""One step of twin contrast, and what it remembers and tells (tcc.md sections 3 to 7 and 17)."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from coterie.methods.contrast import (
    ABSENT,
    cluster_loss,
    gumbel_noise,
    instance_loss,
    marginal_kl,
    sample_kl,
    self_training_loss,
)
from coterie.methods.epoch_figures import EpochFigures
from coterie.nets.heads import Assigned, TwinHead
from coterie.training.memory import EMATwin, Queue, unit
from coterie.training.processes import Part, cluster_sums, gather_rows, mean_over_processes, share_first

Views = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Objective:
    """Weights and temperatures of Eqs. 2 to 7; the parameters of ``TCC``, which explains them."""

    n_clusters: int
    tau: float = 0.2
    tau_c: float = 0.2
    instance: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    kl: str = "marginal"
    teach: float = 0.0
    self_training: float = 0.0
    gumbel: bool = True
    n_samples: int = 1
    weights: str = "pi"
    query_negatives: bool = True
    halves: bool = False
    queue_noise: float = 0.0
    empty: float = 1e-3
    mask_own: bool = True


@dataclass
class Memory:
    """Q_n of image embeddings and Q_k of cluster representations; both are tracked by the run."""

    images: Queue
    clusters: Queue

    def push(self, step: "Step", index: Tensor) -> None:
        """Appends the keys of a step (tcc.md section 7, 8); ``index`` (b,) says of which images."""
        self.images.push(step.keys, index)
        self.push_clusters(step.others, step.present)

    def push_clusters(self, r: Tensor, present: Tensor) -> None:
        """Appends (k, d) representations of clusters, of which only those ``present`` (k,) count."""
        ids = torch.arange(len(r), device=r.device)
        self.clusters.push_shared(r, torch.where(present, ids, ABSENT))

    def figures(self, b: int) -> dict[str, float]:
        """Of Q_n, filled by ``b`` keys a step: queue_filled, the share of its rows that are keys, and queue_age, the
        steps since the oldest was made (tcc.md section 17). Nothing where there is no queue."""
        if not len(self.images):
            return {}
        return {"queue_filled": self.images.filled / len(self.images), "queue_age": self.images.filled / b}


class Step(NamedTuple):
    """loss (); keys (b, d) and others (k, d) of the second view; present (k,) bool; what there is to log: log_pi (b, k)
    and r (k, d) of the first view and the three terms of the loss (3,)."""

    loss: Tensor
    keys: Tensor
    others: Tensor
    present: Tensor
    log_pi: Tensor
    r: Tensor
    terms: Tensor


def twin_contrast(
    net: nn.Module, twin: nn.Module, views: Views, images: "Known", memory: Memory, o: Objective,
    generator: torch.Generator,
) -> Step:  # fmt: skip
    """Forward through both networks and the loss (tcc.md section 7, 1 to 6), before anything is updated."""
    b, part = len(views[0]), images.part or Part(0, len(views[0]))
    first: Assigned = net(views[0], noise(o, o.n_samples, b, part, generator))  # Eqs. 1, 2
    second: Assigned = twin(views[1], noise(o, 1, b, part, generator))
    keys = second.v[0]

    r, others, present = clusters_of(first, second, part, o)  # Eq. 5
    l_clu = cluster_loss(  # Eq. 6
        r, others, perturbed(memory.clusters.keys, o.queue_noise, generator), memory.clusters.ids, present,
        tau=o.tau_c, query_negatives=o.query_negatives,
    )  # fmt: skip
    l_inst = contrast_of_images(first.v, keys, images, part, memory.images, o).mean()  # Eq. 4
    kl = sample_kl(first.log_pi) if o.kl == "sample" else marginal_kl(marginal(first.log_pi, part))
    loss = o.instance * (l_inst + o.beta * kl) + o.alpha * l_clu  # Eqs. 3, 7
    if o.teach:
        loss = loss + o.teach * taught(first.log_pi, images.labels)
    if o.self_training:
        loss = loss + o.self_training * self_training_loss(first.log_pi, marginal(first.log_pi, part))
    terms = torch.stack([l_inst, kl, l_clu]).detach()
    return Step(loss, keys, others, present, first.log_pi.detach(), r.detach(), terms)


@dataclass(frozen=True)
class Known:
    """Of the images of a batch: index (b,) which they are, labels (b,) int64 their taught cluster or -1, and which rows
    of the batch they are where processes share it."""

    index: Tensor
    labels: Tensor
    part: Part | None = None


def noise(o: Objective, n_samples: int, b: int, part: Part, generator: torch.Generator) -> Tensor:
    """(m, b, k) Gumbel noise, or none: then one sample says as much as many.

    It is drawn for the whole batch, so that each image has its own whatever the number of processes.
    """
    if o.gumbel:
        return gumbel_noise((n_samples, part.whole, o.n_clusters), generator)[:, part.first : part.first + b]
    return torch.zeros(1, b, o.n_clusters, device=generator.device)


def contrast_of_images(v: Tensor, keys: Tensor, images: Known, part: Part, queue: Queue, o: Objective) -> Tensor:
    """Eq. 4 against the queue; with a queue of length 0, against the other keys of the batch."""
    if len(queue):
        return instance_loss(v, keys, queue.keys, queue.is_other(images.index) if o.mask_own else None, o.tau)
    rows = torch.arange(part.whole, device=keys.device)
    others = rows != rows[part.first : part.first + len(keys), None]
    return instance_loss(v, keys, gather_rows(keys), others, o.tau)


def clusters_of(first: Assigned, second: Assigned, part: Part, o: Objective) -> tuple[Tensor, Tensor, Tensor]:
    """r (k, d), r' (k, d) without gradient, and which clusters have images in both views (k,), Eq. 5."""
    a, a_ = (view.log_pi.exp() if o.weights == "pi" else view.c[0] for view in (first, second))
    f, f_, n = first.f, second.f, part.whole
    if o.halves:  # any part of a cluster must represent it
        n = part.whole // 2
        cut = min(max(n - part.first, 0), len(f))
        a, f, a_, f_ = a[:cut], f[:cut], a_[cut:], f_[cut:]
    sums, counts = cluster_sums(a, f)
    sums_, counts_ = cluster_sums(a_.detach(), f_.detach())
    least = o.empty * n / o.n_clusters
    return unit(sums), unit(sums_), (counts.detach() >= least) & (counts_ >= least)


def marginal(log_pi: Tensor, part: Part) -> Tensor:
    """(k,) mean assignment over the images of all processes."""
    return mean_over_processes(log_pi.exp().mean(0), len(log_pi), part.whole)


def taught(log_pi: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the taught images, over the number of all: -log pi_i(label), 0 where the label is -1."""
    known = labels >= 0
    own = log_pi.gather(1, labels.clamp(min=0)[:, None])[:, 0]
    return -torch.where(known, own, 0.0).mean()


def perturbed(rows: Tensor, scale: float, generator: torch.Generator) -> Tensor:
    """N2(2 q + noise) of each row of a queue (tcc.md section 5); the rows themselves for scale 0."""
    if not scale:
        return rows
    draws = torch.randn(rows.shape, generator=generator, device=rows.device)
    return normalize(2 * rows + scale * draws, dim=1)


@dataclass
class Parts:
    """What a training of TCC consists of; ``net`` and ``slow`` are what ``run.setup`` made of ``bare`` and ``twin``."""

    net: nn.Module
    bare: TwinHead
    slow: nn.Module
    twin: EMATwin
    optimizer: torch.optim.Optimizer
    memory: Memory
    figures: EpochFigures

    def train(self) -> None:
        """Puts both networks in the mode they train in."""
        self.net.train()
        self.twin.train(self.twin.batch_norm == "own")

    def answering(self, encoder: str) -> TwinHead:
        """The network that makes the embedding: "query", the trained one, or "ema", its twin."""
        return cast("TwinHead", self.twin.net) if encoder == "ema" else self.bare

    @torch.no_grad()
    def start_anew(self, f: Tensor, labels: Tensor, b: int, past: int, generator: torch.Generator) -> None:
        """Prototypes and W to where the clusters ``labels`` (n,) of f (n, d) lie from their common middle, and Q_k as
        ``past`` batches of ``b`` images would have left it."""
        shares = nn.functional.one_hot(labels, len(self.bare.prototypes)).to(f)
        # early on all features share a direction, along which a prototype would tell no image from another
        means = shares.T @ f / shares.sum(0)[:, None].clamp(min=1)
        apart = means - means.mean(0)
        self.bare.place(apart)
        self.answering("ema").place(apart)
        for _ in range(past):
            drawn = torch.randint(len(f), (b,), generator=generator, device=f.device)
            self.memory.push_clusters(shares[drawn].T @ f[drawn], shares[drawn].any(0))
        # alike already, but for what devices of different kinds round differently
        share_first([*self.bare.parameters(), *self.twin.net.parameters(), self.memory.clusters.keys])
