"""What the processes of one training share: rows in the order of the ranks, and sums that gradients pass through.

Contrast across a batch needs the whole batch: with negatives or cluster means of its own part only, every process
solves an easier task than one process would (CC fell from 79 to 69 % on two GPUs that way). With one process these
functions give back what they were given.

They are collective: every process calls them in the same order, and goes backward through those that carry gradients.
What then arrives is the gradient of the *sum* of the losses of all processes. A data-parallel network divides it by
the number of processes, so that means over equal parts of a batch train as one process would; ``Run.step`` weighs
the loss where the parts are not equal.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, distributed

from coterie.errors import CoterieWarning, TrainingError
from coterie.training.launched import is_first

Result = TypeVar("Result")


class Part(NamedTuple):
    """Which rows of a batch this process has: ``first`` and those that follow, of ``whole``; alone, all of them."""

    first: int
    whole: int


def n_processes() -> int:
    """How many processes share the training; 1 unless ``torch.distributed`` was initialised."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def own_part(n: int) -> slice:
    """Which of ``n`` rows are this process's: as many as the others' or one more, in the order of the ranks."""
    if n_processes() == 1:
        return slice(0, n)
    rank, world = distributed.get_rank(), n_processes()
    return slice(rank * n // world, (rank + 1) * n // world)


def meet() -> None:
    """Waits until all processes are here."""
    largest([0])


def from_first(work: Callable[[], Result]) -> Result:
    """What ``work`` gives in the first process, the only one that does it; what it raises ends all of them."""
    if n_processes() == 1:
        return work()
    told: list[Any] = [None, None]
    if distributed.get_rank() > 0:
        with lost_told():
            distributed.broadcast_object_list(told, 0)
        if told[1]:
            raise TrainingError(f"the first process has failed: {told[1]}")
        return told[0]  # type: ignore[no-any-return]
    try:
        told[0] = work()
    except Exception as error:
        with suppress(RuntimeError):  # nobody is left to be told
            distributed.broadcast_object_list([None, str(error) or type(error).__name__], 0)
        raise
    with lost_told():
        distributed.broadcast_object_list(told, 0)
    return told[0]  # type: ignore[no-any-return]


def largest(values: list[int]) -> list[int]:
    """The largest of each of some values over the processes; they travel on the host, so no GPU is waited for."""
    if n_processes() == 1:
        return values
    shared = torch.tensor(values)
    with lost_told():
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
    return [int(value) for value in shared]


@contextmanager
def lost_told() -> Iterator[None]:
    """Says in one sentence that another process has gone, which the library below says in its own words."""
    try:
        yield
    except RuntimeError as error:
        if n_processes() == 1 or not _is_of_peers(error):
            raise
        raise TrainingError("another process of the training has ended; what it said is the reason.") from error


@contextmanager
def first_warns() -> Iterator[None]:
    """Inside, coterie's warnings are given by the first process only, since all would give the same."""
    if is_first():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoterieWarning)
        yield


def gather_rows(rows: Tensor) -> Tensor:
    """(b, ...) of each process, one below the other: rank 0 first. Gradients flow back to where rows came from.

    Processes may hold different numbers of rows, as in a last batch.
    """
    if n_processes() == 1:
        return rows
    sizes = torch.cat(_gathered(torch.tensor([len(rows)]))).tolist()  # on the host: no GPU is waited for
    filler = rows.new_zeros((max(sizes) - len(rows), *rows.shape[1:]))
    parts = _Gather.apply(torch.cat([rows, filler]))  # type: ignore[no-untyped-call]
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of ``values``, of one shape everywhere, over all processes; gradients pass."""
    if n_processes() == 1:
        return values
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def mean_over_processes(means: Tensor, n: int, whole: int) -> Tensor:
    """The mean over ``whole`` rows of all processes, from the ``means`` over this one's ``n``; gradients pass."""
    return means if n_processes() == 1 else sum_over_processes(means * (n / whole))


def cluster_sums(shares: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the images of all processes: (k, d) of the features weighted by their shares, (k,) of the shares.

    Row j is sum_i a_i(j) f_i (tcc.md Eq. 5 before it is normalised), whatever the order of the images or their spread
    over processes. In float32 or better, also under autocast: K x (d + 1) numbers travel.

    Args:
        shares: (b, k), how much each image belongs to each cluster.
        features: (b, d).
    """
    with torch.autocast(shares.device.type, enabled=False):
        shares, features = at_least_float32(shares), at_least_float32(features)
        counted = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
        sums = sum_over_processes(shares.T @ counted)
    return sums[:, :-1], sums[:, -1]


@torch.no_grad()
def share_first(tensors: list[Tensor]) -> None:
    """Overwrites ``tensors`` with those of rank 0, so that every process starts from the same."""
    if n_processes() > 1:
        for tensor in tensors:
            flat = tensor.contiguous()  # the memory of a convolution's weights may have another order
            distributed.broadcast(flat, 0)
            tensor.copy_(flat)


@torch.no_grad()
def share_mean(tensors: list[Tensor]) -> None:
    """Overwrites ``tensors``, all of one floating type, with their mean over the processes, in one message."""
    if n_processes() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    parts = torch.split_with_sizes(flat / n_processes(), [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def _is_of_peers(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or any(word in str(error) for word in ("gloo", "Gloo", "NCCL"))


def at_least_float32(values: Tensor) -> Tensor:
    """``values`` in the precision that sums are taken in."""
    return values if values.dtype == torch.float64 else values.float()


# torch.distributed.nn.functional has both of these, deprecated in favour of a private module.
class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        return _summed(values)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, rows: Tensor) -> tuple[Tensor, ...]:
        return tuple(_gathered(rows))

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return _summed(torch.stack(gradients))[distributed.get_rank()]


def _summed(values: Tensor) -> Tensor:
    total = values.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def _gathered(rows: Tensor) -> list[Tensor]:
    rows = rows.detach().contiguous()
    parts = [torch.empty_like(rows) for _ in range(n_processes())]
    distributed.all_gather(parts, rows)
    return parts
