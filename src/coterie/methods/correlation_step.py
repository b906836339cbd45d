"""One step of DCCM: what a clean chunk teaches, and the terms that learn it (Algorithm 1, lines 4 to 7)."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from coterie.images.augment import Augmentation
from coterie.methods.correlation_figures import CorrelationFigures
from coterie.methods.correlations import (
    graph_loss,
    information_loss,
    invariance_loss,
    label_cross_entropy,
    label_loss,
    pseudo_graph,
    pseudo_labels,
    similarities,
)
from coterie.methods.pair_sampling import Pairs, lay_out, sample_pairs
from coterie.nets.dccm_net import DCCMNet, Seen
from coterie.nets.discriminator import places_of
from coterie.training.batches import Batch

LABEL_LOSSES = {"binary": label_loss, "cross_entropy": label_cross_entropy}
OF_CLEAN = "_clean"  # ends the name of a term of the images without augmentation


@dataclass(frozen=True)
class Objective:
    """The parameters of ``DCCM`` that say what is learned from what; it explains them."""

    graph_threshold: float = 0.95
    label_threshold: float = 0.9
    graph: float = 1.0
    alpha: float = 5.0
    label_loss: str = "binary"
    beta: float = 0.05
    use_original_terms: bool = False
    use_variant_terms: bool = True
    invariance: float = 0.0
    mi_places: int = 0
    sampler: str = "nearest"
    self_pairs: bool = True
    n_negatives: int = 2

    @cached_property
    def weights(self) -> dict[str, float]:
        """The weight of each term of Eq. 15 that has one, by the name under which it is logged."""
        taught = {"loss_graph": self.graph, "loss_label": self.alpha}
        weights = {name: weight * self.use_variant_terms for name, weight in taught.items()}
        weights |= {name + OF_CLEAN: weight * self.use_original_terms for name, weight in taught.items()}
        weights |= {"loss_information": self.beta, "loss_invariance": self.invariance}
        return {name: float(weight) for name, weight in weights.items() if weight}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The loss that the weighted ``terms`` sum up to."""
        return torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()


class Targets(NamedTuple):
    """Of n clean images: z (n, k), pseudo-labels (n,) int64, and which of them are sure (n,) bool."""

    z: Tensor
    labels: Tensor
    confident: Tensor

    def of(self, rows: Tensor) -> "Targets":
        """Those of some of the images."""
        return Targets(self.z[rows], self.labels[rows], self.confident[rows])


@dataclass
class Parts:
    """Everything that checkpoints keep, on the device: ``net`` and ``told_apart`` are trained by ``optimizer``.

    ``bare`` is the network in ``net``. ``told_apart`` is T of Eq. 13, None where it has no weight; ``by_logits`` says
    that its deep feature is the logits.
    """

    net: nn.Module
    bare: DCCMNet
    told_apart: nn.Module | None
    by_logits: bool
    optimizer: torch.optim.Optimizer
    figures: CorrelationFigures


def ask(parts: Parts, chunk: Batch, objective: Objective) -> Targets:
    """What the network says of a clean chunk, for the updates that follow; noted in the figures."""
    with torch.no_grad():
        seen: Seen = parts.net(chunk.clean)
    z = seen.log_z.exp()
    targets = Targets(z, *pseudo_labels(z, objective.label_threshold))  # Eqs. 7, 8
    parts.figures.add_chunk(chunk.index, *targets, objective.graph_threshold)
    parts.figures.see(chunk.index, seen.features)
    return targets


def mine(
    parts: Parts, clean: Tensor, targets: Targets, objective: Objective, augment: Augmentation, draws: torch.Generator
) -> dict[str, Tensor]:
    """The terms of Eq. 15 that have a weight, of a batch of ``clean`` images (b, c, h, w) with their targets."""
    cosines = similarities(targets.z)
    linked = pseudo_graph(cosines, objective.graph_threshold)  # Eq. 2
    terms: dict[str, Tensor] = {}
    if objective.use_original_terms:
        of_clean = _taught(parts.net(clean), linked, targets, objective)  # Eqs. 3, 9
        terms |= {name + OF_CLEAN: term for name, term in of_clean.items()}
    if objective.use_variant_terms or objective.beta or objective.invariance:
        seen: Seen = parts.net(augment(clean, draws))
        terms |= _taught(seen, linked, targets, objective)  # Eq. 12
        terms["loss_invariance"] = invariance_loss(targets.z, seen.log_z.exp())  # Eq. 11
        if parts.told_apart is not None:
            pairs = sample_pairs(objective.sampler, cosines, linked, draws, objective.n_negatives)
            terms["loss_information"] = _information(parts, seen, pairs, objective, draws)  # Eq. 14
    return {name: terms[name] for name in objective.weights}


def _taught(seen: Seen, linked: Tensor, targets: Targets, objective: Objective) -> dict[str, Tensor]:
    """L_PG and L_PL of what the network makes of images with ``targets``."""
    return {
        "loss_graph": graph_loss(seen.log_z.exp(), linked),
        "loss_label": LABEL_LOSSES[objective.label_loss](seen.log_z, targets.labels, targets.confident),
    }


def _information(parts: Parts, seen: Seen, pairs: Pairs, objective: Objective, draws: torch.Generator) -> Tensor:
    assert parts.told_apart is not None
    anchors, partners, n_together = lay_out(pairs, objective.self_pairs)
    deep = seen.logits if parts.by_logits else seen.features
    scores = parts.told_apart(deep, places_of(seen.shallow, objective.mi_places, draws), anchors, partners)
    return information_loss(scores[:n_together], scores[n_together:], pairs.has_negative)
