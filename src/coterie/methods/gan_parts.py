"""The networks of r runs of UDC with all that a checkpoint keeps of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from coterie.errors import TrainingError
from coterie.methods.adversaries import CLASSIFIER, CRITIC, GENERATOR, FigureSums, Players, Update
from coterie.methods.beside import Groups
from coterie.methods.cluster_prior import followed
from coterie.methods.graphed import GraphedIterations
from coterie.methods.run_draws import RunDraws
from coterie.nets.gan import Generator, Shape, Tower
from coterie.training.memory import EMATwin
from coterie.training.run import Run

BETAS = (0.5, 0.9)  # of Adam (Algorithm 1)
APART = 500_009  # between the seed of a run's weights and that of its noise, which must not be made of the same numbers
FUSED = ("cpu", "cuda")  # where Adam has a single kernel for a step; there are ten steps in an iteration


@dataclass(frozen=True)
class Sizes:
    """Of the networks. shape: of an image. k: clusters. n_noise, noise_scale, class_noise: of each run, as UDC has
    them. width: maps. critic_heads: outputs of the critic. g_norm: the generator's normalisation.
    """

    shape: Shape
    k: int
    n_noise: Sequence[int]
    noise_scale: Sequence[float]
    class_noise: Sequence[float]
    width: int
    critic_heads: int
    g_norm: str
    n_groups: int = 1


@dataclass(frozen=True)
class Slow:
    """The averages of weights that draw samples and answer, and how much of themselves they keep (0 to 1)."""

    generator: EMATwin
    classifier: EMATwin
    keep: tuple[float, float]

    @property
    def drawing(self) -> Generator:
        """The generator with averaged weights."""
        return cast("Generator", self.generator.net)

    @property
    def answering(self) -> Tower:
        """The classifier with averaged weights."""
        return cast("Tower", self.classifier.net)

    def follow(self, iteration: int) -> None:
        """After ``iteration``, from 0: at first they follow faster, or they would remember the untrained networks."""
        for twin, keep in zip((self.generator, self.classifier), self.keep, strict=True):
            twin.momentum = min(keep, (1 + iteration) / (10 + iteration))
            twin.update()


@dataclass(frozen=True)
class Parts:
    """``players`` as an iteration calls them, the same networks bare, ``slow`` ones, random numbers and figures.

    n_noise: numbers of noise, of the run that has most. groups: of all images, where clusters are drawn beside any.
    """

    players: Players
    generator: Generator
    critic: Tower
    classifier: Tower
    slow: Slow
    optimizers: dict[str, torch.optim.Optimizer]
    draws: RunDraws
    sums: FigureSums
    n_noise: int
    groups: Groups | None = None

    def updating(self, run: Run) -> Update:
        """Steps of the players in ``run``, each by the sum of its losses, so that a run goes where it would go alone.

        TrainingError names the runs whose loss is no longer a number.
        """

        def update(player: str, losses: Tensor) -> None:
            with naming_runs(losses[None], f"the {player}'s, "):
                run.step(self.optimizers[player], losses.sum())

        return update

    def graphed(self) -> GraphedIterations:
        """Iterations as CUDA graphs, of the networks and optimisers without what a run wraps them in."""
        bare = {name: getattr(optimizer, "optimizer", optimizer) for name, optimizer in self.optimizers.items()}
        return GraphedIterations(replace(self.players, generator=self.generator, classifier=self.classifier), bare)

    @torch.no_grad()
    def follow_prior(self, real: Tensor) -> None:
        """Moves the prior towards what the slow classifier says of ``real`` images (b, 1, *shape) (ours)."""
        n_runs = len(self.draws.prior)
        seen = self.slow.answering(real.expand(-1, n_runs, *real.shape[2:])).softmax(2).mean(0)
        self.draws.prior.copy_(followed(self.draws.prior, seen))


@contextmanager
def naming_runs(losses: Tensor, whose: str = "") -> Iterator[None]:
    """A TrainingError inside names the runs of which some of ``losses`` (steps, r) is no number."""
    try:
        yield
    except TrainingError as error:
        lost = [str(i + 1) for i, finite in enumerate(losses.isfinite().all(0).tolist()) if not finite]
        named = f" ({whose}in run {', '.join(lost)} of {losses.shape[1]})" if lost else ""
        raise TrainingError(f"{str(error).rstrip('.')}{named}.") from error


def build_parts(
    run: Run,
    sizes: Sizes,
    seeds: Sequence[int],
    prior: Sequence[float],
    rates: tuple[float, tuple[float, float]],
    groups: Groups | None = None,
) -> Parts:
    """The parts for the runs of ``seeds``, on the device of ``run``, which tracks them.

    prior: of the clusters. rates: the learning rate, and what the slow generator and classifier keep. groups: to
    which the images belong, where clusters are drawn beside any.
    """
    lr, keep = rates
    n_runs, k = len(seeds), sizes.k
    told = k if sizes.n_groups == 1 else k + sizes.n_groups
    generator = Generator(
        sizes.shape, told, sizes.n_noise, width=sizes.width, n_runs=n_runs, norm=sizes.g_norm,
        noise_scale=sizes.noise_scale,
    )  # fmt: skip
    critic = Tower(sizes.shape, sizes.critic_heads, width=sizes.width, n_runs=n_runs, n_groups=sizes.n_groups)
    classifier = Tower(sizes.shape, k, width=sizes.width, n_runs=n_runs)
    starts = [torch.Generator().manual_seed(seed) for seed in seeds]
    networks: dict[str, Generator | Tower] = {GENERATOR: generator, CRITIC: critic, CLASSIFIER: classifier}
    for network in networks.values():
        network.start(starts)
    called = {name: run.setup(network) for name, network in networks.items()}
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: run.setup(torch.optim.Adam(network.parameters(), lr, BETAS, fused=run.device.type in FUSED))
        for name, network in networks.items()
    }
    slow = Slow(EMATwin(generator, keep[0], "copy"), EMATwin(classifier, keep[1], "copy"), keep)
    run.setup(slow.generator)
    run.setup(slow.classifier)
    apart = [(seed + APART) % 2**63 for seed in seeds]
    draws = RunDraws(apart, prior, run.device, sizes.class_noise, sizes.shape)
    sums = FigureSums(n_runs, run.device)
    run.track(
        **called, **{f"{name}_optimizer": optimizer for name, optimizer in optimizers.items()},
        slow_generator=slow.generator, slow_classifier=slow.classifier, draws=draws, sums=sums,
    )  # fmt: skip
    if groups is not None:
        run.track(groups=groups)
    players = Players(called[GENERATOR], critic, called[CLASSIFIER], k, sizes.g_norm == "bn")
    return Parts(players, generator, critic, classifier, slow, optimizers, draws, sums, max(sizes.n_noise), groups)
