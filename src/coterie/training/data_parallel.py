"""How a network trains in several processes: gradients are averaged, and batch norm sees the batch of all.

The only file that imports Lightning Fabric's strategies, which is slow: imported by ``make_fabric`` where there are
several processes.
"""

from datetime import timedelta

import torch
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coterie.training.processes import at_least_float32, n_processes, sum_over_processes

# The others wait while the first reads images or asks the linkage. Who is gone is noticed at once; nobody else is late.
PATIENCE = timedelta(days=7)


class DataParallel(DDPStrategy):
    """Fabric's strategy for one process per device: gloo on the host, nccl between GPUs."""

    def __init__(self, kind: str) -> None:
        # numbers of the host travel over gloo also where networks are on GPUs, so that no GPU is waited for
        backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
        super().__init__(process_group_backend=backend, timeout=PATIENCE)

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        """``module`` made ready to train; one without gradients, such as a slow twin, has nothing to average."""
        module = with_whole_batch_norm(module, self.root_device)
        if not any(weight.requires_grad for weight in module.parameters()):
            return module
        return super().setup_module(module)


def with_whole_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """``module`` with batch norms that take their statistics of all processes; weights and buffers stay what they are.

    On GPUs these are torch's own, on a CPU, where torch has none, ``WholeBatchNorm``.
    """
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = WholeBatchNorm
    return module


class WholeBatchNorm(_BatchNorm):
    """Batch norm (b, c, ...) whose mean and variance are those of the images of all processes, also of uneven parts."""

    def forward(self, x: Tensor) -> Tensor:
        """As torch's; by the running statistics in evaluation mode."""
        if not self.training or n_processes() == 1:
            return super().forward(x)
        wide = at_least_float32(x)
        rows = wide.movedim(1, -1).flatten(0, -2)
        sums = sum_over_processes(torch.cat([rows.sum(0), rows.new_tensor([len(rows)])]))
        count, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
        # the mean first: a difference of sums of squares would lose what a small variance is made of
        var = sum_over_processes((rows - mean).square().sum(0)) / count
        self._follow(mean.detach(), var.detach(), count)
        shape = (1, -1, *[1] * (x.dim() - 2))
        y = (wide - mean.view(shape)) * (var + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var * count / (count - 1), share)

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions is right: the networks were built with norms for theirs."""
