"""TCC as a whole: trains, explains itself, goes on after a stop, saves, places new images, refuses what cannot be."""

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie.errors import ConfigError, TrainingStopped
from coterie.methods import METHODS
from coterie.methods.snapshots import thinned
from coterie.methods.tcc import TCC
from coterie.methods.twins import Memory

SMALL: dict[str, Any] = {"epochs": 3, "batch_size": 32, "dim": 16, "warm_up": 1, "relink": 1, "device": "cpu"}


def stripes(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey images (n, 16, 16) of three kinds of marks, and their kinds."""
    random = np.random.default_rng(seed)
    kinds = np.arange(n) % 3
    images = np.zeros((n, 16, 16))
    images[kinds == 0, 6:9, 2:14] = 220
    images[kinds == 1, 2:14, 6:9] = 220
    images[kinds == 2, 4:12, 4:12] = 220
    noisy = images + random.normal(0, 12, images.shape)
    return noisy.clip(0, 255).astype(np.uint8), kinds


def fitted(**settings: Any) -> TCC:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images of so few kinds deserve them
        return TCC(3, **{**SMALL, **settings}).fit(stripes()[0])


@pytest.fixture(scope="module")
def model() -> TCC:
    return fitted(epochs=8, warm_up=4, relink=2)


def paintings(n: int = 60, height: int = 12, width: int = 20) -> np.ndarray:
    """Colour images (n, height, width, 3) of three kinds, each of its own paint."""
    random = np.random.default_rng(0)
    paints = np.array([(200, 60, 40), (40, 190, 70), (60, 80, 210)])
    images = paints[np.arange(n) % 3, None, None] + random.normal(0, 12, (n, height, width, 3))
    return images.clip(0, 255).astype(np.uint8)


def same(first: TCC, second: TCC) -> bool:
    return np.array_equal(first.embedding_, second.embedding_) and np.array_equal(first.prototypes_, second.prototypes_)


def test_the_method_is_known_by_its_name() -> None:
    assert METHODS["tcc"] is TCC


def test_a_fit_has_three_answers_and_says_which_it_gives_and_why(model: TCC) -> None:
    assert set(model.answers_) == {"head", "linkage", "student"}
    for labels, confidence in model.answers_.values():
        assert labels.shape == confidence.shape == (120,)
        assert labels.dtype == np.int64
        assert confidence.dtype == np.float32
        assert 0 <= confidence.min() <= confidence.max() <= 1
    assert np.array_equal(model.labels_, model.answers_[model.assigned_].labels)
    assert "keep most of the weight of the neighbour graph inside" in model.assigned_because_
    assert model.embedding_.shape == (120, 16)
    np.testing.assert_allclose(np.linalg.norm(model.embedding_, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(model.prototypes_, axis=1), 1, atol=1e-5)


def test_obvious_kinds_are_told_apart(model: TCC) -> None:
    from coterie.metrics import accuracy

    assert accuracy(stripes()[1], model.labels_) > 0.95


def test_every_epoch_logs_what_shows_whether_the_head_lives(model: TCC) -> None:
    assert [record["epoch"] for record in model.training_] == list(range(1, 9))
    for record in model.training_:
        assert 1 / 3 <= record["max_pi"] <= 1
        assert 0 <= record["entropy_each"] <= record["entropy_mean"] + 1e-4 <= np.log(3) + 2e-4
        assert -1 <= record["r_cosine"] <= 1
        assert sum(record["sizes"]) == 120
        assert {"loss", "loss_instance", "kl", "loss_cluster", "effective", "images_per_second"} <= record.keys()
    assert ["taught" in record for record in model.training_] == [False] * 4 + [True, False] * 2
    assert all("changed" in record and 0 <= record["agreement"] <= 1 for record in model.training_[1:])
    assert [record["queue_filled"] for record in model.training_] == [1.0] * 8, "60 rows, and 96 keys an epoch"
    assert all(record["queue_age"] == 60 / 32 for record in model.training_)


def test_a_queue_that_is_longer_than_an_epoch_is_filled_and_ages_with_the_epochs() -> None:
    records = fitted(queue_size=240).training_
    assert [record["queue_filled"] for record in records] == [96 / 240, 192 / 240, 1.0]
    assert [record["queue_age"] for record in records] == [3, 6, 7.5]
    assert "queue_age" not in fitted(epochs=1, queue_size=0).training_[0]


def test_there_is_a_cloud_for_every_look_at_the_linkage_and_one_for_the_end(model: TCC) -> None:
    assert [snapshot.title for snapshot in model.snapshots_] == ["epoch 4", "epoch 6", "at the end"]
    assert all(snapshot.positions.shape == (120, 3) for snapshot in model.snapshots_)


def test_of_many_snapshots_every_other_one_is_kept() -> None:
    kept: list[dict[str, Any]] = []
    for n in range(100):
        kept = thinned([*kept, {"title": str(n)}])
        assert len(kept) <= 12
        assert (kept[0]["title"], kept[-1]["title"]) == ("0", str(n))


def test_a_training_shorter_than_the_warm_up_is_taught_from_its_middle_on() -> None:
    assert ["taught" in record for record in fitted(epochs=4, warm_up=10).training_] == [False, False, True, True]


@pytest.mark.parametrize("assign", ["head", "linkage", "student"])
def test_each_answer_can_be_asked_for_saved_and_used_to_place_new_images(assign: str, tmp_path: Path) -> None:
    model = fitted(epochs=6, warm_up=3, assign=assign)
    assert model.assigned_ == assign
    assert assign in model.assigned_because_
    model.save(tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    new = stripes(9, seed=5)[0]
    assert np.array_equal(loaded.predict(new), model.predict(new))
    np.testing.assert_allclose(loaded.predict_proba(new), model.predict_proba(new))
    assert loaded.place(new).confidence.shape == (9,)
    shares = model.predict_proba(stripes()[0])
    if assign != "linkage":  # parametric: an image of the fit gets the label of the fit
        assert np.array_equal(shares.argmax(1), model.labels_)


@pytest.mark.parametrize(
    "changes",
    [
        {"alpha": 0.0},
        {"instance": 0.0},
        {"combine": "none"},
        {"combine": "concat"},
        {"combine": "mlp"},
        {"gumbel": False},
        {"gumbel_stop": 1},
        {"n_samples": 5},
        {"beta": 0.0},
        {"self_training": 0.1},
        {"lr_decay": "steps-3000"},
        {"beta_warm_up": 2, "kl": "sample"},
        {"cluster_queue": 0},
        {"queue_size": 0, "momentum": 0.0},
        {"queue_size": 40, "mask_own": False},
        {"frozen": True},
        {"weights": "gumbel", "query_negatives": False, "queue_noise": 0.1},
        {"halves": True, "tau_c": 0.5},
        {"tau_q": "paper_like", "tau": 1.0},
        {"tau_q": 0.1, "projection": "mlp"},
        {"warm_up": 0, "teach": 0.0},
        {"warm_up": 2, "teach": 0.0},
        {"relink": 0},
        {"optimizer": "sgd", "lr": 0.1, "lr_warm_up": 1, "lr_decay": "steps"},
        {"lr_decay": "cosine", "weight_decay": 0.01},
        {"encoder": "ema"},
        {"key_batch_norm": "ema"},
        {"augment": "mice", "precision": "bf16"},
    ],
    ids=str,
)
def test_every_switch_of_the_paper_and_of_ours_trains(changes: dict[str, Any]) -> None:
    model = fitted(**{"epochs": 2, **changes})
    assert np.isfinite(model.embedding_).all()
    assert all(np.isfinite(record["loss"]) for record in model.training_)


@pytest.mark.parametrize("trunk", ["auto", "resnet18"])
@pytest.mark.parametrize(("height", "width"), [(12, 20), (21, 13)])
def test_colour_images_of_any_shape_are_learned_by_the_trunk_that_was_asked_for(
    height: int, width: int, trunk: str, tmp_path: Path
) -> None:
    images = paintings(24, height, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images of so few kinds deserve them
        model = TCC(3, **{**SMALL, "epochs": 2, "batch_size": 12, "trunk": trunk}).fit(images)
    assert any("trunk.stages" in name for name in model.extractor_.tensors()) == (trunk == "resnet18")
    assert model.embedding_.shape == (24, 16)
    assert all(np.isfinite(record["loss"]) for record in model.training_)
    model.save(tmp_path / "model")
    new = paintings(6, height, width)
    assert np.array_equal(coterie.load(tmp_path / "model").predict(new), model.predict(new))


@pytest.mark.parametrize("warm_up", [0, 1])
def test_frozen_prototypes_stay_where_they_started_whatever_the_linkage_says(warm_up: int) -> None:
    from coterie.nets.heads import simplex

    model = fitted(frozen=True, warm_up=warm_up, assign="head")
    assert ((model.prototypes_ @ simplex(3, 16).numpy().T).max(axis=1) > 1 - 1e-5).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = fitted(), fitted(), fitted(random_state=1)
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("at", [2, 4, 7])
def test_a_stopped_training_goes_on_to_the_same_bits(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = fitted(run_folder=tmp_path / "straight")
    push, pushed = Memory.push, []

    def push_and_stop(self: Memory, *arguments: Any) -> None:
        push(self, *arguments)
        pushed.append(1)
        if len(pushed) == at:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Memory, "push", push_and_stop)
        with pytest.raises(TrainingStopped):
            fitted(run_folder=tmp_path / "stopped")
    assert len(pushed) == at
    resumed = fitted(run_folder=tmp_path / "stopped")
    assert same(resumed, straight)
    clocks = ("seconds", "images_per_second")
    for one, two in zip(resumed.training_, straight.training_, strict=True):
        assert {k: v for k, v in one.items() if k not in clocks} == {k: v for k, v in two.items() if k not in clocks}


def test_the_network_that_is_asked_may_change_in_the_end_unless_it_was_asked_before(tmp_path: Path) -> None:
    paper = {"warm_up": 0, "teach": 0.0}
    fitted(**paper, run_folder=tmp_path / "paper")
    asked = fitted(**paper, run_folder=tmp_path / "paper", encoder="ema")
    assert same(asked, fitted(**paper, encoder="ema"))
    fitted(run_folder=tmp_path / "linked")
    with pytest.raises(ConfigError, match="encoder"):
        fitted(run_folder=tmp_path / "linked", encoder="ema")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"batch_size": 5},
            "batch_size is 5 for 3 clusters, most of which would be absent from a batch; give at least 6",
        ),
        ({"tau_q": "soft"}, "tau_q is 'soft'; expected a finite number above 0"),
        ({"tau": 0}, "tau is 0; expected a finite number above 0"),
        ({"queue_size": -1}, 'queue_size is -1; expected a whole number of at least 0 or "auto"'),
        ({"kl": "each"}, "kl is 'each'; expected one of marginal, sample"),
        ({"assign": "robust"}, "assign is 'robust'; expected one of auto, head, linkage, student"),
        ({"augment": "simclr"}, "augment is 'simclr'; expected one of auto, mice"),
        ({"momentum": 1.5}, "momentum is 1.5; expected a finite number of at least 0 and of at most 1"),
        ({"lr": "fast"}, "lr is 'fast'; expected a finite number above 0"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"tau_c": 0}, "tau_c is 0"),
        ({"gumbel_stop": -1}, "gumbel_stop is -1"),
        ({"n_clusters": 0}, "n_clusters is 0"),
        ({"n_clusters": 1}, "n_clusters is 1, and TCC learns by telling clusters apart; ask for 2 or more"),
    ],
    ids=str,
)
def test_a_parameter_outside_its_range_is_refused_before_training(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        TCC(**{"n_clusters": 3, **SMALL, **settings}).fit(stripes()[0])


def test_too_few_images_for_a_batch_of_every_cluster_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="9 images are too few to tell 5 clusters apart by contrast"):
        TCC(5, **SMALL).fit(stripes(9)[0])


def test_features_are_refused_since_there_is_nothing_to_train_on() -> None:
    with pytest.raises(ConfigError, match="TCC trains on images"):
        TCC(3, **SMALL).fit(np.zeros((50, 8)))
