"""What r runs of UDC are asked about real images: those held out while they train, and all of them now and then."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from coterie.images.augment import Augmentation
from coterie.images.draws import Draws
from coterie.images.store import ImageStore
from coterie.methods.adversaries import Change, codes
from coterie.methods.beside import Groups
from coterie.methods.cluster_prior import drawn_clusters
from coterie.methods.gan_parts import Parts
from coterie.methods.run_choice import Figures, drifts, figures_of
from coterie.nets.gan import Generator, Tower, as_seen, as_shown, is_signed
from coterie.training.batches import Order
from coterie.training.run import Run

MOST_HELD_OUT = 1000
AT_ONCE = 200  # images that all runs look at together


def parted(n: int, share: float) -> tuple[Tensor, Tensor]:
    """(rows to train on, rows held out) of n images, int64, the same whatever the seed; at most 1,000 are held out."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    held = min(MOST_HELD_OUT, round(share * n), n - 2)
    return order[max(held, 0) :], order[: max(held, 0)]


def several_passes(rows: Tensor, length: int) -> Order:
    """An order of ``length`` images: those of ``rows`` in random order, then all of them again."""

    def order(n: int, /, *, generator: torch.Generator) -> Tensor:  # noqa: ARG001 (the rows are known)
        passes = -(-length // len(rows))
        return torch.cat([rows[torch.randperm(len(rows), generator=generator)] for _ in range(passes)])[:length]

    return order


def change_by(augmentation: Augmentation, generators: list[torch.Generator], signed: bool) -> Change:
    """What changes images (b, r, c, h, w) at random, run i by generator i, and lets gradients through."""

    def change(images: Tensor) -> Tensor:
        runs = []
        for own, generator in zip(images.unbind(1), generators, strict=True):
            draws, shown = Draws(len(own), own.device, generator), as_shown(own, signed)
            with torch.autocast(own.device.type, enabled=False):
                for step in augmentation.steps:
                    shown = step(shown, draws)
            runs.append(as_seen(shown, signed))
        return torch.stack(runs, 1)

    return change


class Probe:
    """Images that stay apart from the training, as the networks see them: (m, 1, c, h, w) on the device; with the
    ``groups`` of all images, where there are any.
    """

    def __init__(self, store: ImageStore, held_out: float, device: torch.device, groups: Groups | None = None) -> None:
        trained, held = parted(len(store), held_out)
        rows = (held if len(held) else trained[:MOST_HELD_OUT]).sort().values
        pixels = torch.from_numpy(np.asarray(store.images[rows.numpy()])).to(device)
        self.images = as_seen(pixels.float() / 255, is_signed(store.shape))[:, None]
        self.rows, self.groups = rows.to(device), groups

    @torch.no_grad()
    def look(
        self, generator: Generator, critic: Tower, classifier: Tower, prior: Tensor, n_noise: int
    ) -> dict[str, list[float]]:
        """Of each run: ``held_out``, the Wasserstein estimate against as many generated images, and ``entropy`` of the
        classifier. The same noise at every look, so that figures differ by the networks alone.
        """
        device, (runs, k) = prior.device, prior.shape
        same = torch.Generator(device).manual_seed(0)
        sums = torch.zeros(2, runs, device=device)
        for real, rows in zip(torch.split(self.images, AT_ONCE), torch.split(self.rows, AT_ONCE), strict=True):
            b, groups = len(real), None if self.groups is None else self.groups.of_images[rows]
            noise = torch.randn(b, 1, n_noise, generator=same, device=device).expand(-1, runs, -1)
            clusters = drawn_clusters(torch.rand(b, 1, generator=same, device=device).expand(-1, runs), prior)
            fake = generator(noise, codes(k, clusters, groups, critic.n_groups))
            x = real.expand_as(fake)
            sums[0] += (critic(x, groups) - critic(fake, groups)).mean(2).sum(0)
            logs = classifier(x).log_softmax(2)
            sums[1] -= (logs.exp() * logs).sum((0, 2))
        held_out, entropy = (sums / len(self.images)).tolist()
        return {"held_out": held_out, "entropy": entropy}


def all_shares(run: Run, classifier: Tower, n_runs: int, store: ImageStore, change: Change | None = None) -> np.ndarray:
    """(n, r, k) float32: what the classifiers say of every image, or of a variant of it."""
    parts = []
    with torch.no_grad():
        for real in _seen(run, store):
            x = real.expand(-1, n_runs, *real.shape[2:])
            parts.append(classifier(x if change is None else change(x)).softmax(2).cpu())
    return torch.cat(parts).numpy()


def all_figures(run: Run, parts: Parts, store: ImageStore, augmentation: Augmentation, shares: np.ndarray) -> Figures:
    """The figures of the runs in ``parts`` as they are: on all images, of which they say ``shares`` (n, r, k), and on
    variants of them by ``augmentation``.
    """
    classifier, n_runs = parts.slow.answering, len(parts.draws.prior)
    same = [torch.Generator(run.device).manual_seed(0) for _ in range(n_runs)]
    changed = all_shares(run, classifier, n_runs, store, change_by(augmentation, same, is_signed(store.shape)))
    distances = np.array([np.atleast_1d(record.get("held_out_of_runs", record["held_out"])) for record in run.history])
    return figures_of(shares, changed.argmax(axis=2), distances[-1], parts.draws.prior.cpu().numpy(), drifts(distances))


def generated(parts: Parts, many: int) -> np.ndarray:
    """(r, k, many, c, h, w) uint8: images that the slow generator of each run makes of each cluster, all of the same
    noise, and of the groups of images evenly spread.
    """
    generator, k = parts.slow.drawing, parts.players.k
    weight = next(generator.parameters())
    same = torch.Generator(weight.device).manual_seed(0)
    noise = torch.randn(many, 1, parts.n_noise, generator=same, device=weight.device).expand(-1, generator.n_runs, -1)
    clusters = torch.arange(k, device=weight.device).repeat_interleave(many)[:, None].expand(-1, generator.n_runs)
    coded = codes(k, clusters, _spread_groups(parts.groups, many, k), parts.critic.n_groups)
    with torch.no_grad():  # all clusters in one batch, as a generator that normalises by the batch was trained
        made = generator(noise.repeat(k, 1, 1), coded).unflatten(0, (k, many)).movedim(2, 0)
    pixels: np.ndarray = (as_shown(made, is_signed(generator.shape)) * 255).round().clamp(0, 255).byte().cpu().numpy()
    return pixels


def one_of(network: nn.Module, run: int) -> dict[str, Tensor]:
    """The weights of one of the runs stacked in ``network``, as a network of one run has them."""
    return {name: tensor[run : run + 1].detach().clone() for name, tensor in network.state_dict().items()}


def _spread_groups(groups: Groups | None, many: int, k: int) -> Tensor | None:
    """(k many,): the ``groups`` of so many images evenly spread, again for each cluster."""
    if groups is None:
        return None
    own = groups.of_images
    return own[torch.linspace(0, len(own) - 1, many, device=own.device).long()].repeat(k)


def _seen(run: Run, store: ImageStore) -> Iterator[Tensor]:
    for batch in run.in_order(store, AT_ONCE):
        yield as_seen(batch.clean, is_signed(store.shape))[:, None]
