"""A whole iteration of UDC as one CUDA graph: ten steps of three optimisers that cost one launch.

An iteration launches two thousand small kernels, and a GPU waits for most of them (udc.md section 12). A graph records
them once and plays them again, on the same tensors: so what changes from one iteration to the next, the real images,
the random numbers and eta, is copied into tensors that stay (``StaticIteration``), and comes out in others. Nothing in
between may wait for the device, which is why losses are looked at afterwards.

Written by torch's documentation (CUDA semantics, "CUDA Graphs", whole-network capture). The numbers of an iteration are
those of ``adversaries.iterate``, as it is that function which is recorded.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from coterie.errors import SlowPathWarning
from coterie.methods.adversaries import Players, Terms, iterate
from coterie.methods.run_draws import Draw

WARM_UP = 3  # iterations before a capture, in which libraries choose their algorithms and optimisers make their state


class Outcome(NamedTuple):
    """``FIGURES`` (4, r) of an iteration, and the losses (steps, r) in the order of its steps."""

    figures: Tensor
    losses: Tensor


class StaticIteration:
    """An iteration between tensors that stay where they are; ``players`` are bare networks, in full precision.

    real, draw, terms: as ``iterate`` has them, for their shapes and for all terms but eta.
    """

    def __init__(
        self, players: Players, optimizers: Mapping[str, torch.optim.Optimizer], real: Tensor, draw: Draw, terms: Terms
    ) -> None:
        self.players, self.optimizers = players, optimizers
        self.real = torch.empty_like(real)
        self.draw = Draw._make(None if own is None else torch.empty_like(own) for own in draw)
        self.eta = torch.empty_like(terms.eta) if isinstance(terms.eta, Tensor) else real.new_zeros(())
        self.terms = replace(terms, eta=self.eta)

    def fill(self, real: Tensor, draw: Draw, eta: float | Tensor) -> None:
        """Copies the inputs of the next iteration to where ``compute`` reads them."""
        self.real.copy_(real)
        for own, given in zip(self.draw, draw, strict=True):
            if own is not None and given is not None:
                own.copy_(given)
        self.eta.copy_(eta) if isinstance(eta, Tensor) else self.eta.fill_(eta)

    def compute(self) -> Outcome:
        """The iteration: all ten updates."""
        losses: list[Tensor] = []

        def update(player: str, own: Tensor) -> None:
            self.optimizers[player].zero_grad()
            own.sum().backward()  # type: ignore[no-untyped-call]
            self.optimizers[player].step()
            losses.append(own.detach())

        figures = iterate(self.players, self.real, self.draw, self.terms, update)
        return Outcome(figures, torch.stack(losses))


class GraphedIterations:
    """Iterations of ``players`` on a CUDA device, the first three as they are, the others played from a graph.

    There is a graph for each number of steps, of which the schedule of the official code has two. Where one cannot be
    recorded, a SlowPathWarning says why and all goes on without. A graph knows tensors by their place, so a training
    that is resumed has its state back before the first iteration. optimizers: bare ones, fused.
    """

    def __init__(self, players: Players, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        self.players, self.optimizers = players, optimizers
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._played: dict[tuple[int, int], _Played] = {}
        for optimizer in optimizers.values():  # of which torch would warn when a step of theirs is not captured
            optimizer._warned_capturable_if_run_uncaptured = True

    def iterate(self, real: Tensor, draw: Draw, terms: Terms) -> Outcome:
        """One iteration; what comes out is overwritten by the next."""
        key = len(real), len(draw.noise)
        if key not in self._played:
            fixed = StaticIteration(self.players, self.optimizers, real, draw, terms)
            self._played[key] = _Played(fixed, self.stream)
        return self._played[key].next(real, draw, terms.eta)


class _Played:
    """One ``StaticIteration`` and, from its fourth call on, its graph."""

    def __init__(self, fixed: StaticIteration, stream: torch.cuda.Stream) -> None:
        self.fixed, self.stream = fixed, stream
        self.done, self.graph, self.refused = 0, torch.cuda.CUDAGraph(), False
        self.outcome: Outcome | None = None

    def next(self, real: Tensor, draw: Draw, eta: float | Tensor) -> Outcome:
        self.fixed.fill(real, draw, eta)
        if self.outcome is None and self.done >= WARM_UP and not self.refused:
            self._capture()
        self.done += 1
        if self.outcome is None:
            return self._uncaptured()
        self.graph.replay()
        return self.outcome

    def _uncaptured(self) -> Outcome:
        """On the stream of the capture, where autograd's accumulation of gradients then stays."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            outcome = self.fixed.compute()
        torch.cuda.current_stream().wait_stream(self.stream)
        for tensor in outcome:  # their memory must not be used again before this stream is done with them
            tensor.record_stream(torch.cuda.current_stream())
        return outcome

    def _capture(self) -> None:
        """Records an iteration, which does not run; gradients come to lie in the memory of the graph."""
        self._forget_gradients()
        for optimizer in self.fixed.optimizers.values():
            for group in optimizer.param_groups:  # now, as a checkpoint brings groups of its own
                group["capturable"] = True
        try:
            with torch.cuda.graph(self.graph, stream=self.stream):
                outcome = self.fixed.compute()
        except RuntimeError as error:
            self.refused = True
            self._forget_gradients()
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"an iteration cannot be recorded as a CUDA graph ({reason}); the training goes on without, slower",
                SlowPathWarning,
                stacklevel=2,
            )
        else:
            self.outcome = outcome

    def _forget_gradients(self) -> None:
        for optimizer in self.fixed.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
