"""How much of known classes a small network can read from frozen features: non-linear classification.

The protocol of Deep InfoMax that DCCM took over (dccm.md E4): one hidden layer of 200 units on features that are not
trained any more, learned on a training part, scored on the rest. Any features of any method will do:

    found = probe(model.embedding_, data.classes, train=np.arange(len(data.classes)) < 7291)
    found.accuracy
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coterie.errors import ConfigError
from coterie.metrics.contingency import groups
from coterie.parameters import check_number, check_whole


@dataclass(frozen=True)
class ProbeSettings:
    """How the small network is trained.

    Attributes:
        epochs: 150; Deep InfoMax went on for up to 1,000.
        hidden: units, 200.
        dropout: before the normalisation of the hidden layer, .1.
        lr: of Adam, 1e-4.
        batch_size: 64.
        milestones: epochs after which the rate becomes a tenth.
        random_state: seed of weights, order and dropout.
        device: cpu, cuda, ...
    """

    epochs: int = 150
    hidden: int = 200
    dropout: float = 0.1
    lr: float = 1e-4
    batch_size: int = 64
    milestones: tuple[int, ...] = (50, 100)
    random_state: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("epochs", "hidden"):
            check_whole(name, getattr(self, name))
        check_whole("batch_size", self.batch_size, least=2)  # normalisation cannot train on one
        check_number("dropout", self.dropout, least=0, most=1)
        check_number("lr", self.lr, above=0)


class Probed(NamedTuple):
    """Shares that were classified right after the last epoch: of the images not trained on, and of those trained on;
    the first of them after every epoch.
    """

    accuracy: float
    train_accuracy: float
    by_epoch: tuple[float, ...]


def probe(features: np.ndarray, classes: ArrayLike, train: ArrayLike, settings: ProbeSettings | None = None) -> Probed:
    """Trains the small network on the ``features`` (n, ...) of images with ``train`` (n,) True, scores it on the rest.

    Raises ConfigError when shapes do not fit, or one of the parts is too small.
    """
    settings = settings or ProbeSettings()
    values, known = groups(classes, "classes")
    chosen = np.asarray(train, dtype=bool)
    if len(features) != len(known) or chosen.shape != known.shape:
        raise ConfigError(
            f"features, classes and train are of {len(features)}, {len(known)} and {chosen.size} images; "
            "give one row of features, one class and one truth value for each image"
        )
    if chosen.sum() < 2 or chosen.all():
        raise ConfigError(f"{chosen.sum()} of {len(chosen)} images are to train on; keep 2 for that and 1 to score")
    x = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32).reshape(len(features), -1))
    parts = [(x[at].to(settings.device), torch.from_numpy(known[at]).to(settings.device)) for at in (chosen, ~chosen)]
    with torch.random.fork_rng():
        torch.manual_seed(settings.random_state)
        return _train(classifier(x.shape[1], len(values), settings).to(settings.device), parts[0], parts[1], settings)


def classifier(n_features: int, n_classes: int, settings: ProbeSettings) -> nn.Sequential:
    """Linear, dropout, batch normalisation, ReLU, linear, in the order of DCCM's code."""
    return nn.Sequential(
        nn.Linear(n_features, settings.hidden), nn.Dropout(settings.dropout), nn.BatchNorm1d(settings.hidden),
        nn.ReLU(), nn.Linear(settings.hidden, n_classes),
    )  # fmt: skip


def _train(
    net: nn.Sequential, learned: tuple[Tensor, Tensor], rest: tuple[Tensor, Tensor], settings: ProbeSettings
) -> Probed:
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(settings.milestones))
    x, y = learned
    by_epoch = []
    for _ in range(settings.epochs):
        net.train()
        for rows in torch.split(torch.randperm(len(x), device=x.device), settings.batch_size):
            if len(rows) == 1:
                continue  # normalisation cannot train on one
            optimizer.zero_grad()
            torch.autograd.backward(cross_entropy(net(x[rows]), y[rows]))
            optimizer.step()
        schedule.step()
        by_epoch.append(_share_right(net, *rest))
    return Probed(by_epoch[-1], _share_right(net, x, y), tuple(by_epoch))


def _share_right(net: nn.Sequential, x: Tensor, y: Tensor) -> float:
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(rows).argmax(1) for rows in torch.split(x, 4096)])
    return float((found == y).float().mean())
