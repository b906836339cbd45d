"""What contrastive methods remember: a queue of past keys, and a slow twin of the network that makes them.

After K. He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020: negatives come from
a queue far longer than a batch, and stay comparable because the network that makes them moves slowly.

One step of a method, with both tracked by its run (``run.track(queue=queue, twin=twin)``):

    keys = unit(twin(second_view))               # no gradient
    logits = unit(net(first_view)) @ queue.keys.T
    loss = ...                                   # masked by queue.is_other(batch.index)
    run.step(optimizer, loss)                    # before the push, which overwrites what the gradient needs
    twin.update()
    queue.push(keys, batch.index)

Both are the same in every process of a training that has several: keys are gathered, starts and running statistics
are shared.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from coterie.errors import ConfigError
from coterie.training.processes import gather_rows, share_first, share_mean

EPS = 1e-8  # shorter vectors are not stretched to length 1 (tcc.md section 1)
NO_IMAGE = -1  # the id of rows that were drawn at random

BatchNorm = Literal["own", "copy", "ema"]


def unit(vectors: Tensor) -> Tensor:
    """Rows (b, d) scaled to length 1; zeros stay zeros."""
    return nn.functional.normalize(vectors, dim=-1, eps=EPS)


class Queue:
    """The last ``size`` keys, first in, first out; until as many were pushed, the rest are random directions.

    Args:
        size: rows, 0 or more; TCC and MiCE take 16,384 for 60,000 images. More than half of the images, and a batch
            meets its own earlier views among the negatives.
        dim: length of a key.
        device: where the rows lie.
        generator: draws the first rows; None takes torch's own, which a run seeds.

    Attributes:
        keys: (size, dim) float32 of length 1, in no useful order; ``push`` writes into it.
        ids: (size,) int64, the image or cluster each row stems from, -1 for the random ones.
        pushed: rows pushed so far.
    """

    def __init__(
        self, size: int, dim: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> None:
        if size < 0 or dim < 1:
            raise ConfigError(
                f"a queue of {size} keys of {dim} numbers cannot be: give 0 or more keys, 1 or more numbers."
            )
        drawn_on = generator.device if generator is not None else "cpu"
        self.keys = unit(torch.randn(size, dim, generator=generator, device=drawn_on)).to(device)
        self.ids = torch.full((size,), NO_IMAGE, device=device)
        self.pushed = 0
        share_first([self.keys])

    def __len__(self) -> int:
        """Rows, the random ones included."""
        return len(self.keys)

    @property
    def filled(self) -> int:
        """Rows that were pushed; below ``len`` the loss is not yet worth reading."""
        return min(self.pushed, len(self))

    def push(self, keys: Tensor, ids: Tensor) -> None:
        """Appends the keys of all processes, those of rank 0 first, over the oldest rows.

        Of a batch longer than the queue the last rows stay. Go backward first: a gradient through ``keys`` of the
        queue needs them as they were.

        Args:
            keys: (b, dim), scaled to length 1 here; gradients stop.
            ids: (b,) integers, what each stems from.
        """
        self.push_shared(gather_rows(keys.detach().float()), gather_rows(ids))

    @torch.no_grad()
    def push_shared(self, keys: Tensor, ids: Tensor) -> None:
        """As ``push``, for keys that every process has alike, such as representations of clusters: none is gathered."""
        size, first = len(self), self.pushed
        self.pushed += len(keys)
        if not size:
            return
        rows = torch.arange(first, self.pushed, device=self.keys.device)[-size:] % size
        self.keys.index_copy_(0, rows, unit(keys.detach().float()[-size:]))
        self.ids.index_copy_(0, rows, ids[-size:].to(self.ids))

    def is_other(self, ids: Tensor) -> Tensor:
        """(b, size) bool: True where a row does not stem from the same image or cluster, and so is a true negative."""
        return self.ids != ids[:, None].to(self.ids)

    def state_dict(self) -> dict[str, Any]:
        """The rows, their ids and how many were pushed."""
        return {"keys": self.keys, "ids": self.ids, "pushed": self.pushed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` gave; raises ValueError for a queue of another shape."""
        if state["keys"].shape != self.keys.shape:
            before, now = tuple(state["keys"].shape), tuple(self.keys.shape)
            raise ValueError(f"a queue of {before} numbers was saved, and this one has {now}")
        self.keys.copy_(state["keys"])
        self.ids.copy_(state["ids"])
        self.pushed = int(state["pushed"])


class EMATwin(nn.Module):
    """A copy of a network that follows it slowly and never gets a gradient.

    A module like any other, so that ``run.setup`` moves it to the device and ``state_dict`` holds it; the network it
    follows is not part of it.

    Args:
        source: the network to follow, before or after ``run.setup``.
        momentum: share of itself that the twin keeps in an update, 0 to 1; 0.999 in MoCo, MiCE and TCC. It may be set
            anew between updates.
        batch_norm: where the running statistics (all buffers) of the twin come from. "own": its own batches; it
            starts in training mode and so normalises by the batch, as in MoCo and MiCE. "copy": the network's, "ema":
            averages of the network's; it starts in evaluation mode and so normalises by those. ``train`` and ``eval``
            change the mode as with any module.

    Raises:
        ConfigError: the momentum or the mode is none of these.

    Attributes:
        net: the twin.
    """

    def __init__(self, source: nn.Module, momentum: float = 0.999, batch_norm: BatchNorm = "own") -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ConfigError(f"momentum={momentum!r} is not a share: give 0 to 1, such as 0.999.")
        if batch_norm not in get_args(BatchNorm):
            raise ConfigError(f"batch_norm={batch_norm!r} is unknown: give own, copy or ema.")
        source = _bare(source)
        self.momentum = momentum
        self.batch_norm = batch_norm
        self._source = (source,)  # in a tuple, where torch does not take it for a part of the twin
        self.net = deepcopy(source).requires_grad_(False)
        self.train(batch_norm == "own")
        share_first([*self.net.parameters(), *self.net.buffers()])

    @torch.no_grad()
    def forward(self, *inputs: Any) -> Any:
        """What the twin makes of ``inputs``, without gradients."""
        return self.net(*inputs)

    @torch.no_grad()
    def update(self) -> None:
        """twin <- momentum * twin + (1 - momentum) * network, after a step of the optimiser.

        Integers (the count of batches) are copied. Several processes end with the same twin: running statistics, of
        which each saw its own part of the batch, are replaced by their mean.
        """
        network = self._source[0]
        _follow(self.net.parameters(), network.parameters(), self.momentum)
        if self.batch_norm != "own":
            momentum = self.momentum if self.batch_norm == "ema" else 0.0
            _follow(self.net.buffers(), network.buffers(), momentum)
        share_mean([buffer for buffer in self.net.buffers() if buffer.is_floating_point()])


def _follow(twins: Iterable[Tensor], sources: Iterable[Tensor], momentum: float) -> None:
    slow: tuple[list[Tensor], list[Tensor]] = ([], [])
    for twin, source in zip(twins, sources, strict=True):
        if twin.is_floating_point():
            slow[0].append(twin)
            slow[1].append(source)
        else:
            twin.copy_(source)
    if slow[0]:
        torch._foreach_lerp_(*slow, 1 - momentum)


def _bare(module: nn.Module) -> nn.Module:
    """The network itself, when ``run.setup`` has wrapped it."""
    from lightning_fabric.wrappers import is_wrapped

    bare: nn.Module = module.module if is_wrapped(module) else module  # type: ignore[assignment]
    return bare
