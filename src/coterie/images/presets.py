"""Augmentations as the papers used them, and which of them suits which images.

What differs from the papers in all of them: a crop is placed to the fraction of a pixel, and where a paper takes off a
mean colour and divides by a deviation, nothing does: images stay in 0..1. The batch norm behind the first convolution
takes off what a mean colour adds to a map, but at the border, where a convolution is padded with black.
"""

from dataclasses import replace
from typing import NamedTuple

from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.blur import Blur
from coterie.images.colour import Gamma, Grey, Jitter
from coterie.images.keras_affine import ChannelShift, KerasAffine, Rescale
from coterie.images.noise import Noise
from coterie.images.warp import Warp

SMALL = 64  # pixels: grey images up to here are taken for marks, as `--features auto` does

# the nearest pixel and black: torchvision's RandomAffine as it was then
GAT_WARP = Warp(flip=0.5, rotation=10, shift=0.1, shear=10, outside="black", sampling="nearest")

PRESETS: dict[str, Augmentation] = {
    # MiCE and TCC. tcc.md section 10: area .2-1 of ratio 3/4-4/3, grey .2 BEFORE the jitter, jitter always, flip .5.
    "mice": Augmentation((Warp(crop=(0.2, 1), flip=0.5), Grey(0.2), Jitter(0.4, 0.4, 0.4, 0.4))),
    # CC on CIFAR. baselines.md, list of presets: area .08-1, jitter (.8, .8, .8, .2) times s = .5 at p = .8, grey .2.
    "cc": Augmentation((Warp(crop=(0.08, 1), flip=0.5), Jitter(0.4, 0.4, 0.4, 0.1, probability=0.8), Grey(0.2))),
    # CC on ImageNet sets, 224 px: the same at s = 1, then blur of 23 px, sigma .1-2, at p = .5.
    "cc-imagenet": Augmentation(
        (
            Warp(crop=(0.08, 1), flip=0.5),
            Jitter(0.8, 0.8, 0.8, 0.2, probability=0.8),
            Grey(0.2),
            Blur((0.1, 2.0), kernel=23, probability=0.5),
        )
    ),
    # SCAN's first stage. baselines.md, list of presets: area .2-1, jitter (.4, .4, .4, .1) at p = .8, grey .2.
    "simclr32": Augmentation((Warp(crop=(0.2, 1), flip=0.5), Jitter(0.4, 0.4, 0.4, 0.1, probability=0.8), Grey(0.2))),
    # IDFD. baselines.md, list of presets and section 3: no flip, no hue; jitter before grey as in its repository.
    "idfd": Augmentation((Warp(crop=(0.2, 1)), Jitter(0.4, 0.4, 0.4), Grey(0.2))),
    # IIC on CIFAR. baselines.md section 4: 20 of 32 px, back to 32; hue .125 from its repository. Grey for the Sobel
    # filter, which is the network's first layer. IIC shows its networks the central 20 px of a clean image.
    "iic": Augmentation(
        (Warp(crop=((20 / 32) ** 2, (20 / 32) ** 2), ratio=(1, 1), flip=0.5), Jitter(0.4, 0.4, 0.4, 0.125), Grey(1.0))
    ),
    # DAC, and DCCM on CIFAR (dccm.md section 6). dac.md section 5, from the authors' scripts cifar10_1.py, cifar100.py.
    "dac-cifar": Augmentation((KerasAffine(20, 0.18, (0.85, 1.15), flip=0.5), ChannelShift(0.1), Rescale(0.95))),
    # cifar10_2.py.
    "dac-cifar-mild": Augmentation((KerasAffine(10, 0.09, (0.95, 1.05), flip=0.5), ChannelShift(0.05), Rescale(0.975))),
    # stl.py, imagenet10.py, imagenetdog.py.
    "dac": Augmentation((KerasAffine(10, 0.1, (0.95, 1.05), flip=0.5), ChannelShift(0.05), Rescale(0.975))),
    # mnist.py: no flip.
    "dac-mnist": Augmentation((KerasAffine(10, 0.1, (0.95, 1.05)), ChannelShift(0.05), Rescale(0.975))),
    # GATCluster on STL-10. gatcluster.md section 5, from the authors' script, whose last step, grey, is the network's.
    "gatcluster": Augmentation((Jitter(0.3, 0.3, 0, 0.2), replace(GAT_WARP, scale=(0.8, 1.2)))),
    # On ImageNet-10.
    "gatcluster-imagenet": Augmentation((Jitter(0.3, 0.3, 0, 0.2), replace(GAT_WARP, scale=(0.7, 1.3)))),
    # UDC's "Ours*", whose form the paper does not state; ranges of udc.md section 6. A gradient goes through these to
    # the generator.
    "udc": Augmentation(
        (Warp(rotation=15, shift=0.125, scale=(0.8, 1.2)), Jitter(0.4, 0.4, 0.4, 0.1), Noise((0.05, 0.05)))
    ),
    # Digits, letters, scans: what a pen and a scanner change. Every number is ours, from no paper.
    "marks": Augmentation(
        (
            Warp(rotation=15, shift=0.1, scale=(0.8, 1.2), shear=10, outside="background"),
            Gamma((0.7, 1.4)),
            Noise((0.05, 0.05)),
        )
    ),
}


class Choice(NamedTuple):
    """The name of a preset, and why, as a sentence without its full stop."""

    name: str
    because: str


def preset(name: str) -> Augmentation:
    """The preset called ``name``; ConfigError names them all when there is no such one."""
    if name not in PRESETS:
        raise ConfigError(f"augment={name!r} is not a preset: give one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def preset_for(shape: tuple[int, int, int]) -> Choice:
    """What suits images of ``shape`` (c, h, w) that nothing else is known of: marks or mice."""
    channels, height, width = shape
    if channels == 1 and max(height, width) <= SMALL:
        because = f"grey images up to {SMALL} px are taken for marks, which a mirror or a crop would change into others"
        return Choice("marks", because)
    if channels == 1:
        return Choice(
            "mice", f"grey images above {SMALL} px are taken for photos, which stay what they are when cropped"
        )
    return Choice("mice", "cropped, mirrored and recoloured, a colour photo still shows the same thing")
