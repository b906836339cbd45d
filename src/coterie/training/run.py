"""The handle a method trains through.

The method owns its loop; a run offers verbs and never calls back:

    with Run(folder, config={"lr": 1e-3}, random_state=0) as run:
        encoder = run.setup(conv_stack(...))
        optimizer = run.setup(torch.optim.RMSprop(encoder.parameters(), lr=1e-3))
        run.track(encoder=encoder, optimizer=optimizer)
        for epoch in run.epochs(40):
            for batch in run.batches(images, 100):
                run.step(optimizer, loss_of(encoder(batch.clean)))
            run.watch_clusters(labels, k)

Run again after a stop or a kill, the same code goes on where the last checkpoint stands, to the same bits on a CPU. For
that, a method keeps three rules. What lives longer than a batch is tracked: networks, optimisers, schedulers, queues as
objects, anything else in ``run.values``. What an epoch computes before its first batch is computed under
``if run.at_epoch_start:`` and kept in ``run.values``, because an epoch that was cut is entered again in its middle.
And random numbers come from ``run.random`` or from torch's, NumPy's and Python's own generators, which the run seeds
and saves.

With ``several_processes``, torchrun may start the same code several times: every process has its part of each batch,
and all end with the same networks. docs/train-a-method.md says what else a loop has to do for that.
"""

import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from numpy.typing import ArrayLike

from coterie.errors import CheckpointError, ConfigError, TrainingError, TrainingStopped
from coterie.training.batches import Batch, ImagesLike, Order, own_parts, pixels_of, plan_batches
from coterie.training.clusters import ClusterWatch
from coterie.training.device import make_fabric
from coterie.training.guard import LossGuard, all_finite, bad_sentence, learning_rates
from coterie.training.journal import Journal, circumstances
from coterie.training.launched import is_first
from coterie.training.memory_estimate import MemoryEstimate, estimate_memory, free_memory, out_of_memory
from coterie.training.placed import Part, Placed
from coterie.training.plain import from_plain
from coterie.training.position import AT_START, Position, check_epochs
from coterie.training.processes import first_warns, largest, lost_told, n_processes
from coterie.training.progress import Bar, History
from coterie.training.randomness import Randomness
from coterie.training.settings import MAY_CHANGE
from coterie.training.signals import StopSignals
from coterie.training.sources import Sources, on_host
from coterie.training.tracked import Tracked


class Run:
    """One training, as a context manager; nothing is read or written before the ``with``.

    Args:
        folder: keeps checkpoints and metrics.jsonl; None trains without either.
        config: settings (numbers, text, lists, dicts) that a resumed run must share, field by field.
        device: auto, cpu, cuda, cuda:1 or mps. auto takes a CUDA GPU where there is one.
        precision: 32, bf16 or 16 (mixed; 16 on GPUs only).
        random_state: seed of every generator; 0 or more.
        progress: show a bar on standard error, or a line per epoch where that is no terminal.
        save_every: seconds between checkpoints, which are written between epochs and, in epochs that last longer,
            between batches. 0 writes one after every epoch. The end of an ``epochs`` loop always writes one.
        image_budget: bytes of images that may lie on the device; None is half of what is free there.
        may_change: fields of ``config`` that may differ when the training goes on; an ``lr`` that differs rescales
            the tracked optimisers.
        patience: epochs of collapse before the warning.
        check_every: steps between two looks at the losses; None is 1 on a CPU and 50 elsewhere.
        lock: False when the caller holds the folder's RunLock already.
        tensorboard: write the figures to ``folder``/tensorboard as well (extra ``tensorboard``).
        several_processes: the loop was made for more than one process; otherwise they are refused.

    Raises:
        ConfigError: an argument is outside its range, the device is not there, or more processes were started.

    Attributes:
        device: where networks and batches are.
        random: the run's own generators (``Randomness``): ``random.numpy`` and ``random.device``.
        at_epoch_start: False in an epoch that a resumed run enters in its middle.
        values: plain values that checkpoints hold; a resumed run finds the saved ones here once ``epochs`` has begun.
        history: one dict per finished epoch, as in metrics.jsonl, those before a stop included.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str = "32",
        random_state: int = 0,
        progress: bool = False,
        save_every: float = 30.0,
        image_budget: int | None = None,
        may_change: Collection[str] = MAY_CHANGE,
        patience: int = 3,
        check_every: int | None = None,
        lock: bool = True,
        tensorboard: bool = False,
        several_processes: bool = False,
    ) -> None:
        fabric = make_fabric(device, precision, several_processes=several_processes)
        self.device: torch.device = fabric.device
        self.random = Randomness(random_state, self.device)
        self.at_epoch_start = True
        place = Path(folder) if folder is not None else None
        self._journal = Journal(place, {"random_state": random_state, **(config or {})}, save_every, tensorboard)
        self._now = circumstances(self.device, precision)
        self._may_change, self._lock = may_change, lock
        self._history = History(place if is_first() else None, self._journal.board)
        self._bar = Bar(progress and is_first())
        self._signals = StopSignals()
        self._guard = LossGuard(self.device, check_every)
        self._watch = ClusterWatch(patience)
        self._tracked = Tracked()
        self.values: dict[str, Any] = self._tracked.values
        self.history: list[dict[str, Any]] = self._history.records
        self._placed = Placed(fabric)
        self._sources = Sources(self.device, image_budget)
        self._parts: dict[str, Any] = {
            "random": self.random, "history": self._history, "guard": self._guard,
            "watch": self._watch, "sources": self._sources, "precision": self._placed,
        }  # fmt: skip
        self._position = Position()
        self._saved_at: Position | None = None
        self._order_state: torch.Tensor | None = None  # of the order's generator when the loop in progress began
        self._loaded: Mapping[str, Any] | None = None
        self._resume: Position | None = None  # until the training has come back to it
        self._phase = self._loop = -1
        self._open = self._in_epoch = self._in_loop = False
        self._batch_shape: tuple[int, ...] = ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Takes the folder and reads its newest checkpoint.

        Raises:
            OutputError: the folder is not writable or another run holds it.
            ConfigError: the checkpoint was made with other settings.
            CheckpointError: no checkpoint in the folder is whole, or it is from a newer release.
        """
        with ExitStack() as stack:
            cut_off = self._journal.open(stack, self._lock)
            if loaded := self._journal.read(self._now, self._may_change, cut_off):
                self._loaded, self._resume = loaded.state, Position(**loaded.state["position"])
            else:
                self._history.start_anew()
            stack.enter_context(first_warns())
            stack.enter_context(self.random)
            stack.enter_context(self._signals)
            stack.enter_context(lost_told())
            self._stack = stack.pop_all()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._stack.__exit__(kind, error, trace)
        if isinstance(error, torch.OutOfMemoryError):
            raise TrainingError(out_of_memory(self._batch_shape)) from error

    def setup(self, part: Part) -> Part:
        """A network moved to the device, or the optimiser of one that was; use what comes back."""
        return self._placed.setup(part)

    def track(self, **named: Any) -> None:
        """Keeps these in checkpoints: objects with state_dict and load_state_dict, or plain values (``values``)."""
        self._tracked.add(named)

    def epochs(self, n: int) -> Iterator[int]:
        """0, 1, ..., n-1; a resumed run begins at the epoch the checkpoint stands in, with everything tracked restored.

        A training may have several such loops, one after another; those that had ended before a stop yield nothing. To
        end one early, call ``enough`` rather than break, which a checkpoint would not know of.

        Raises:
            TrainingStopped: a signal came; the step was finished and the checkpoint written.
            TrainingError: a loss was NaN or infinite.
            OutputError: a checkpoint cannot be written.
        """
        start = self._begin_phase(n)
        if start is None:
            return
        self._signals.ready = self._in_epoch = True
        self._bar.begin(start, n)
        try:
            for epoch in range(start, n):
                self._begin_epoch(epoch)
                yield epoch
                self._end_epoch()
                if self._position.ended:
                    break
            self._pause(self._saved_at != self._position)
        finally:
            self._resume = None
            self._signals.ready = self._in_epoch = False
            self._bar.close()

    def enough(self) -> None:
        """Makes this epoch the last of its ``epochs`` loop; its line and its checkpoint are still written."""
        self._position.ended = True

    def batches(
        self, images: ImagesLike, batch_size: int, *, order: Order = torch.randperm, drop_last: bool = False
    ) -> Iterator[Batch]:
        """The images in batches on the device, in a new random order; see ``plan_batches`` for their sizes.

        With several processes each has its part of every batch, which together are the batch of one process.
        This is the pass that trains: a resumed run skips the passes and batches of its epoch that were done. To look
        at all images, use ``in_order``.

        Args:
            images: a store, or a uint8 array or tensor (n, c, h, w).
            batch_size: images in a batch, 1 or more.
            order: called with n and ``random.order``, gives the rows of a pass, (n,) int64 or more; see ``in_turn``.
            drop_last: leave an incomplete last batch out.

        Raises:
            ConfigError: the images are of another kind, are not those of the checkpoint, or the batch size is below 1.
            TrainingStopped, TrainingError, OutputError: as ``epochs``.
        """
        if not self._in_epoch or self._in_loop:
            raise ConfigError("batches belongs in an epochs loop, one pass at a time: use in_order to look at images.")
        source, n = self._sources.place(images)
        self._loop += 1
        if self._resume is not None and self._loop < self._resume.loop:
            return
        self._sources.check(f"{self._phase}.{self._loop}", images)
        start = self._begin_loop()
        rows = order(n, generator=self.random.order)
        plan = plan_batches(len(rows), batch_size, drop_last, max(2, n_processes()))
        own, parts = own_parts(plan[start:])
        self._in_loop = True
        try:
            for batch, part in zip(source.batches(rows, own), parts, strict=True):
                self._batch_shape, self._placed.counts = tuple(batch.clean.shape), (len(batch), part.whole)
                yield replace(batch, share=part)
                self._position.step += 1
                self._history.seen += part.whole
                self._bar.step(self._position.epoch, self._position.step / len(plan))
                self._pause(self._journal.saves_within_epochs and self._journal.is_due())
        finally:
            self._in_loop, self._placed.counts = False, (1, n_processes())

    def in_order(self, images: ImagesLike, batch_size: int, order: torch.Tensor | None = None) -> Iterator[Batch]:
        """All images once, in their order, or those of ``order`` alone: for features and labels. Never skipped."""
        source, n = self._sources.place(images)
        rows = torch.arange(n) if order is None else order
        yield from source.batches(rows, plan_batches(len(rows), min(batch_size, len(rows))))

    def step(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, clip: float | None = None) -> None:
        """One update: zero the gradients, go backward from ``loss`` (a scalar), clip their norm to ``clip``, step.

        Raises TrainingError when a loss is NaN or infinite: on a CPU before the weights change, on other devices up to
        ``check_every`` steps later and always before a checkpoint is written.

        With several processes ``loss`` is a mean over the part of the batch that this one has.
        """
        if not self._placed.knows(optimizer):
            raise ConfigError("step takes an optimiser that came back from run.setup.")
        self._count_one(self._placed.mean_of(loss))
        self._placed.update(optimizer, loss, clip)

    def count(self, losses: torch.Tensor) -> None:
        """Notes updates that the method made without ``step``, as a CUDA graph does: their ``losses`` (m,), in order.

        Raises TrainingError as ``step`` does, though the weights have changed by then.
        """
        for loss in losses:
            self._count_one(loss)

    def log(self, **figures: Any) -> None:
        """Adds figures (numbers, text, short lists) to this epoch's line of metrics.jsonl and to the bar.

        ``loss`` (the mean over the epoch's steps) and ``images_per_second`` stand there without being logged.
        """
        self._history.note(figures)

    def watch_clusters(self, labels: ArrayLike | torch.Tensor, k: int) -> dict[str, Any]:
        """Logs nonempty, effective, changed and agreement of ``labels`` (n,), ids 0..k-1; once per epoch.

        Gives a CollapseWarning when the effective number of clusters was below k / 2 for ``patience`` calls in a row.
        """
        figures = self._watch.labels(on_host(labels), k)
        self.log(**figures)
        return figures

    def watch_counts(self, counts: ArrayLike | torch.Tensor, k: int) -> dict[str, Any]:
        """As ``watch_clusters``, for ``counts`` (k,) of images or summed probabilities; of these alone."""
        figures = self._watch.counts(on_host(counts), k)
        self.log(**figures)
        return figures

    def check_memory(self, images: ImagesLike, batch_size: int) -> MemoryEstimate:
        """What training will take on the device, after ``setup``; raises NotEnoughMemoryError when that is not free."""
        n, c, h, w = pixels_of(images).shape
        own, placed = -(-batch_size // n_processes()), self._placed
        estimate = estimate_memory((n, c, h, w), own, placed.weights(), placed.optimizers, self._sources.budget)
        estimate.refuse_beyond(free_memory(self.device) + estimate.weights)  # the weights are there already
        return estimate

    def _begin_phase(self, n: int) -> int | None:
        """The first epoch of the next ``epochs`` loop, or None when that loop had ended before the stop."""
        if not self._open or self._in_epoch:
            raise ConfigError("epochs belongs in `with Run(...) as run:`, one loop at a time.")
        check_epochs(n)
        self._phase += 1
        if self._resume is None:
            self._position = Position(phase=self._phase, total=self._position.total)
            return 0
        if self._phase < self._resume.phase:
            return None
        self._restore()
        if self._resume.loop == AT_START:
            self._resume = None
            return n if self._position.ended else self._position.epoch
        return self._position.epoch

    def _begin_epoch(self, epoch: int) -> None:
        self.at_epoch_start = self._resume is None
        if self.at_epoch_start:
            self._position.begin_epoch(epoch)
            self._guard.begin_epoch()
        self._loop = -1
        self._history.begin_epoch()

    def _end_epoch(self) -> None:
        if self._resume is not None:
            raise CheckpointError(
                f"the checkpoint stands in pass {self._resume.loop + 1} of {self._resume}, "
                "which this code does not reach: it was made by another release or method."
            )
        self._refuse_bad(self._guard.look())
        position = self._position
        record = self._history.finish_epoch(position.phase, position.epoch, position.total, self._guard.mean)
        self._bar.epoch(position.epoch, record)
        position.begin_epoch(position.epoch + 1)
        self._guard.begin_epoch()
        self._pause(self._journal.is_due())

    def _begin_loop(self) -> int:
        """The first batch of this ``batches`` loop, with the generator of the order where the loop began."""
        if self._resume is None:
            self._order_state = self.random.order.get_state()
            self._position.loop, self._position.step = self._loop, 0
            return 0
        # Once more: what the epoch did before this loop must leave no trace, since it had been done already.
        self._restore()
        self._resume = None
        assert self._order_state is not None
        self.random.order.set_state(self._order_state)
        return self._position.step

    def _pause(self, save: bool) -> None:
        """Between two steps or epochs: the moment to stop or to save, the same in all processes.

        A signal to any of them stops all; the clock of the first says when to save.
        """
        number, due = largest([self._signals.received or 0, int(save and is_first())])
        if not number:
            return self._save() if due else None
        stop = signal.Signals(number)
        self._save()
        kept = f"{self._journal.folder} holds the checkpoint: run the same command to go on"
        raise TrainingStopped(
            f"stopped by {stop.name} at {self._position}; "
            f"{kept if self._journal.folder else 'nothing was saved, as the run has no folder'}.",
            128 + stop,
        )

    def _save(self) -> None:
        self._refuse_bad(self._guard.look())
        if not all_finite(self._placed.weights()):
            self._refuse_bad((0, float("nan")), "a weight")
        place = {"phase": self._position.phase + 1, "epoch": self._position.epoch, "update": self._position.update}
        self._journal.save(self._state(), {**self._now, **place})
        self._saved_at = replace(self._position)

    def _state(self) -> dict[str, Any]:
        return {
            "position": asdict(self._position),
            "order": self._order_state,
            "tracked": self._tracked.state_dict(),
            **{name: part.state_dict() for name, part in self._parts.items()},
        }

    def _restore(self) -> None:
        assert self._loaded is not None
        assert self._resume is not None
        self._tracked.load_state_dict(self._loaded["tracked"], self._journal.lr_ratio)
        for name, part in self._parts.items():
            part.load_state_dict(from_plain(self._loaded[name]))
        self._order_state = from_plain(self._loaded["order"])
        self._position = replace(self._resume)

    def _count_one(self, loss: torch.Tensor) -> None:
        self._position.update += 1
        self._position.total += 1
        self._refuse_bad(self._guard.add(loss))

    def _refuse_bad(self, bad: tuple[int, float] | None, what: str = "loss") -> None:
        if bad is not None:
            place, rates = self._position.of_update(bad[0]), learning_rates(self._placed.optimizers)
            raise TrainingError(bad_sentence(f"{what} became", bad[1], f"{place} (lr {rates})", self._journal.folder))
