"""Batch normalisation by the batch while a network learns, and by fixed statistics when it answers.

DAC and DCCM normalise every batch by itself, in evaluation too; then what an image is said to be depends on which
images happen to be in its batch. ``write_statistics`` ends that: it looks at batches of clean images, writes the mean
and variance that each layer meets into the layer, and from then on evaluation mode normalises by those.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def keep_statistics(network: nn.Module) -> None:
    """Gives every batch normalisation of ``network`` a mean of 0 and a variance of 1 to keep, as buffers.

    A network that is built to take the weights of one with written statistics needs their places first.
    """
    for layer in normalisations(network):
        like = next(layer.parameters(), torch.empty(0))
        layer.track_running_stats = True
        layer.momentum = None  # every batch counts alike
        layer.register_buffer("running_mean", torch.zeros(layer.num_features, device=like.device))
        layer.register_buffer("running_var", torch.ones(layer.num_features, device=like.device))
        layer.register_buffer("num_batches_tracked", torch.tensor(0, device=like.device))


def write_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Writes the statistics of ``batches`` into the batch normalisations of ``network``, and sets evaluation mode.

    Args:
        network: takes a batch; in full precision and on the device of the batches.
        batches: at least one, each what the network takes (b, c, h, w), of about as many images, which should be mixed
            and many (1,000). Each passes through the layers normalised by itself, as in training; a layer keeps the
            mean over the batches of the means and of the (unbiased) variances at its input.
    """
    keep_statistics(network)
    network.train()
    with torch.no_grad():
        for batch in batches:
            network(batch)
    network.eval()


def normalisations(network: nn.Module) -> Iterator[_BatchNorm]:
    """The layers of ``network`` that normalise by the batch."""
    return (layer for layer in network.modules() if isinstance(layer, _BatchNorm))
