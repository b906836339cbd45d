"""GATCluster as a whole: trains, answers, costs no more memory than asked for, saves, refuses what cannot be."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

import coterie
from coterie.errors import ConfigError
from coterie.methods import METHODS, snapshots
from coterie.methods import gatcluster as module
from coterie.methods.gatcluster import GATCluster
from coterie.methods.self_targets import Targets
from methods.gatcluster_runs import CLASSES, IMAGES, SETTINGS, K, assert_same, marks, train
from oracles.plain_graphs import partition

NEW = marks(12, seed=5)[0]


def fitted(images: np.ndarray = IMAGES, **settings: Any) -> GATCluster:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images deserve them
        return GATCluster(**{**SETTINGS, **settings}).fit(images)


@pytest.fixture(scope="module")
def model(one_thread: None) -> GATCluster:
    """Only to be looked at."""
    return fitted(epochs=60, width=8, n_features=16, n_targets=60, batch_size=20, repeats=1, lr=3e-3, assign="head")


def test_the_method_is_known_by_its_name() -> None:
    assert METHODS["gatcluster"] is GATCluster


def test_kinds_that_are_apart_are_told_apart_by_both_answers(model: GATCluster) -> None:
    assert set(model.answers_) == {"head", "linkage"}
    for answer in model.answers_.values():
        assert partition(answer.labels) == partition(CLASSES)
        assert (answer.labels.dtype, answer.confidence.dtype) == (np.int64, np.float32)
        assert 0 <= answer.confidence.min() <= answer.confidence.max() <= 1
    assert model.assigned_ == "head"
    assert model.embedding_.shape == (60, 16)
    assert model.embedding_.dtype == np.float32
    assert model.n_clusters_ == K


def test_every_epoch_logs_what_shows_whether_the_labels_live(model: GATCluster) -> None:
    assert [record["epoch"] for record in model.training_] == list(range(1, 61))
    for record in model.training_:
        assert 1 / K <= record["max_share"] <= 1
        assert 0 <= record["entropy_mean"] <= np.log(K) + 1e-6
        assert 0 <= record["guarded"] <= 1
        assert -np.log(K) - 1e-6 <= record["loss_entropy"] <= 0
        assert record["loss_similarity"] < 0 < record["loss_relation"]
        assert sum(record["sizes"]) == 60
        assert {"loss_entropy_attended", "loss_attention", "effective", "images_per_second"} <= record.keys()
        total = 5 * record["loss_similarity"] + record["loss_relation"] + 5 * record["loss_attention"]
        total += 3 * (record["loss_entropy"] + record["loss_entropy_attended"])
        assert record["loss"] == pytest.approx(total, abs=1e-3)
    assert all("changed" in record for record in model.training_[1:])


def test_it_says_where_it_looked_in_every_image(model: GATCluster) -> None:
    assert model.theta_ is not None
    assert model.theta_.shape == (60, 3)
    assert 0 <= model.theta_.min() <= model.theta_.max() <= 1
    looks = model.looks_
    assert sorted(np.bincount(model.labels_[looks.images])) == [4] * K
    assert looks.maps.shape == (4 * K, 6, 6)
    assert np.array_equal(looks.shares.argmax(1), model.labels_[looks.images])
    np.testing.assert_allclose(looks.shares.sum(1), 1, rtol=1e-5)
    assert len(looks.circle) == len(looks.circle_images) == 60


def test_moments_show_the_same_images_as_the_end_and_look_at_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST", 25)  # every third of 60
    model = train(None, epochs=4)
    assert [shot.title for shot in model.snapshots_] == ["epoch 1", "epoch 2", "epoch 3", "at the end"]
    assert [shot.positions.shape for shot in model.snapshots_] == [(20, 3)] * 4


def test_both_answers_place_new_images_saved_and_loaded(model: GATCluster, tmp_path: Path) -> None:
    linked = fitted(assign="linkage")
    for fit, folder in ((model, tmp_path / "head"), (linked, tmp_path / "linkage")):
        fit.save(folder)
        loaded = coterie.load(folder)
        assert isinstance(loaded, GATCluster)
        assert np.array_equal(loaded.predict(NEW), fit.predict(NEW))
        np.testing.assert_allclose(loaded.predict_proba(NEW), fit.predict_proba(NEW), rtol=1e-6)
        np.testing.assert_allclose(loaded.transform(NEW), fit.transform(NEW), rtol=1e-6)
        assert loaded.assigned_ == fit.assigned_
    assert np.array_equal(model.predict(IMAGES), model.labels_), "an image of the fit gets the label of the fit"
    np.testing.assert_allclose(model.transform(IMAGES), model.embedding_, atol=1e-4)


def test_a_fit_can_be_cloned_and_pickled(model: GATCluster) -> None:
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(NEW), model.predict(NEW))


# --- memory, and the two steps


def same_targets(one: Targets, other: Targets) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("m1", [2, 5, 23, 1000])
def test_m1_changes_not_a_bit(m1: int, precision: str) -> None:
    assert_same(train(None, target_batch_size=m1, precision=precision), train(None, precision=precision))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 96, 96)])
def test_m1_changes_not_a_bit_of_the_targets_of_wider_networks(shape: tuple[int, int, int]) -> None:
    from coterie.images.trained import build_network
    from coterie.training.batches import Batch
    from coterie.training.run import Run

    images = torch.rand(40, *shape, generator=torch.Generator().manual_seed(0))
    chunk = Batch(torch.arange(40), images)
    found = []
    for m1 in (2, 7, 13, 33, 40):
        asked = GATCluster(10, target_batch_size=m1, device="cpu")
        with Run(device="cpu") as run:
            torch.manual_seed(0)
            parts = asked.parts(run, build_network(asked.architecture(shape)), 40)
            run.track(met=True)
            found.append(asked._make_targets(run, parts, chunk, images))
    assert all(same_targets(found[0], other) for other in found)


def test_no_more_than_m1_images_are_in_the_network_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[bool, list[int]] = {True: [], False: []}
    forward = module.GaussianAttentionNet.forward

    def spy(self: Any, images: torch.Tensor) -> Any:
        seen[self.training].append(len(images))
        return forward(self, images)

    monkeypatch.setattr(module.GaussianAttentionNet, "forward", spy)
    fitted(epochs=1)
    assert max(seen[False]) == SETTINGS["target_batch_size"]
    assert max(seen[True]) == SETTINGS["batch_size"]
    statistics = 3 + 3 + 1 + 7  # of chunks of 24, 24 and 12, and of all images in the end
    assert seen[True].count(8) == statistics + 2 * (3 + 3 + 1), "and every update"
    assert sum(seen[False]) == 60 + 60, "every image is given targets once, and looked at in the end"


def test_targets_are_of_clean_images_and_statistics_of_transformed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image has one transformation a chunk, whatever the number of repeats."""
    chunks: list[torch.Tensor] = []
    taught: list[torch.Tensor] = []
    transformed, forward = GATCluster._transformed, module.GaussianAttentionNet.forward

    def keep(self: GATCluster, run: Any, chunk: Any) -> torch.Tensor:
        found = transformed(self, run, chunk)
        chunks.append(found)
        assert found.shape == (len(chunk), 1, 12, 12)
        assert not torch.equal(found, chunk.clean)
        return found

    def spy(self: Any, images: torch.Tensor) -> Any:
        if self.training:
            taught.append(images)
        return forward(self, images)

    monkeypatch.setattr(GATCluster, "_transformed", keep)
    monkeypatch.setattr(module.GaussianAttentionNet, "forward", spy)
    fitted(epochs=1, repeats=3, statistics="released")
    first = torch.cat(taught[:9])
    assert len(first) == 3 * 24
    for image in chunks[0]:
        assert (first == image).flatten(1).all(1).sum() == 3


def test_the_first_targets_are_no_noise_with_statistics_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    spread: list[float] = []
    make = module.make_targets

    def spy(q: torch.Tensor, generator: torch.Generator) -> Targets:
        spread.append(float(q.std(0).mean()))
        return make(q, generator)

    monkeypatch.setattr(module, "make_targets", spy)
    for statistics in ("clean", "running", "released"):
        fitted(epochs=1, n_targets=60, statistics=statistics, width=8, n_features=16)
    assert min(spread[:2]) > 10 * spread[2], "without statistics all images look alike"


def test_labels_are_made_with_the_statistics_of_clean_images(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[torch.Tensor] = []
    forward = module.GaussianAttentionNet.forward

    def spy(self: Any, images: torch.Tensor) -> Any:
        if self.training and not torch.is_grad_enabled():
            met.append(images)
        return forward(self, images)

    monkeypatch.setattr(module.GaussianAttentionNet, "forward", spy)
    model = fitted(epochs=1)
    clean = torch.from_numpy(IMAGES).float()[:, None] / 255
    assert all((clean == image).flatten(1).all(1).any() for images in met for image in images)
    own = [len(images) for images in met]
    assert own[:8] == [8, 8, 8, 8, 8, 8, 8, 4]  # of chunks of 24, 24 and 12
    assert sum(own[8:]) == len(IMAGES)
    assert model.embedding_.shape[0] == len(IMAGES)


# --- settings


@pytest.mark.parametrize(
    "changes",
    [
        {"similarity": 0.0},  # A1
        {"relation": 0.0},  # A2
        {"entropy": 0.0},  # A3
        {"attention": 0.0},  # A4
        {"gaussian": "anisotropic"},
        {"gaussian": "compat_theta"},
        {"attention_conv": False},
        {"label_relu": True},
        {"map_size": 2},
        {"n_features": "auto"},
        {"augment": "gatcluster"},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_every_switch_of_the_paper_and_of_ours_trains(changes: dict[str, Any]) -> None:
    model = fitted(**{"epochs": 1, **changes})
    assert np.isfinite(model.embedding_).all()
    assert all(np.isfinite(record["loss"]) for record in model.training_)
    if changes.get("attention") == 0:
        assert model.theta_ is None
        assert model.looks_.maps.shape == (len(model.looks_.images), 0, 0)
        assert model.training_[-1]["loss_attention"] == 0


def test_colour_is_seen_only_where_asked_for() -> None:  # A5
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    grey, colour = fitted(images, epochs=1), fitted(images, epochs=1, colour=True)
    assert grey.extractor_.network.maps.layers[0][0].in_channels == 1
    assert colour.extractor_.network.maps.layers[0][0].in_channels == 3
    swapped = np.ascontiguousarray(images[..., ::-1])
    assert not np.allclose(grey.transform(swapped), grey.transform(images)), "red and blue are not as bright"
    for model in (grey, colour):
        assert model.predict(images[:3]).shape == (3,)


def test_marks_are_not_mirrored_and_photos_are() -> None:
    from coterie.images.presets import PRESETS

    model = GATCluster()
    assert model._augmentation((1, 28, 28)) is PRESETS["marks"]
    assert model._augmentation((3, 64, 64)) is PRESETS["gatcluster"]
    assert model._augmentation((1, 224, 224)) is PRESETS["gatcluster"]


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = train(None), train(None), train(None, random_state=1)
    assert_same(first, again)
    assert not np.array_equal(first.embedding_, other.embedding_)


def test_fewer_images_than_a_sub_batch_are_one() -> None:
    model = fitted(IMAGES[:10], epochs=1, batch_size=64, n_targets=1000)
    assert model.training_[-1]["step"] == SETTINGS["repeats"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_clusters": 1}, "n_clusters is 1, and GATCluster learns by telling clusters apart"),
        ({"batch_size": 2}, "batch_size is 2 for 3 clusters, .* give at least 3, better 15"),
        ({"n_targets": 2}, "n_targets is 2 for 3 clusters"),
        ({"target_batch_size": 1}, "target_batch_size is 1; expected a whole number of at least 2"),
        ({"repeats": 0}, "repeats is 0"),
        ({"map_size": 5}, "map_size is 5; expected one of 6, 4, 2 for images of 12 x 12 pixels"),
        ({"n_features": "many"}, "n_features is 'many'; expected a whole number of at least 2 or \"auto\""),
        ({"gaussian": "round"}, "gaussian is 'round'; expected one of isotropic, compat_theta, anisotropic"),
        ({"entropy": -1}, "entropy is -1; expected a finite number of at least 0"),
        ({"assign": "student"}, "assign is 'student'; expected one of auto, head, linkage"),
        ({"augment": "none"}, "augment is 'none'; expected one of auto"),
        ({"lr": 0}, "lr is 0; expected a finite number above 0"),
    ],
    ids=str,
)
def test_a_parameter_outside_its_range_is_refused_before_training(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        GATCluster(**{**SETTINGS, **settings}).fit(IMAGES)


def test_features_are_refused_since_there_is_nothing_to_look_at() -> None:
    with pytest.raises(ConfigError, match="GATCluster trains on images"):
        GATCluster(3).fit(np.zeros((50, 8)))


def test_a_last_chunk_too_small_for_a_sub_batch_gets_targets_and_no_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sizes = module.total_loss, []

    def spy(log_label: torch.Tensor, *given: Any) -> Any:
        sizes.append(len(log_label))
        return step(log_label, *given)

    monkeypatch.setattr(module, "total_loss", spy)
    found = fitted(marks(52)[0], epochs=1)  # chunks of 24, 24 and 4
    assert sizes == [8] * (2 * 2 * 3)
    assert len(found.labels_) == 52
    sizes.clear()
    fitted(marks(12)[0], epochs=1, batch_size=20)
    assert sizes == [12] * 2
