"""A network that a method of ours has trained: as an extractor, saved, loaded, and refused."""

from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import ConfigError, ModelFileError
from coterie.images.extractor import FeatureExtractor
from coterie.images.features import extractor_from_saved
from coterie.images.store import ImageStore, open_images
from coterie.images.trained import TrainedNetwork, build_network

ARCHITECTURE = {"network": "conv_stack", "shape": [1, 9, 8], "blocks": "P", "padding": 0, "bn_weight": "ones"}


def store(n: int = 11, shape: tuple[int, ...] = (9, 8), seed: int = 0) -> ImageStore:
    return open_images(np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8))


def trained(**changes: Any) -> TrainedNetwork:
    """An extractor whose running statistics are not those of an untrained network."""
    torch.manual_seed(0)
    network = build_network(ARCHITECTURE | changes)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(16, 1, 9, 8))
    return TrainedNetwork(network, ARCHITECTURE | changes)


def test_it_keeps_the_contract_of_an_extractor() -> None:
    extractor: Any = trained()
    assert isinstance(extractor, FeatureExtractor)
    assert extractor.name == "trained"


def test_rows_are_what_the_network_makes_of_pixels_in_0_to_1_in_eval_mode() -> None:
    extractor, images = trained(), store()
    rows = extractor.transform(images)
    extractor.network.eval()
    with torch.no_grad():
        expected = extractor.network(torch.from_numpy(np.array(images.images)).float() / 255).numpy()
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    np.testing.assert_array_equal(extractor.fit_transform(images), rows)


def test_looking_at_images_changes_nothing() -> None:
    extractor = trained()
    extractor.network.train()
    before = {name: tensor.clone() for name, tensor in extractor.network.state_dict().items()}
    extractor.transform(store())
    assert extractor.network.training
    after = extractor.network.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_an_image_gives_the_same_row_alone_and_among_others() -> None:
    extractor, images = trained(), store()
    whole = extractor.transform(images)
    alone = extractor.transform(open_images(np.array(images.images[4:5, 0]), options=images.options))
    np.testing.assert_allclose(alone[0], whole[4], atol=1e-6)


def test_what_was_saved_gives_the_same_rows_to_the_bit() -> None:
    extractor, images = trained(), store()
    tensors = {name: np.array(array) for name, array in extractor.tensors().items()}
    again = extractor_from_saved(extractor.config(), tensors, device="cpu")
    assert isinstance(again, TrainedNetwork)
    np.testing.assert_array_equal(again.transform(images), extractor.transform(images))
    assert again.config() == extractor.config()


def test_the_saved_tensors_do_not_follow_the_network_into_the_loaded_one() -> None:
    extractor = trained()
    tensors = extractor.tensors()
    again = TrainedNetwork.from_saved(extractor.config(), tensors)
    with torch.no_grad():
        next(extractor.network.parameters()).zero_()
    assert next(again.network.parameters()).abs().sum() > 0


def test_images_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(ConfigError, match=r"\(1, 12, 8\) and the network was trained on \(1, 9, 8\)"):
        trained().transform(store(shape=(12, 8)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"network": "transformer"}, "the network 'transformer', which is unknown; upgrade"),
        ({"network": None}, "the network None, which is unknown"),
        ({"depth": 3}, "settings this release does not know .*depth"),
    ],
)
def test_a_network_of_another_release_is_refused_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        build_network(ARCHITECTURE | changes)
    with pytest.raises(ModelFileError, match=sentence):
        TrainedNetwork.from_saved({"name": "trained", "architecture": ARCHITECTURE | changes}, {})


def test_a_model_without_an_architecture_is_refused() -> None:
    with pytest.raises(ModelFileError, match="does not say what network it has"):
        TrainedNetwork.from_saved({"name": "trained"}, {})
    no_shape = {name: value for name, value in ARCHITECTURE.items() if name != "shape"}
    with pytest.raises(ModelFileError, match=r"settings this release does not know .*shape"):
        TrainedNetwork.from_saved({"architecture": no_shape}, {})


@pytest.mark.parametrize("spoil", ["missing", "another shape", "one too many"])
def test_weights_that_do_not_fit_the_network_are_refused(spoil: str) -> None:
    extractor = trained()
    tensors = dict(extractor.tensors())
    if spoil == "missing":
        del tensors["head.weight"]
    elif spoil == "another shape":
        tensors["head.weight"] = tensors["head.weight"][:, :-1]
    else:
        tensors["tail.weight"] = tensors["head.weight"]
    with pytest.raises(ModelFileError, match="the model's weights do not fit its network"):
        TrainedNetwork.from_saved(extractor.config(), tensors)
