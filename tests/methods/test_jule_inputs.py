"""What JULE refuses, and what it says of odd images and odd numbers (faults.md 19, 20, 27-31, 34, 36, 45)."""

import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import (
    BatchSizeWarning,
    ConfigError,
    CoterieWarning,
    GraphWarning,
    TrainingError,
)
from coterie.methods.jule import JULE
from methods.patterns import FAST, K, noise, patterns
from oracles.plain_graphs import partition

IMAGES, CLASSES = patterns(each=20)
any_warning = pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")


def jule(**settings: Any) -> JULE:
    return JULE(**{"n_clusters": K, **FAST, **settings})


def said(images: np.ndarray, **settings: Any) -> tuple[JULE, list[str]]:
    """The fitted model and every warning it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = jule(**settings).fit(images)
    assert all(issubclass(one.category, CoterieWarning) for one in caught)
    return model, [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_clusters", [0, -3, 2.0, "ten", "auto", None, True]),
        ("eta", [0, -0.1, 1.1, float("nan"), "fast"]),
        ("epochs", [0, 1.5]),
        ("rounds", [-1, 0.5]),
        ("round_epochs", [0]),
        ("n_neighbors", [0, "auto"]),
        ("scale", ["both", None]),
        ("a", [0, -1, float("inf")]),
        ("n_nearest", [-1]),
        ("locality", [-0.5]),
        ("plain_from", [-1]),
        ("update", ["fast"]),
        ("alpha", [-1, float("nan")]),
        ("on_exhausted", ["double"]),
        ("gamma", [0, -1]),
        ("margin", [-0.1]),
        ("negatives", ["hard"]),
        ("n_negatives", [0]),
        ("sampler", ["random"]),
        ("augment", ["everything", None]),
        ("batch_size", [0, 1, 2.5]),
        ("lr", [0, -0.1, float("inf")]),
        ("momentum", [-0.1, 1.5]),
        ("dampening", [-0.1, 1.5]),
        ("weight_decay", [-1e-5]),
        ("blocks", ["", "PQ", 5]),
        ("padding", [-1]),
        ("bn_weight", ["zeros"]),
        ("bn_extract", ["test"]),
        ("result", ["best"]),
        ("linkage", ["ours"]),
        ("n_runs", [0, 1.5, "many"]),
        ("random_state", [-1, 0.5]),
    ],
)
def test_a_parameter_outside_its_range_is_named_before_anything_is_read(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=f"^{name} is {value!r}; expected"):
            jule(**{name: value}).fit("a folder that does not exist")


def test_every_parameter_has_a_range_that_is_checked() -> None:
    """The parameters that the test above leaves out, so that a new one is not forgotten."""
    mark = test_a_parameter_outside_its_range_is_named_before_anything_is_read.pytestmark[0]  # type: ignore[attr-defined]
    elsewhere = {"anchors_only", "precision", "device", "run_folder", "progress", "tensorboard"}
    assert {name for name, _ in mark.args[1]} | elsewhere == set(JULE().get_params())


def test_one_cluster_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="n_clusters is 1, and JULE learns by telling clusters apart; ask for 2"):
        jule(n_clusters=1).fit(IMAGES)


def test_the_gradient_of_the_release_is_that_at_gamma_one() -> None:
    with pytest.raises(ConfigError, match="anchors_only is the gradient of the Torch release at gamma = 1, not at 2"):
        jule(anchors_only=True, gamma=2).fit(IMAGES)


@pytest.mark.parametrize(
    ("wrong", "sentence"), [({"precision": "64"}, "precision='64'"), ({"device": "tpu"}, "device")]
)
def test_a_precision_or_a_device_that_is_not_there_is_named(wrong: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        jule(**wrong).fit(IMAGES)


def test_features_are_refused_with_the_method_that_takes_them() -> None:
    with pytest.raises(ConfigError, match=r"JULE trains on images; features .* are grouped by GraphDegreeLinkage"):
        jule().fit(IMAGES.reshape(len(IMAGES), -1) / 255.0)


def test_more_clusters_than_images_are_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JULE, "_train", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(ConfigError, match="n_clusters is 61, but there are only n_samples=60 images"):
        jule(n_clusters=61).fit(IMAGES)


def test_images_too_small_for_a_network_are_refused_before_anything_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="leave nothing of images of 4 x 4 pixels"):
        jule().fit(IMAGES[:, :4, :4])


@any_warning
def test_numbers_of_numpy_are_taken_like_numbers_of_python() -> None:
    numbers = {"batch_size": 20, "epochs": 1, "rounds": 1, "n_neighbors": 5, "random_state": 4, "n_negatives": 3}
    plain = jule(**numbers).fit(IMAGES)
    numpy = jule(
        n_clusters=np.int64(K), eta=np.float64(0.9), lr=np.float32(0.01).astype(np.float64),
        **{name: np.int32(value) for name, value in numbers.items()},
    ).fit(IMAGES)  # fmt: skip
    assert (numpy.labels_ == plain.labels_).all()
    np.testing.assert_allclose(numpy.embedding_, plain.embedding_, atol=1e-4)


@any_warning
def test_a_seed_decides_everything_and_nothing_before_the_fit_does() -> None:
    torch.manual_seed(1)
    one = jule(random_state=5).fit(IMAGES)
    torch.manual_seed(2)
    np.random.seed(3)
    two, other = jule(random_state=5).fit(IMAGES), jule(random_state=6).fit(IMAGES)
    assert (one.embedding_ == two.embedding_).all()
    assert (one.confidence_ == two.confidence_).all()
    assert abs(one.embedding_ - other.embedding_).max() > 0.01


# --- odd sizes


def test_a_batch_larger_than_the_images_is_all_of_them_with_a_note() -> None:
    _, sentences = said(IMAGES, batch_size=1000)
    assert "batch_size=1000 is more than the 60 images; using batches of 60." in sentences
    with pytest.warns(BatchSizeWarning):
        jule(batch_size=61).fit(IMAGES)


@any_warning
def test_a_last_batch_of_one_joins_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    loss = JULE._loss
    monkeypatch.setattr(JULE, "_loss", lambda self, rows, *rest: (sizes.append(len(rows)), loss(self, rows, *rest))[1])
    jule(batch_size=20, rounds=0).fit(IMAGES[:41])
    assert sizes[:2] == [20, 21]


@any_warning
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_coloured_images_in_both_precisions_of_a_cpu_are_told_apart(channels: int, precision: str) -> None:
    images = np.repeat(IMAGES[..., None], channels, axis=3)
    model = jule(precision=precision).fit(images if channels == 3 else images[..., 0])
    assert partition(model.labels_) == partition(CLASSES)
    np.testing.assert_allclose(np.linalg.norm(model.embedding_, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("n", "k", "side"), [(2, 2, 12), (2, 2, 48), (3, 2, 12), (20, 20, 12)])
def test_as_few_images_as_clusters_start_from_single_images_with_a_note(n: int, k: int, side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)
    model, sentences = said(images, n_clusters=k)
    assert any("the recurrence starts from single images" in sentence for sentence in sentences)
    assert model.snapshots_[0].n_clusters == n
    assert {name: len(np.unique(answer.labels)) for name, answer in model.answers_.items()} == dict.fromkeys(
        ("sf", "rc", "robust"), k
    )


def test_fewer_groups_of_pixels_than_clusters_are_said() -> None:
    _, sentences = said(IMAGES, n_clusters=40)
    pattern = r"the pixels have \d+ groups of nearest neighbours, fewer than the 40 clusters asked for"
    assert any(re.match(pattern, sentence) for sentence in sentences)


# --- odd images


@pytest.mark.parametrize("value", [0, 128])
def test_images_of_one_colour_are_said_and_end_in_k_clusters(value: int) -> None:
    model, sentences = said(np.full((40, 12, 12), value, np.uint8))
    assert any("40 images are one colour" in sentence for sentence in sentences)
    assert any("have so many exact copies" in sentence for sentence in sentences)
    assert model.n_clusters_ == K
    assert np.isfinite(model.embedding_).all()
    assert np.isfinite(model.confidence_).all()


@any_warning
def test_many_copies_of_an_image_are_one_cluster() -> None:
    images = np.concatenate([IMAGES[CLASSES != 0], np.repeat(IMAGES[CLASSES == 0][:1], 50, axis=0)])
    model = jule(epochs=3).fit(images)
    assert len(np.unique(model.labels_[40:])) == 1


def test_images_without_any_kinds_are_said_to_be_one_heap() -> None:
    _, sentences = said(noise())
    assert any(
        "one cluster holds" in sentence or "the clusters are hardly apart" in sentence for sentence in sentences
    ), sentences


@pytest.mark.parametrize("linkage", ["robust", "paper"])
def test_the_doubts_about_the_chosen_linkage_are_said(linkage: str) -> None:
    _, sentences = said(np.concatenate([IMAGES[:41], np.full((60, 12, 12), 7, np.uint8)]), linkage=linkage)
    assert any("exact copies that all of their" in sentence for sentence in sentences)


def test_no_doubts_about_a_linkage_are_said_where_it_was_not_chosen() -> None:
    _, sentences = said(np.concatenate([IMAGES[:41], np.full((60, 12, 12), 7, np.uint8)]), result="sf")
    assert not any("exact copies that all of their" in sentence for sentence in sentences)


# --- when affinity runs out


def split() -> np.ndarray:
    """Images whose neighbour graph falls into many parts."""
    return np.concatenate([patterns(each=12, k=10, noise=5)[0], 255 - IMAGES])


def test_stop_ends_with_more_clusters_than_k_and_says_so() -> None:
    images = split()
    with pytest.warns(GraphWarning, match=r"affinity ran out at \d+ clusters, before the \d+ of this period; on_exh"):
        model = jule(on_exhausted="stop", n_neighbors=3, result="sf").fit(images)
    assert model.n_clusters_ > K
    assert model.n_clusters_ == len(np.unique(model.labels_))
    assert model.answers_["robust"].labels.max() + 1 == K


def test_error_says_at_how_many_clusters_it_was() -> None:
    with pytest.raises(ConfigError, match=r"affinity ran out at \d+ clusters"):
        jule(on_exhausted="error", n_neighbors=3).fit(split())


@any_warning
@pytest.mark.parametrize("policy", ["double_ks", "centroid"])
def test_the_other_policies_reach_k(policy: str) -> None:
    assert jule(on_exhausted=policy, n_neighbors=3, result="sf").fit(split()).n_clusters_ == K


# --- 31: a loss that is no number


def test_a_learning_rate_that_is_far_too_large_stops_with_its_place() -> None:
    with pytest.raises(TrainingError, match=r"became (NaN|infinite) at epoch 1 step \d .*resume with a smaller lr"):
        jule(lr=1e30).fit(IMAGES)
