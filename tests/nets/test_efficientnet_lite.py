"""The net: its padding against loops, its shape, and the published weights on real photos."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from coterie.images.encoder import encoder_input, read_weights
from coterie.images.features import encoder_installed
from coterie.nets.efficientnet_lite import (
    ConvNorm,
    EfficientNetLite0,
    fold_batch_norm,
    normalise,
    published_name,
    same_padding,
    with_published_weights,
)

PHOTOS = Path(__file__).parents[2].parent / "shared" / "data" / "tiny_imagenet_10_jpeg.npz"
needs_weights = pytest.mark.skipif(not encoder_installed(), reason="the extra 'encoder' is not installed")
needs_photos = pytest.mark.skipif(not PHOTOS.exists(), reason="the photos of ../shared/data are not on this machine")

# ImageNet's own numbers of the ten classes in PHOTOS, in its order: king penguin, Yorkshire terrier, lion, African
# elephant, school bus, sports car, lifeboat, bullet train, basketball, orange.
TEN = [145, 187, 291, 386, 779, 817, 625, 466, 430, 950]


@pytest.fixture(scope="module")
def net() -> EfficientNetLite0:
    return fold_batch_norm(with_published_weights(read_weights()))


def convolve_by_loops(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """Depthwise (c, h, w) with (c, k, k): output i reads input i * stride + j - before, zeros outside."""
    c, h, w = x.shape
    k = weight.shape[-1]
    out_h, out_w = -(-h // stride), -(-w // stride)
    top = max((out_h - 1) * stride + k - h, 0) // 2
    left = max((out_w - 1) * stride + k - w, 0) // 2
    out = np.zeros((c, out_h, out_w))
    for ch in range(c):
        for i in range(out_h):
            for j in range(out_w):
                for a in range(k):
                    for b in range(k):
                        y, z = i * stride + a - top, j * stride + b - left
                        if 0 <= y < h and 0 <= z < w:
                            out[ch, i, j] += x[ch, y, z] * weight[ch, a, b]
    return out


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (9, 10), (5, 1), (2, 3)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_pad_as_tensorflow_does(size: tuple[int, int], stride: int, kernel: int) -> None:
    torch.manual_seed(0)
    layer = ConvNorm(2, 2, kernel, stride, depthwise=True, activate=False).double()
    layer.norm = nn.Identity()
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    with torch.no_grad():
        found = layer(x)[0].numpy()
    weight = layer.conv.weight.detach().numpy()[:, 0]
    np.testing.assert_allclose(found, convolve_by_loops(x[0].numpy(), weight, stride), atol=1e-12)


def test_the_odd_pixel_of_padding_goes_to_the_right_and_the_bottom() -> None:
    assert same_padding(224, kernel=3, stride=2) == (0, 1)
    assert same_padding(56, kernel=5, stride=2) == (1, 2)
    assert same_padding(7, kernel=3, stride=2) == (1, 1)
    assert same_padding(14, kernel=5, stride=1) == (2, 2)
    assert same_padding(1, kernel=1, stride=2) == (0, 0)


def test_the_net_has_the_published_number_of_parameters() -> None:
    net = EfficientNetLite0()
    assert sum(p.numel() for p in net.parameters()) == 4_652_008
    assert sum(p.numel() for p in net.classify.parameters()) == 1_281_000
    assert len(net.blocks) == 16
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 49
    assert {m.eps for m in norms} == {1e-3}


@pytest.mark.parametrize("size", [(224, 224), (33, 47)])
def test_an_image_of_any_size_becomes_1280_numbers(size: tuple[int, int]) -> None:
    net = EfficientNetLite0().eval()
    with torch.inference_mode():
        features = net(torch.zeros(2, 3, *size))
        assert features.shape == (2, 1280)
        assert net.classify(features).shape == (2, 1000)


def test_gradients_reach_the_stem() -> None:
    net = EfficientNetLite0().train()
    net.classify(net(torch.randn(2, 3, 32, 32))).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_normalise_maps_127_to_zero_and_255_to_one() -> None:
    x = torch.tensor([0, 127, 255], dtype=torch.uint8)
    assert normalise(x).tolist() == [-127 / 128, 0.0, 1.0]


def test_folding_batch_norms_changes_no_feature() -> None:
    generator = torch.Generator().manual_seed(0)
    net = EfficientNetLite0().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) * 0.1
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
            module.weight.data = torch.rand(module.num_features, generator=generator) + 0.5
            module.bias.data = torch.randn(module.num_features, generator=generator) * 0.1
    x = torch.randn(2, 3, 48, 48, generator=generator)
    with torch.inference_mode():
        before = net(x)
        after = fold_batch_norm(net)(x)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_published_names_become_ours() -> None:
    assert published_name("_conv_stem.weight") == "stem.conv.weight"
    assert published_name("_bn0.running_var") == "stem.norm.running_var"
    assert published_name("_blocks.3._expand_conv.weight") == "blocks.3.expand.conv.weight"
    assert published_name("_blocks.3._bn0.bias") == "blocks.3.expand.norm.bias"
    assert published_name("_blocks.15._bn2.num_batches_tracked") == "blocks.15.project.norm.num_batches_tracked"
    assert published_name("_fc.bias") == "classify.bias"
    assert published_name("_se_reduce.weight") == "_se_reduce.weight"


@needs_weights
def test_every_published_tensor_finds_its_place() -> None:
    state = read_weights()
    net = with_published_weights(state)
    assert {published_name(name) for name in state} == set(net.state_dict())
    assert not net.training


@needs_weights
def test_a_state_dict_with_a_missing_or_foreign_tensor_is_refused() -> None:
    state = read_weights()
    with pytest.raises(RuntimeError, match="stem"):
        with_published_weights({name: t for name, t in state.items() if name != "_conv_stem.weight"})
    with pytest.raises(RuntimeError, match="_se_reduce"):
        with_published_weights(state | {"_se_reduce.weight": torch.zeros(1)})


@needs_weights
def test_the_same_image_gives_the_same_features_every_time(net: EfficientNetLite0) -> None:
    x = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(net(x), net(x))


@needs_weights
@needs_photos
def test_photos_of_ten_classes_are_recognised(net: EfficientNetLite0) -> None:
    with np.load(PHOTOS) as data:
        jpeg, offsets, labels = data["jpeg"], data["offsets"], data["labels"]
    hits = []
    for number, expected in enumerate(TEN):
        rows = np.flatnonzero(labels == number)[:6]
        images = [Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())).convert("RGB") for i in rows]
        x = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits = net.classify(net(encoder_input(x.float())))
        # 64-pixel photos are hard among 1,000 classes, not among these ten.
        hits += (logits[:, TEN].argmax(dim=1) == number).tolist()
        assert expected in logits.topk(5, dim=1).indices.flatten().tolist()
    assert np.mean(hits) > 0.85
