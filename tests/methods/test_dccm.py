"""DCCM as a whole: trains, explains itself, saves, places new images whatever their company, refuses what cannot be."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import coterie
from coterie.errors import ConfigError
from coterie.images.store import open_images
from coterie.methods import METHODS
from coterie.methods.correlation_figures import CorrelationFigures
from coterie.methods.correlation_step import Objective, Parts, Targets, ask, mine
from coterie.methods.correlations import graph_loss, label_loss, pseudo_graph, similarities
from coterie.methods.dccm import DCCM
from coterie.training.batches import Batch
from coterie.training.run import Run
from methods.patterns import K, patterns
from methods.test_tcc import stripes

IMAGES, CLASSES = patterns(each=20)
EASY, KINDS = stripes(60)
SMALL: dict[str, Any] = {
    "n_clusters": K, "epochs": 2, "chunk": 30, "repeats": 1, "batch_size": 10, "maps": 4, "n_features": 8,
    "mi_width": 8, "mi_places": 4, "device": "cpu",
}  # fmt: skip


def fitted(images: np.ndarray = IMAGES, **settings: Any) -> DCCM:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few images of so few kinds deserve them
        return DCCM(**{**SMALL, **settings}).fit(images)


@pytest.fixture(scope="module")
def model(one_thread: None) -> DCCM:
    return fitted(EASY, epochs=8, chunk=60, repeats=3, batch_size=20, maps=8, lr=0.003, random_state=2)


def test_the_method_is_known_by_its_name() -> None:
    assert METHODS["dccm"] is DCCM


def test_a_fit_has_both_answers_and_says_which_it_gives_and_why(model: DCCM) -> None:
    assert set(model.answers_) == {"head", "linkage"}
    for labels, confidence in model.answers_.values():
        assert labels.shape == confidence.shape == (60,)
        assert labels.dtype == np.int64
        assert confidence.dtype == np.float32
        assert 0 <= confidence.min() <= confidence.max() <= 1
    assert np.array_equal(model.labels_, model.answers_[model.assigned_].labels)
    assert "keep most of the weight of the neighbour graph inside" in model.assigned_because_
    assert model.embedding_.shape == (60, 8)
    assert model.embedding_.dtype == np.float32


def test_obvious_kinds_are_told_apart_by_both_answers(model: DCCM) -> None:
    from coterie.metrics import accuracy

    for name, answer in model.answers_.items():
        assert accuracy(KINDS, answer.labels) > 0.95, name


def test_every_epoch_logs_its_terms_and_how_sure_the_network_is(model: DCCM) -> None:
    assert [record["epoch"] for record in model.training_] == list(range(1, 9))
    for record in model.training_:
        assert record["loss"] == pytest.approx(
            record["loss_graph"] + 5 * record["loss_label"] + 0.05 * record["loss_information"], rel=1e-4
        )
        assert 0 <= record["confident"] <= 1
        assert 0 <= record["linked"] <= 1
        assert len(record["top_probability"]) == 10
        assert sum(record["top_probability"]) == pytest.approx(1)
        assert sum(record["top_probability"][:3]) == 0  # the largest of three is a third at least
        assert {"effective", "nonempty", "images_per_second"} <= record.keys()
    assert all("changed" in record for record in model.training_[1:])
    assert model.training_[-1]["confident"] > model.training_[0]["confident"]
    assert model.training_[-1]["linked"] == pytest.approx((20 - 1) / (60 - 1), abs=0.02)  # three kinds of 20


def test_there_is_a_cloud_for_every_epoch_and_one_for_the_end(model: DCCM) -> None:
    assert [shot.title for shot in model.snapshots_] == [*(f"epoch {n}" for n in range(1, 9)), "at the end"]
    assert all(shot.positions.shape == (60, 3) for shot in model.snapshots_)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_original_terms": True, "use_variant_terms": False, "alpha": 0.0, "beta": 0.0},  # M1
        {"use_original_terms": True, "alpha": 0.0, "beta": 0.0},  # M2
        {"use_original_terms": True, "beta": 0.0},  # M3
        {"use_original_terms": True, "beta": 0.1},  # M4, the paper's objective
        {"graph": 0.0, "alpha": 0.0, "beta": 1.0},  # mutual information alone (E3)
        {"label_loss": "cross_entropy", "invariance": 1.0},
        {"mi_shallow": "conv2", "mi_deep": "fc", "mi_places": 0},
        {"mi_shallow": "conv3", "mi_deep": "logits"},
        {"sampler": "nearest-farthest", "self_pairs": False, "n_negatives": 1},
        {"sampler": "random"},
        {"sampler": "top"},
        {"sampler": "compat"},
        {"graph_threshold": 0.0, "label_threshold": 0.0},  # everything is linked, so there is no negative
        {"graph_threshold": 1.0, "label_threshold": 1.0},  # nothing is
        {"augment": "dac-cifar", "precision": "bf16", "evaluation": "batch", "rho": 0.99},
        {"layers": "conv3-4 conv3-4 max2 conv3-8 avg2", "n_features": "auto", "views": 1},
    ],
    ids=str,
)
def test_every_switch_of_paper_and_code_trains(changes: dict[str, Any]) -> None:
    model = fitted(**changes)
    assert np.isfinite(model.embedding_).all()
    names = list(DCCM(**{**SMALL, **changes}).objective().weights)
    for record in model.training_:
        assert all(math.isfinite(record[name]) for name in names)
        assert {name for name in record if name.startswith("loss_")} == set(names)


def test_the_defaults_are_the_weights_of_the_code_and_the_papers_are_settings() -> None:
    assert DCCM().objective().weights == {"loss_graph": 1, "loss_label": 5, "loss_information": 0.05}
    paper = DCCM(use_original_terms=True, beta=0.1).objective().weights
    assert paper == {
        "loss_graph": 1, "loss_label": 5, "loss_graph_clean": 1, "loss_label_clean": 5, "loss_information": 0.1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "tap", "by_logits"),
    [((3, 32, 32), "pool1", True), ((1, 28, 28), "pool1", True), ((3, 96, 96), "conv3", False)],
)
def test_features_of_the_mutual_information_are_the_codes_where_there_is_code_and_the_papers_elsewhere(
    shape: tuple[int, int, int], tap: str, by_logits: bool
) -> None:
    model = DCCM(maps=1, mi_width=2, device="cpu")
    assert model.architecture(shape)["tap"] == tap
    with Run(device="cpu") as run:
        images = np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8)
        parts = model.parts(run, open_images(images))
    assert parts.by_logits == by_logits


def test_the_optimiser_is_rmsprop_with_the_decay_of_the_code() -> None:
    with Run(device="cpu") as run:
        parts = DCCM(**SMALL, lr=0.01).parts(run, open_images(IMAGES))
        (group,) = parts.optimizer.param_groups
    assert (group["lr"], group["alpha"], group["eps"]) == (0.01, 0.9, 1e-8)
    assert (group["momentum"], group["weight_decay"], group["centered"]) == (0, 0, False)
    trained = {id(weight) for weight in group["params"]}
    assert parts.told_apart is not None
    assert trained == {id(weight) for part in (parts.bare, parts.told_apart) for weight in part.parameters()}


def step_by_hand(objective: Objective) -> tuple[dict[str, torch.Tensor], Parts, torch.Tensor, Targets]:
    """The terms of a batch whose variants are the images themselves."""
    with Run(device="cpu") as run:
        parts = DCCM(**SMALL).parts(run, open_images(IMAGES))
        clean = torch.from_numpy(IMAGES[:10, None] / np.float32(255))
        targets = ask(parts, Batch(torch.arange(10), clean), objective)
        return mine(parts, clean, targets, objective, lambda x, _: x, run.random.device), parts, clean, targets  # type: ignore[arg-type]


def test_a_step_puts_the_objective_together_from_its_terms() -> None:
    objective = Objective(
        use_original_terms=True, invariance=2.0, label_threshold=0.4, graph_threshold=0.8, mi_places=4
    )
    terms, parts, clean, targets = step_by_hand(objective)
    log_z = parts.bare(clean).log_z
    linked = pseudo_graph(similarities(log_z.exp()), 0.8)
    wanted = {
        "loss_graph": graph_loss(log_z.exp(), linked),
        "loss_label": label_loss(log_z, log_z.argmax(1), log_z.exp().max(1).values >= 0.4),
    }
    for name, value in wanted.items():
        torch.testing.assert_close(terms[name], value)
        torch.testing.assert_close(terms[name + "_clean"], value)
    assert terms["loss_invariance"].item() == pytest.approx(0, abs=1e-5)
    total = sum(weight * terms[name] for name, weight in objective.weights.items())
    torch.testing.assert_close(objective.total(terms), total)
    assert not targets.z.requires_grad


def test_the_discriminator_the_trunk_and_the_head_all_learn_from_the_mutual_information() -> None:
    terms, parts, *_ = step_by_hand(Objective(graph=0, alpha=0, beta=1.0))
    assert list(terms) == ["loss_information"]
    terms["loss_information"].backward()
    assert parts.told_apart is not None
    for part in (parts.told_apart, parts.bare.trunk, parts.bare.head[0]):
        assert any(weight.grad is not None and weight.grad.abs().max() > 0 for weight in part.parameters())


def test_figures_are_those_of_the_images_that_were_asked() -> None:
    figures = CorrelationFigures(5, 2, ("loss_graph",), torch.device("cpu"))
    z = torch.tensor([[0.95, 0.05], [0.9, 0.1], [0.45, 0.55]])
    figures.add_chunk(torch.tensor([4, 0, 2]), z, z.argmax(1), torch.tensor([True, True, False]), 0.95)
    figures.see(torch.tensor([4, 0, 2]), torch.tensor([[4.0, 4.0], [0.0, 0.0], [2.0, 2.0]]))
    figures.add_step({"loss_graph": torch.tensor(2.0), "other": torch.tensor(9.0)})
    figures.add_step({"loss_graph": torch.tensor(4.0)})
    found = figures.take()
    assert figures.labels.tolist() == [0, 0, 1, 0, 0]
    assert figures.features[:, 0].tolist() == [0, 0, 2, 0, 4]
    assert found["loss_graph"] == 3
    assert found["confident"] == pytest.approx(2 / 3)
    assert found["linked"] == pytest.approx(1 / 3)  # one of three pairs
    assert found["top_probability"] == pytest.approx([0, 0, 0, 0, 0, 1 / 3, 0, 0, 0, 2 / 3])
    assert figures.take()["confident"] == 0


@pytest.mark.parametrize("assign", ["head", "linkage"])
def test_each_answer_can_be_asked_for_saved_and_used_to_place_new_images(assign: str, tmp_path: Path) -> None:
    model = fitted(epochs=6, assign=assign)
    assert model.assigned_ == assign
    assert assign in model.assigned_because_
    model.save(tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    new = patterns(each=3, seed=0)[0]
    assert np.array_equal(loaded.predict(new), model.predict(new))
    np.testing.assert_allclose(loaded.predict_proba(new), model.predict_proba(new))
    assert loaded.place(new).confidence.shape == (9,)
    assert loaded.get_params() == model.get_params()
    if assign == "head":  # parametric: an image of the fit gets the label of the fit
        assert np.array_equal(model.predict(IMAGES), model.labels_)


def test_predictions_do_not_depend_on_order_or_company(model: DCCM) -> None:
    shares = model.predict_proba(EASY)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(model.predict_proba(EASY[order]), shares[order], atol=1e-5)
    by_class = np.argsort(KINDS)
    np.testing.assert_allclose(model.predict_proba(EASY[by_class][:7]), shares[by_class][:7], atol=1e-5)
    np.testing.assert_allclose(model.transform(EASY[:1])[0], model.embedding_[0], atol=1e-4)
    assert 0 <= model.batch_spread_ <= 1


def test_answers_by_batches_are_the_papers_and_place_new_images_all_the_same() -> None:
    frozen, by_batch = fitted(), fitted(evaluation="batch")
    assert not np.array_equal(frozen.embedding_, by_batch.embedding_)
    np.testing.assert_allclose(frozen.transform(IMAGES), by_batch.transform(IMAGES), atol=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = fitted(), fitted(), fitted(random_state=1)
    assert np.array_equal(first.embedding_, again.embedding_)
    assert not np.array_equal(first.embedding_, other.embedding_)


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    model = fitted(IMAGES[:7], batch_size=32, chunk=1000)
    assert model.training_[-1]["step"] == 2 * 2
    assert model.labels_.shape == (7,)


@pytest.mark.parametrize("n", [31, 33, 61])
def test_a_last_chunk_of_any_length_is_gone_through(n: int) -> None:
    images = patterns(each=21)[0][:n]
    model = fitted(images)
    assert sum(model.training_[-1]["top_probability"]) == pytest.approx(1)
    assert np.isfinite(model.embedding_).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_clusters": 1}, "n_clusters is 1, and DCCM learns by telling clusters apart"),
        ({"graph_threshold": 1.5}, "graph_threshold is 1.5; expected a finite number of at least 0 and of at most 1"),
        ({"label_threshold": -0.1}, "label_threshold is -0.1"),
        ({"batch_size": 1}, "batch_size is 1; expected a whole number of at least 2"),
        ({"chunk": 1}, "chunk is 1"),
        ({"alpha": -1}, "alpha is -1"),
        ({"sampler": "V1"}, "sampler is 'V1'; expected one of nearest, nearest-farthest, random, top, compat"),
        ({"mi_shallow": "conv9"}, "mi_shallow is 'conv9'; expected one of auto, conv2, pool1, conv3"),
        ({"mi_deep": "fc64"}, "mi_deep is 'fc64'; expected one of auto, fc, logits"),
        ({"label_loss": "mse"}, "label_loss is 'mse'; expected one of binary, cross_entropy"),
        ({"n_features": "many"}, "n_features is 'many'; expected a whole number of at least 1 or \"auto\""),
        ({"augment": "keras"}, "augment is 'keras'"),
        ({"lr": 0}, "lr is 0"),
        ({"rho": 2}, "rho is 2"),
        ({"beta": 0.0, "graph": 0.0, "alpha": 0.0}, "nothing is learned from"),
        ({"beta": 0.0, "use_variant_terms": False}, "nothing is learned from"),
        ({"layers": "conv3-4 conv9-4"}, "images of 12 x 12 pixels are too small|mi_shallow"),
    ],
    ids=str,
)
def test_a_parameter_outside_its_range_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        DCCM(**{**SMALL, **settings}).fit(IMAGES)


def test_features_are_refused_since_there_is_nothing_to_train_on() -> None:
    with pytest.raises(ConfigError, match="DCCM trains on images"):
        DCCM(**SMALL).fit(np.zeros((50, 8)))
