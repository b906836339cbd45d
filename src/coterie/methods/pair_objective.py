"""One update of DAC: what is taught of a batch, and the loss of its augmentations."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from coterie.methods.pairs import (
    Selection,
    Thresholds,
    auxiliary,
    emptiness,
    label_features,
    pair_bce,
    pair_mse,
    select,
    similarity,
    weighted_mean,
)

PAIR_LOSSES = {"bce": pair_bce, "mse": pair_mse}
FORMS = ("l2", "softmax", "mixed")


@dataclass(frozen=True)
class PairObjective:
    """The weights and forms of the terms; parameters of ``DAC``, which explains them.

    Attributes:
        leave_out: whether pairs between the thresholds do not count.
    """

    leave_out: bool
    pair_loss: str = "bce"
    pair_weight: float = 1.0
    auxiliary: float = 0.0
    auxiliary_form: str = "l2"
    entropy: float = 0.0


class Update(NamedTuple):
    """loss: a scalar; terms (3,): the pairs' loss, the auxiliary term and the emptiness, without their weights; shares
    (b, k) of the clusters; the selection of pairs (b, b).
    """

    loss: Tensor
    terms: Tensor
    shares: Tensor
    selection: Selection


def pair_update(
    net: nn.Module, variants: Tensor, asked: Tensor, thresholds: Thresholds, objective: PairObjective
) -> Update:
    """The loss of a batch.

    Args:
        net: images (b, c, h, w) to scores (b, k).
        variants: (1 or 2, b, c, h, w) augmentations of the images; two are compared with each other, one with itself.
        asked: (b, k) scores of the clean images, of which the targets are made.
        thresholds: of the epoch.
        objective: weights and forms.
    """
    taught = label_features(asked)
    selection = select(similarity(taught), thresholds, leave_out=objective.leave_out)
    scores = [net(images).float() for images in variants]
    features, shares = [label_features(rows) for rows in scores], scores[0].softmax(1)
    other = features[1] if len(features) == 2 else None
    losses = PAIR_LOSSES[objective.pair_loss](features[0], selection.targets, other)
    seen = features[0] if objective.auxiliary_form == "l2" else shares
    wanted = asked.softmax(1) if objective.auxiliary_form == "softmax" else taught
    terms = weighted_mean(losses, selection.weights), auxiliary(seen, wanted), emptiness(shares)
    # by numbers of the host: a tensor made of them would have to travel to a GPU in every update
    loss = objective.pair_weight * terms[0] + objective.auxiliary * terms[1] + objective.entropy * terms[2]
    return Update(loss, torch.stack(terms), shares, selection)
