"""Features from a network that a method of ours has trained; saved with the model, so that it places new images."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coterie.errors import ConfigError, ModelFileError
from coterie.images.extractor import Images, Rows
from coterie.images.module_features import evaluating
from coterie.images.network import network_rows
from coterie.nets.attention import LabelFeatures
from coterie.nets.conv_stack import ConvStack
from coterie.nets.dccm_net import DCCMTrunk
from coterie.nets.ensemble import Ensemble
from coterie.nets.gan import GanTrunk
from coterie.nets.heads import ProjectedTrunk
from coterie.nets.label_network import LabelTrunk

NAME = "trained"
ENSEMBLE = "ensemble"

# What a model file may ask for, by name: loading one builds no other network than these.
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "conv_stack": ConvStack,
    "dccm_trunk": DCCMTrunk,
    "gan_trunk": GanTrunk,
    "projected_trunk": ProjectedTrunk,
    "label_features": LabelFeatures,
    "label_trunk": LabelTrunk,
}


def build_network(architecture: Mapping[str, Any]) -> nn.Module:
    """The untrained network of ``architecture``: its name under "network", and its arguments.

    Of an "ensemble" the argument "members" has the architecture of each network.
    """
    arguments = dict(architecture)
    name = arguments.pop("network", None)
    if name == ENSEMBLE:
        return Ensemble([build_network(member) for member in arguments["members"]])
    if name not in NETWORKS:
        raise ModelFileError(f"the model has the network {name!r}, which is unknown; upgrade coterie to read it")
    if "shape" in arguments:
        arguments["shape"] = tuple(arguments["shape"])
    try:
        return NETWORKS[name](**arguments)
    except TypeError as error:
        raise ModelFileError(f"the model's network has settings this release does not know ({error})") from error


def ensemble(architectures: list[dict[str, Any]]) -> dict[str, Any]:
    """The architecture of the networks of ``architectures``, all for images of one shape, taken together."""
    first = architectures[0]
    if len(architectures) == 1:
        return first
    return {"network": ENSEMBLE, "shape": first["shape"], "members": architectures}


class TrainedNetwork:
    """The embedding (n, d) float32 that a trained network makes of images, as it comes out of the network.

    architecture: the plain values that ``build_network`` makes the same network from; "shape" (c, h, w) is that of the
    images.
    """

    name = NAME

    def __init__(self, network: nn.Module, architecture: Mapping[str, Any], device: torch.device | str = "cpu") -> None:
        self.network = network
        self.architecture = dict(architecture)
        self.device = torch.device(device)

    def fit_transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d); there is nothing left to learn."""
        return self.transform(store, progress=progress)

    def transform(self, store: Images, *, progress: bool = False) -> Rows:
        """(n, d) of images of the trained shape; ConfigError for images of another."""
        if store.shape != tuple(self.architecture["shape"]):
            raise ConfigError(
                f"the new images have the shape {store.shape} and the network was trained on "
                f"{tuple(self.architecture['shape'])} (channels, height, width); open them with the options of the run"
            )
        self.network.to(self.device)
        with evaluating(self.network):
            return network_rows(lambda x: self.network(x / 255.0), store, self.device, progress)

    def config(self) -> dict[str, Any]:
        """The architecture; the weights are ``tensors``."""
        return {"name": self.name, "architecture": self.architecture}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights and buffers of the network by name."""
        return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in self.network.state_dict().items()}

    @classmethod
    def from_saved(
        cls, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: torch.device | str = "cpu"
    ) -> "TrainedNetwork":
        """The extractor of a saved model; ModelFileError when network and weights do not fit."""
        architecture = config.get("architecture")
        if not isinstance(architecture, dict):
            raise ModelFileError("the model does not say what network it has; save it again")
        network = build_network(architecture)
        try:
            network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
        except RuntimeError as error:
            raise ModelFileError(
                f"the model's weights do not fit its network ({str(error).splitlines()[0]})"
            ) from error
        return cls(network, architecture, device)
