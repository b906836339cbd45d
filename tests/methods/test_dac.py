"""DAC as a whole: trains, explains itself, saves, places new images, refuses what cannot be."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

import coterie
from coterie.errors import ConfigError
from coterie.methods import METHODS
from coterie.methods.chunks import n_updates
from coterie.methods.dac import DAC
from coterie.methods.dac_variants import VARIANTS
from coterie.metrics import accuracy
from coterie.nets.valid_conv import DAC_PUBLISHED

K = 3


def marks(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey images (n, 12, 12) of three marks that stay what they are when they are moved a little, and their kinds."""
    random = np.random.default_rng(seed)
    kinds = random.permutation(np.arange(n) % K)
    images = np.zeros((n, 12, 12))
    images[kinds == 0, 5:7, 1:11] = 220
    images[kinds == 1, 1:11, 5:7] = 220
    images[kinds == 2, 3:9, 3:9] = 220
    return (images + random.normal(20, 10, images.shape)).clip(0, 255).astype(np.uint8), kinds


(IMAGES, CLASSES), (NEW, NEW_CLASSES) = marks(180), marks(9, seed=1)
SMALL: dict[str, Any] = {"epochs": 3, "batch_size": 16, "chunk": 60, "repeats": 1, "maps": 4, "device": "cpu"}


def fitted(images: np.ndarray = IMAGES, **settings: Any) -> DAC:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images of so few kinds deserve them
        return DAC(**{"n_clusters": K, **SMALL, **settings}).fit(images)


@pytest.fixture(scope="module")
def model() -> DAC:
    """Only to be looked at."""
    return fitted(epochs=6, repeats=2, maps=8, random_state=1)


def test_the_method_is_known_by_its_name() -> None:
    assert METHODS["dac"] is DAC


def test_obvious_kinds_are_told_apart_by_both_answers(model: DAC) -> None:
    for name, answer in model.answers_.items():
        assert accuracy(CLASSES, answer.labels) > 0.95, name


def test_a_fit_has_two_answers_and_says_which_it_gives_and_why(model: DAC) -> None:
    n = len(IMAGES)
    assert set(model.answers_) == {"head", "linkage"}
    for labels, confidence in model.answers_.values():
        assert labels.shape == confidence.shape == (n,)
        assert (labels.dtype, confidence.dtype) == (np.int64, np.float32)
        assert 0 <= confidence.min() <= confidence.max() <= 1
        assert (np.diff(np.bincount(labels)) <= 0).all()
    assert np.array_equal(model.labels_, model.answers_[model.assigned_].labels)
    assert "keep most of the weight of the neighbour graph inside" in model.assigned_because_
    assert (model.embedding_.shape, model.embedding_.dtype) == ((n, 8 + K), np.float32)
    assert np.isfinite(model.embedding_).all()
    assert 0 <= model.batch_spread_ <= 1


def test_every_epoch_logs_what_shows_whether_pairs_are_learned(model: DAC) -> None:
    records = model.training_
    assert [record["epoch"] for record in records] == list(range(1, 7))
    for record in records:
        assert {"loss", "loss_pairs", "loss_auxiliary", "effective", "nonempty", "images_per_second"} <= record.keys()
        assert 1 / K <= record["max_share"] <= 1
        assert 0 <= record["together"] <= 1
        assert 0 <= record["left_out"] <= 1 - record["together"] + 1e-6
        assert -1e-5 <= record["emptiness"] <= np.log(K) + 1e-5
        assert record["loss"] == pytest.approx(record["loss_pairs"], rel=1e-3)  # the paper has no other term
    uppers, lowers = ([record[name] for record in records] for name in ("upper", "lower"))
    assert uppers == sorted(uppers, reverse=True)
    assert lowers == sorted(lowers)
    assert uppers[0] == 0.95
    assert all("changed" in record for record in records[1:])


def test_where_the_head_merges_two_clusters_the_linkage_of_the_maps_before_it_does_not() -> None:
    """Nothing in the paper's loss asks for K clusters (section 8 of dac.md); the features before it still have them."""
    model = fitted(epochs=6, repeats=2, maps=8, random_state=0)
    assert accuracy(CLASSES, model.answers_["head"].labels) < 0.7
    assert accuracy(CLASSES, model.answers_["linkage"].labels) > 0.95
    assert model.assigned_ == "linkage"


def test_the_training_ends_where_the_thresholds_meet() -> None:
    few = {"epochs": 10, "views": 1, "batch_size": 60}
    model = fitted(**few, upper_from=0.9, upper_to=0.3, lower_from=0.4, lower_to=0.6)
    # u = .9 - .06 e and l = .4 + .02 e meet after 6.25 epochs
    assert len(model.training_) == 7
    assert model.training_[-1]["upper"] > model.training_[-1]["lower"]
    assert len(fitted(**few, pairs="all", upper_to=0.3).training_) == 10


def test_there_is_a_cloud_for_every_epoch_and_one_for_the_end() -> None:
    model = fitted()
    assert [shot.title for shot in model.snapshots_] == ["epoch 1", "epoch 2", "epoch 3", "at the end"]
    assert all(shot.positions.shape == (len(IMAGES), 3) for shot in model.snapshots_)
    assert len(fitted(epochs=15, views=1, batch_size=60).snapshots_) <= 13


@pytest.mark.parametrize(("n", "chunk"), [(180, 60), (150, 60), (61, 60), (40, 1000), (17, 16), (2, 1000)])
def test_chunks_of_any_length_are_used_to_their_end(n: int, chunk: int) -> None:
    """Among them a last chunk that is shorter, one of a single image, and one that holds all."""
    model = fitted(IMAGES[:n], n_clusters=2, chunk=chunk, epochs=2, repeats=2)
    size = min(16, n)
    assert model.training_[-1]["step"] == 2 * n_updates(n, min(chunk, n), size, repeats=2, views=2)
    assert len(model.labels_) == n


def test_the_rest_of_an_epoch_can_be_left_out() -> None:
    model = fitted(IMAGES[:150], drop_last=True, epochs=1, views=1)
    assert model.training_[-1]["step"] == 2 * 3


@pytest.mark.parametrize("assign", ["head", "linkage"])
def test_each_answer_can_be_asked_for_saved_and_used_to_place_new_images(assign: str, tmp_path: Path) -> None:
    model = fitted(assign=assign)
    assert model.assigned_ == assign
    assert assign in model.assigned_because_
    model.save(tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    assert type(loaded) is DAC
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(NEW), model.predict(NEW))
    np.testing.assert_array_equal(loaded.predict_proba(NEW), model.predict_proba(NEW))
    np.testing.assert_array_equal(loaded.transform(NEW), model.transform(NEW))
    if assign == "head":  # parametric: an image of the fit gets the label of the fit
        assert np.array_equal(model.predict(IMAGES), model.labels_)


def test_new_images_join_their_kind(model: DAC) -> None:
    assert accuracy(np.concatenate([CLASSES, NEW_CLASSES]), np.concatenate([model.labels_, model.predict(NEW)])) > 0.95


@pytest.mark.parametrize("assign", ["head", "linkage"])
def test_a_prediction_does_not_depend_on_the_order_or_the_company_of_an_image(assign: str) -> None:
    model = fitted(assign=assign)
    labels, order = model.predict(IMAGES), np.random.default_rng(0).permutation(len(IMAGES))
    assert np.array_equal(model.predict(IMAGES[order]), labels[order])
    by_class = np.argsort(CLASSES)
    assert np.array_equal(model.predict(IMAGES[by_class]), labels[by_class])
    assert [int(model.predict(IMAGES[[i, i + 50]])[0]) for i in range(9)] == labels[:9].tolist()


def test_evaluation_by_batches_is_the_published_one_and_still_places_new_images() -> None:
    frozen, batch = fitted(assign="head"), fitted(assign="head", evaluation="batch")
    assert not np.allclose(frozen.embedding_, batch.embedding_, atol=1e-4)
    assert frozen.batch_spread_ == batch.batch_spread_
    new = batch.predict(NEW)
    assert np.array_equal(new, batch.predict(NEW[::-1])[::-1])


SWITCHES: list[dict[str, Any]] = [
    {"variant": "released"},
    {"variant": "released", "pairs": "sure", "upper_to": 0.895, "auxiliary": 1.0, "pair_weight": 1 / 32,
     "auxiliary_form": "softmax", "fresh_optimizer": True},
    {"variant": "released", "auxiliary_form": "mixed"},
    {"variant": "released", "upper_from": 0.9, "upper_to": 0.5, "auxiliary": 0.0, "pair_loss": "mse", "siamese": True,
     "relu_last": True, "batch_size": 32},
    {"pairs": "all"},
    {"entropy": 3.0},
    {"target_batch": 32},
    {"target_batch": 59},
    {"layers": "conv5-4 max2 bn conv1-{k} mean"},
    {"augment": "marks", "precision": "bf16"},
    {"batch_size": 2, "chunk": 2, "views": 1, "epochs": 1},
]  # fmt: skip


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_every_switch_of_paper_code_and_ours_trains(changes: dict[str, Any]) -> None:
    model = fitted(IMAGES[:64], **{"epochs": 2, "views": 1, **changes})
    assert np.isfinite(model.embedding_).all()
    assert all(np.isfinite(record["loss"]) for record in model.training_)


@pytest.mark.parametrize(("shape", "augment"), [((20, 20), "dac-mnist"), ((20, 20, 3), "dac-cifar")])
def test_grey_and_coloured_images_have_their_augmentations(shape: tuple[int, ...], augment: str) -> None:
    from coterie.images.presets import PRESETS
    from coterie.images.store import open_images

    images = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
    assert DAC(K)._augmentation(open_images(images)) is PRESETS[augment]
    assert len(fitted(images, epochs=1).labels_) == 40


@pytest.mark.parametrize("name", sorted(DAC_PUBLISHED))
def test_a_published_network_can_be_asked_for_by_its_name(name: str) -> None:
    assert DAC(7, layers=name).layers_for((1, 28, 28)) == DAC_PUBLISHED[name].format(k=7)


def test_the_variants_decide_the_same_parameters() -> None:
    assert {frozenset(meant) for meant in VARIANTS.values()} == {frozenset(VARIANTS["paper"])}
    assert VARIANTS["paper"].keys() <= DAC().get_params().keys()
    assert DAC().thresholds(0) == (0.95, 0.455)
    assert DAC(variant="released").thresholds(0) == (0.99, 0.99)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    torch.manual_seed(1)
    first = fitted()
    torch.manual_seed(2)
    again, other = fitted(), fitted(random_state=1)
    assert np.array_equal(first.embedding_, again.embedding_)
    assert not np.array_equal(first.embedding_, other.embedding_)


def test_parameters_are_kept_untouched_until_fit_and_cloned() -> None:
    nonsense = object()
    model = DAC(n_clusters=nonsense, layers=nonsense)  # type: ignore[arg-type]
    assert model.get_params()["layers"] is nonsense
    assert clone(model).get_params()["variant"] == "paper"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_clusters", [0, -3, 2.0, "ten", "auto", None, True]),
        ("variant", ["code", None]),
        ("epochs", [0, 1.5, "auto"]),
        ("batch_size", [0, 1, 2.5]),
        ("chunk", [0, 1]),
        ("repeats", [0, "many"]),
        ("views", [0]),
        ("pairs", ["some", True]),
        ("upper_from", [-0.1, 1.1, "high", None]),
        ("upper_to", [-0.1, "low"]),
        ("lower_from", [2]),
        ("lower_to", [float("nan")]),
        ("pair_loss", ["l1"]),
        ("pair_weight", [-1]),
        ("auxiliary", [-1, "some"]),
        ("auxiliary_form", ["l1"]),
        ("entropy", [-1]),
        ("layers", [5, None]),
        ("maps", [0]),
        ("augment", ["everything", None]),
        ("target_batch", [0, 1, "all"]),
        ("lr", [0, -0.1, float("inf"), "fast"]),
        ("evaluation", ["train"]),
        ("assign", ["robust"]),
        ("random_state", [-1, 0.5]),
    ],
)
def test_a_parameter_outside_its_range_is_named_before_anything_is_read(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=f"^{name} is {value!r}; expected"):
            DAC(**{"n_clusters": K, **SMALL, name: value}).fit("a folder that does not exist")


def test_every_parameter_has_a_range_that_is_checked() -> None:
    mark = test_a_parameter_outside_its_range_is_named_before_anything_is_read.pytestmark[0]  # type: ignore[attr-defined]
    flags = {"drop_last", "siamese", "relu_last", "fresh_optimizer"}
    elsewhere = {"precision", "device", "run_folder", "progress", "tensorboard"}
    assert {name for name, _ in mark.args[1]} | flags | elsewhere == set(DAC().get_params())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_clusters": 1}, "n_clusters is 1, and DAC learns by telling clusters apart; ask for 2 or more"),
        ({"chunk": 10}, "chunk is 10 and batch_size 16; a chunk must hold a batch"),
        ({"layers": "conv3-5 conv1-7 mean"}, r"layers end in 7 maps for 3 clusters; expected .* such as conv1-\{k\}"),
        ({"layers": "conv3-5 max11"}, "stage 2 looks at 11 x 11 and 10 x 10 are left"),
        ({"layers": "conv3-5 conv13-{k}"}, "images of 12 x 12 pixels are too small for the network"),
        ({"layers": "conv3-5 pool"}, "layers has 'pool'"),
        ({"layers": "conv3-{k}"}, "layers leave maps of 10 x 10"),
        ({"n_clusters": 1000}, "n_clusters is 1000, but there are only n_samples=180 images"),
        ({"precision": "64"}, "precision='64'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_the_reason(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        fitted(**settings)


def test_features_are_refused_since_there_is_nothing_to_train_on() -> None:
    with pytest.raises(ConfigError, match="DAC trains on images"):
        DAC(3, **SMALL).fit(np.zeros((50, 8)))


def test_images_of_one_colour_end_without_an_error() -> None:
    model = fitted(np.full((40, 12, 12), 7, np.uint8))
    assert np.isfinite(model.embedding_).all()
    assert 1 <= model.n_clusters_ <= K
