"""What the methods take by the look of the images, and the reasons they give."""

import pytest

from coterie.images.presets import PRESETS
from coterie.methods.dac import DAC
from coterie.methods.dccm import DCCM
from coterie.methods.gatcluster import GATCluster
from coterie.methods.taken import Taken, taken
from coterie.methods.tcc import TCC

SHAPES = ((1, 28, 28), (3, 32, 32), (3, 96, 96), (1, 128, 96))


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (TCC, ("marks", "mice", "mice", "mice")),
        (GATCluster, ("marks", "gatcluster", "gatcluster", "gatcluster")),
        (DCCM, ("marks", "dac-cifar", "dac", "dac")),
        (DAC, ("dac-mnist", "dac-cifar", "dac", "dac")),
    ],
)
def test_each_method_names_a_preset_for_each_kind_of_images_with_a_reason(method: type, names: tuple[str, ...]) -> None:
    for shape, name in zip(SHAPES, names, strict=True):
        found = method(3).taken_for(shape)["augment"]
        assert found.name == name
        assert found.name in PRESETS
        assert len(found.because.split()) > 5
        assert not found.because.endswith(".")


def test_what_was_asked_for_is_taken_whatever_the_images_are() -> None:
    assert taken("mice", ("marks", "they look like marks")) == Taken("mice", "it was asked for")
    assert taken("auto", ("marks", "they look like marks")) == Taken("marks", "they look like marks")
    both = TCC(3, trunk="resnet34", augment="cc").taken_for((1, 28, 28))
    assert both == {
        "trunk": Taken("resnet34", "it was asked for"), "augment": Taken("cc", "it was asked for"),
    }  # fmt: skip
