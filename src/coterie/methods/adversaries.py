"""One iteration of UDC's Algorithm 1, for r runs at once: critic steps, classifier steps, a generator step.

The generator stands still while the critic and the classifier learn, so everything they need of it in an iteration is
made in one forward, and a batch of real and generated images goes through the critic at once (udc.md section 12). All
random numbers are drawn before (``Draw``), so that the same draws give the same losses by either plan, and so that an
iteration reads tensors and nothing else: that is the function which a CUDA graph holds (``graphed``).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from coterie.methods.run_draws import Draw
from coterie.methods.wasserstein import (
    classifier_loss,
    consistency_loss,
    critic_loss,
    generator_loss,
    gradient_by_autograd,
    gradient_penalty,
    interpolated,
)
from coterie.nets.gan import Tower

CRITIC, CLASSIFIER, GENERATOR = "critic", "classifier", "generator"
FIGURES = ("wasserstein", "penalty", "cross_entropy", "fake_accuracy")


@dataclass(frozen=True)
class Players:
    """The three networks of r runs, for ``k`` clusters. Generator and classifier may be wrapped (mixed precision); the
    critic is bare, since its penalty is sensitive to rounding. ``by_batch``: the generator normalises by the batch, so
    that batches must not be made at once. The critic knows of how many groups beside the clusters images are.
    """

    generator: nn.Module
    critic: Tower
    classifier: nn.Module
    k: int
    by_batch: bool = False

    @property
    def n_groups(self) -> int:
        """To how many groups beside the clusters the images belong; 1 is none."""
        return self.critic.n_groups


@dataclass(frozen=True)
class Terms:
    """The weights of an iteration, and its plan.

    penalty: lambda of Eq. 5. eta: of Eq. 7 at this moment, a number, or a tensor of one for each run or for all.
    consistency: weight of KL(C(x) || C(T(x))) on real images.
    fused: one forward of the generator, analytic penalty; False is the algorithm line by line, double backward.
    at_once: x^ goes through the critic in the same batch as real and generated images: a sixth more arithmetic and a
    third fewer kernels. UDC does not use it: it was slower wherever it was measured (benchmarks/udc_speed.py).
    """

    penalty: float
    eta: float | Tensor
    consistency: float = 0.0
    fused: bool = True
    at_once: bool = False


Update = Callable[[str, Tensor], None]  # the name of a player and its losses (r,)
Change = Callable[[Tensor], Tensor]  # images (b, r, c, h, w) to variants of them, with gradient


def iterate(
    players: Players, real: Tensor, draw: Draw, terms: Terms, update: Update, change: Change | None = None
) -> Tensor:
    """An iteration of Algorithm 1; ``FIGURES`` (4, r), means over its steps.

    real: (n_critic, b, 1 or r, *shape), what each critic step sees. change: the invariance augmentation.
    """
    n_critic, n_batches = len(real), len(draw.noise)
    change = change or (lambda images: images)
    made = _made_at_once(players, draw) if terms.fused else None
    figures: dict[str, list[Tensor]] = {name: [] for name in FIGURES}

    def fakes(i: int) -> Tensor:
        with torch.no_grad():
            return made[i] if made is not None else _made(players, draw, i)

    for i in range(n_critic):  # lines 2 to 11
        fake = fakes(i)
        x, x_ = change(real[i].expand_as(fake)), change(fake)
        scores, fake_scores, gradient = _judged(players.critic, x, x_, draw, i, terms)
        penalty = gradient_penalty(gradient)
        update(CRITIC, critic_loss(scores, fake_scores, penalty, terms.penalty))
        figures["wasserstein"].append((scores.mean((0, 2)) - fake_scores.mean((0, 2))).detach())
        figures["penalty"].append(penalty.detach())
    for i in range(n_critic, n_batches - 1):  # lines 12 to 20
        logits = players.classifier(_through(change(fakes(i)), draw, i - n_critic))
        losses = classifier_loss(logits, draw.clusters[i])
        figures["cross_entropy"].append(losses.detach())
        figures["fake_accuracy"].append((logits.detach().argmax(2) == draw.clusters[i]).float().mean(0))
        if terms.consistency:
            x = real[i % n_critic].expand(-1, players.critic.head.weight.shape[0], *real.shape[3:])
            losses = losses + terms.consistency * consistency_loss(players.classifier(x), players.classifier(change(x)))
        update(CLASSIFIER, losses)
    with _still(players.critic, players.classifier):  # lines 21 to 27
        fake = change(_made(players, draw, -1))
        entropy = classifier_loss(players.classifier(_through(fake, draw, -1)), draw.clusters[-1])
        update(GENERATOR, generator_loss(players.critic(fake, draw.group(-1)), entropy, terms.eta))
    return torch.stack([torch.stack(figures[name]).mean(0) for name in FIGURES])


def _made(players: Players, draw: Draw, i: int) -> Tensor:
    """(b, r, *shape): batch i of generated images."""
    made: Tensor = players.generator(draw.noise[i], codes(players.k, draw.clusters[i], draw.group(i), players.n_groups))
    return made


def _made_at_once(players: Players, draw: Draw) -> Tensor:
    """(N - 1, b, r, *shape): all that critic and classifier see of the generator, which does not move meanwhile."""
    n = len(draw.noise) - 1
    with torch.no_grad():
        if players.by_batch:
            return torch.stack([_made(players, draw, i) for i in range(n)])
        groups = None if draw.groups is None else draw.groups[:n].flatten()
        coded = codes(players.k, draw.clusters[:n].flatten(0, 1), groups, players.n_groups)
        made: Tensor = players.generator(draw.noise[:n].flatten(0, 1), coded)
    return made.view(n, -1, *made.shape[1:])


def _judged(critic: Tower, x: Tensor, x_: Tensor, draw: Draw, i: int, terms: Terms) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of real ``x`` and generated ``x_`` (b, r, *shape) of batch i, and the critic's gradient between them."""
    between, groups = interpolated(x, x_, draw.mix[i]), draw.group(i)
    if not terms.fused:
        gradient = gradient_by_autograd(lambda images: critic(images, groups), between)
        return critic(x, groups), critic(x_, groups), gradient
    b = len(x)
    if terms.at_once:
        scores, slopes = critic.scores_and_slopes(torch.cat([x, x_, between]), _repeated(groups, 3))
        return scores[:b], scores[b : 2 * b], critic.input_gradient([slope[2 * b :] for slope in slopes], groups)
    with torch.no_grad():
        slopes = critic.scores_and_slopes(between, groups)[1]
    scores = critic(torch.cat([x, x_]), _repeated(groups, 2))
    return scores[:b], scores[b:], critic.input_gradient(slopes, groups)


def _through(images: Tensor, draw: Draw, step: int) -> Tensor:
    """``images`` as the classifier sees them at one of its steps; -1 is the generator's."""
    return images if draw.grain is None else images + draw.grain[step]


def codes(k: int, clusters: Tensor, groups: Tensor | None = None, n_groups: int = 1) -> Tensor:
    """(b, r, k) float32, what a generator is told to draw: one-hot ``clusters`` (b, r), and in as many numbers more as
    there are groups the one-hot ``groups`` (b,), which the runs share.
    """
    own = one_hot(clusters, k).float()
    if groups is None:
        return own
    return torch.cat([own, one_hot(groups, n_groups).float()[:, None].expand(-1, own.shape[1], -1)], 2)


def _repeated(groups: Tensor | None, times: int) -> Tensor | None:
    return None if groups is None else groups.repeat(times)


@contextmanager
def _still(*networks: nn.Module) -> Iterator[None]:
    """Inside, gradients pass through ``networks`` and none is taken of their weights."""
    weights = [weight for network in networks for weight in network.parameters()]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


class FigureSums:
    """``FIGURES`` of the iterations of an epoch, summed where they are made; nothing waits for the device."""

    def __init__(self, n_runs: int, device: torch.device | str = "cpu") -> None:
        self.sums = torch.zeros(len(FIGURES), n_runs, device=device)
        self.count = 0

    def add(self, figures: Tensor) -> None:
        """Adds what ``iterate`` gave."""
        self.sums += figures
        self.count += 1

    def take(self) -> dict[str, list[float]]:
        """The mean of each figure for each run, and begins anew."""
        means = (self.sums / max(self.count, 1)).tolist()
        self.sums.zero_()
        self.count = 0
        return dict(zip(FIGURES, means, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Sums and count."""
        return {"sums": self.sums, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        self.sums.copy_(state["sums"])
        self.count = int(state["count"])
