"""What a training has on its device: networks, their optimisers, and the update that both make."""

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from coterie.errors import ConfigError
from coterie.training.processes import mean_over_processes, n_processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Part = TypeVar("Part", bound=nn.Module | torch.optim.Optimizer)


class Placed:
    """Networks and optimisers as ``fabric`` has set them up.

    Attributes:
        optimizers: all of them, in the order they came.
        counts: images of the batch in progress that losses are means over: in this process, in all.
    """

    def __init__(self, fabric: "Fabric") -> None:
        self.optimizers: list[torch.optim.Optimizer] = []
        self.counts = (1, n_processes())
        self._fabric = fabric
        self._modules: list[nn.Module] = []

    def setup(self, part: Part) -> Part:
        """A network moved to the device, or the optimiser of one that was; ConfigError for anything else."""
        if isinstance(part, nn.Module):
            module: Any = self._fabric.setup_module(part)
            self._modules.append(module)
            return module  # type: ignore[no-any-return]
        if isinstance(part, torch.optim.Optimizer):
            optimizer: Any = self._fabric.setup_optimizers(part)
            self.optimizers.append(optimizer)
            return optimizer  # type: ignore[no-any-return]
        raise ConfigError(f"setup takes a torch module or optimiser, not a {type(part).__name__}.")

    def knows(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether ``optimizer`` came back from ``setup``."""
        return any(optimizer is known for known in self.optimizers)

    def mean_of(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss of the whole batch, without gradient, from that of this process's part."""
        return mean_over_processes(loss.detach(), *self.counts)

    def update(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, clip: float | None) -> None:
        """Zeroes the gradients, goes backward from ``loss``, clips their norm to ``clip``, steps."""
        n, whole = self.counts
        share = n * n_processes() / whole
        optimizer.zero_grad()
        # the gradients of the processes are averaged as if their parts of the batch were equal
        self._fabric.backward(loss if share == 1 else loss * share)
        if clip is not None:
            # which module it is matters to sharded strategies only
            self._fabric.clip_gradients(self._modules[0], optimizer, max_norm=clip, error_if_nonfinite=False)
        optimizer.step()

    def weights(self) -> list[torch.Tensor]:
        """Parameters and buffers of all networks."""
        return [tensor for module in self._modules for tensor in (*module.parameters(), *module.buffers())]

    def state_dict(self) -> dict[str, Any]:
        """The scale of the loss, which 16 bits need; networks and optimisers are tracked by the method."""
        return self._fabric.strategy.precision.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what ``state_dict`` gave."""
        if state:
            self._fabric.strategy.precision.load_state_dict(state)
