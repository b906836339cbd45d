"""JULE line by line: the recurrence, its schedule, its settings and what they reach (jule.md B1-B7; E7 T11)."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.grouping import LinkageSettings, group_features
from coterie.graphs.linkage import LocalStructure
from coterie.graphs.neighbors import find_neighbors
from coterie.methods import jule as module
from coterie.methods.jule import JULE
from coterie.methods.triplets import nearest_negatives, positive_pairs, sq_distances, triplet_loss
from coterie.metrics import accuracy
from coterie.nets.conv_stack import ConvStack
from coterie.training.run import Run
from methods.patterns import FAST, K, patterns, schedule
from oracles.plain_graphs import partition
from oracles.plain_triplets import pairs

# patterns under noise are so far apart that no edge joins them, which the linkage says
pytestmark = pytest.mark.filterwarnings("ignore:affinity ran out at:coterie.errors.GraphWarning")
IMAGES, CLASSES = patterns()


def jule(**settings: Any) -> JULE:
    return JULE(**{"n_clusters": K, **FAST, **settings})


def spied(patch: pytest.MonkeyPatch, name: str, see: Callable[..., None]) -> None:
    """``see`` is called with the arguments and the result of ``coterie.methods.jule``'s ``name``."""
    original = getattr(module, name)

    def spy(*given: Any, **named: Any) -> Any:
        result = original(*given, **named)
        see(*given, result, **named)
        return result

    patch.setattr(module, name, spy)


# --- B1: the recurrence


@pytest.mark.parametrize(("eta", "scale"), [(0.2, "global"), (0.5, "local"), (0.9, "global")])
def test_clusters_fall_by_the_schedule_and_end_at_k_with_the_right_images(eta: float, scale: str) -> None:
    model = jule(eta=eta, scale=scale, epochs=2, rounds=0).fit(IMAGES)
    first = model.snapshots_[0].n_clusters
    expected = schedule(first, K, eta)
    assert first > 10
    # the clusters at the end of each epoch: a period's second epoch ends with its mergers
    left = [record["n_clusters"] for record in model.training_]
    assert left == [n for before, after in pairwise([first, *expected]) for n in (before, after)]
    assert [shot.n_clusters for shot in model.snapshots_] == [first, *expected]
    sf, rc = (accuracy(model.answers_[name].labels, CLASSES) for name in ("sf", "rc"))
    assert rc >= sf - 0.05
    assert accuracy(model.labels_, CLASSES) > 0.9


def test_labels_start_from_the_pixels_and_only_merge_from_period_to_period(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    spied(monkeypatch, "merge_down", lambda features, labels, settings, result: seen.append((features, labels, result)))
    model = jule(eta=0.3, rounds=0).fit(IMAGES)
    flat = normalize(torch.from_numpy(IMAGES.reshape(len(IMAGES), -1) / 255.0)).float().numpy()
    pixels = nearest_neighbor_clusters(find_neighbors(flat, 1).indices[:, 0])
    assert partition(seen[0][1]) == partition(pixels)
    for (before_features, _, before), (features, labels, _) in pairwise(seen):
        assert (labels == before).all()
        assert not np.allclose(features, before_features, atol=1e-3)  # the network has learned in between
    assert (model.answers_["sf"].labels == seen[-1][2]).all()
    assert all(np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5) for features, *_ in seen)


def test_without_rounds_nothing_is_learned_after_the_last_merger(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    spied(monkeypatch, "merge_down", lambda features, labels, settings, result: seen.append(features))
    model = jule(rounds=0).fit(IMAGES)
    assert (model.embedding_ == seen[-1]).all()


def test_rounds_train_on_the_robust_labels_and_leave_the_labels_of_the_recurrence_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    robust: list[np.ndarray] = []
    spied(
        monkeypatch, "linkage_answer",
        lambda features, settings, result: robust.append(result[0].labels) if settings.stop == "sized" else None,
    )  # fmt: skip
    trained_on: list[np.ndarray] = []
    learn = JULE._learn
    monkeypatch.setattr(
        JULE, "_learn", lambda self, run, *rest: (trained_on.append(run.values["labels"]), learn(self, run, *rest))[1]
    )
    plain_model = jule(epochs=2, rounds=0, random_state=3).fit(IMAGES)
    robust.clear()
    trained_on.clear()
    model = jule(epochs=2, rounds=2, round_epochs=3, random_state=3).fit(IMAGES)
    n_epochs = len(plain_model.training_)
    assert [record["epoch"] for record in model.training_] == list(range(1, n_epochs + 7))
    assert all(labels is robust[0] for labels in trained_on[n_epochs : n_epochs + 3])
    assert all(labels is robust[1] for labels in trained_on[n_epochs + 3 :])
    assert (model.answers_["sf"].labels == plain_model.answers_["sf"].labels).all()
    assert (model.answers_["robust"].labels == robust[-1]).all()


# --- the linkage and its settings


def test_every_setting_of_the_recurrence_reaches_the_mergers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LinkageSettings] = []
    spied(monkeypatch, "merge_down", lambda features, labels, settings, result: seen.append(settings))
    given = {"n_neighbors": 7, "scale": "global", "a": 0.5, "update": "constant_ratio", "alpha": 0.1,
             "on_exhausted": "centroid"}  # fmt: skip
    jule(n_nearest=4, locality=0.7, plain_from=30, **given).fit(IMAGES)
    assert replace(seen[0], n_clusters=0) == LinkageSettings(n_clusters=0, local=LocalStructure(4, 0.7, 30), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_nearest", [0, 1])
def test_without_next_nearest_clusters_the_largest_affinity_merges(n_nearest: int) -> None:
    assert jule(n_nearest=n_nearest)._recurrence().local is None


def test_rc_is_the_paper_s_linkage_and_robust_ours_both_of_the_last_embedding() -> None:
    images, _ = patterns(noise=150)
    model = jule(n_neighbors=9, a=0.7, n_nearest=5).fit(images)
    paper = LinkageSettings(
        n_clusters=K, n_neighbors=9, scale="global", a=0.7, stop="plain", refine=0, local=LocalStructure(5, 1.0, 0)
    )
    assert (model.answers_["rc"].labels == group_features(model.embedding_, paper).labels).all()
    ours = group_features(model.embedding_, LinkageSettings(n_clusters=K)).labels
    assert (model.answers_["robust"].labels == ours).all()


@pytest.mark.parametrize(
    ("result", "linkage", "chosen"), [("rc", "robust", "robust"), ("rc", "paper", "rc"), ("sf", "paper", "sf")]
)
def test_result_and_linkage_choose_among_the_same_three_answers(result: str, linkage: str, chosen: str) -> None:
    model = jule(result=result, linkage=linkage).fit(IMAGES)
    assert set(model.answers_) == {"sf", "rc", "robust"}
    assert model.assigned_ == chosen
    assert f"{'result' if chosen == 'sf' else 'linkage'}='{result if chosen == 'sf' else linkage}'" in (
        model.assigned_because_
    )
    assert (model.labels_ == model.answers_[chosen].labels).all()
    assert (model.confidence_ == model.answers_[chosen].confidence).all()
    assert model.n_clusters_ == K
    assert hasattr(model, "merges_") == (chosen != "sf")  # no merge history has led to the labels of the recurrence
    assert (getattr(model, "stop_", None) is not None) == (chosen == "robust")


# --- B4, B5: the loss of a batch


def rows(b: int = 12) -> torch.Tensor:
    return normalize(torch.randn(b, 6, generator=torch.Generator().manual_seed(1)))


LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 0, 3, 4, 1, 3, 0])


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 1, 2, 3], [5]], ids=["one label", "no label twice", "one image"])
@pytest.mark.parametrize("negatives", ["uniform", "nearest"])
def test_a_batch_without_triplets_costs_nothing_and_moves_nothing(labels: list[int], negatives: str) -> None:
    embeddings = rows(len(labels)).requires_grad_()
    loss = jule(negatives=negatives)._loss(embeddings, torch.tensor(labels), torch.Generator())
    loss.backward()
    assert loss.item() == 0
    assert embeddings.grad is not None
    assert (embeddings.grad == 0).all()


def test_nearest_negatives_come_from_one_cluster_less_than_the_criterion_looks_at() -> None:
    anchor, positive = positive_pairs(LABELS)
    for n_nearest, count in ((0, 1), (1, 1), (2, 1), (5, 4), (50, 4)):
        negatives = nearest_negatives(LABELS, anchor, sq_distances(rows()), count)
        expected = triplet_loss(rows(), anchor, positive, negatives, margin=0.3, gamma=2.0)
        model = jule(negatives="nearest", n_nearest=n_nearest, margin=0.3, gamma=2.0)
        assert model._loss(rows(), LABELS, torch.Generator()).item() == pytest.approx(expected.item())


def test_the_settings_of_the_loss_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[torch.Size, dict[str, float]]] = []
    for name in ("triplet_loss", "triplet_loss_of_release"):
        spied(monkeypatch, name, lambda e, a, p, negatives, result, **named: seen.append((negatives.shape, named)))
    for settings in ({"gamma": 1.5, "margin": 0.4, "n_negatives": 3}, {"anchors_only": True, "margin": 0.5}):
        jule(**settings)._loss(rows(), LABELS, torch.Generator())
    anchor, _ = positive_pairs(LABELS)
    n_pairs = len(anchor)
    assert seen == [((n_pairs, 3), {"gamma": 1.5, "margin": 0.4}), ((n_pairs, 4), {"margin": 0.5})]


@pytest.mark.parametrize("sampler", ["images", "clusters"])
def test_every_epoch_trains_on_every_image_once_in_an_order_of_its_own(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    batches = Run.batches

    def spy(self: Run, *given: Any, **named: Any) -> Any:
        seen.append([])
        for batch in batches(self, *given, **named):
            seen[-1] += batch.index.tolist()
            yield batch

    monkeypatch.setattr(Run, "batches", spy)
    model = jule(epochs=3, rounds=0, sampler=sampler).fit(IMAGES)
    assert all(sorted(epoch) == list(range(len(IMAGES))) for epoch in seen)
    assert len({tuple(epoch) for epoch in seen}) == len(model.training_)


def test_the_cluster_sampler_brings_pairs_into_small_batches_from_the_first_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: dict[str, list[int]] = {"images": [], "clusters": []}
    loss = JULE._loss
    for sampler, counts in found.items():
        monkeypatch.setattr(
            JULE, "_loss",
            lambda self, rows, labels, generator, counts=counts: (
                counts.append(len(pairs(labels.tolist()))), loss(self, rows, labels, generator)
            )[1],
        )  # fmt: skip
        jule(sampler=sampler, batch_size=10).fit(IMAGES)
    first = len(IMAGES) // 10
    assert sum(found["clusters"][:first]) > 2 * sum(found["images"][:first])


# --- B6: the optimiser


def seen_steps(patch: pytest.MonkeyPatch, **settings: Any) -> list[dict[str, Any]]:
    """The settings of the optimiser at every step of a fit."""
    groups: list[dict[str, Any]] = []
    step = Run.step

    def spy(self: Run, optimizer: Any, *given: Any) -> None:
        groups.append({name: value for name, value in optimizer.param_groups[0].items() if name != "params"})
        step(self, optimizer, *given)

    patch.setattr(Run, "step", spy)
    jule(**settings).fit(IMAGES)
    return groups


def test_the_learning_rate_falls_with_every_step_of_the_whole_training(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = seen_steps(monkeypatch, eta=0.5, epochs=2, rounds=2, lr=0.02)
    assert len(groups) > 15
    assert [group["lr"] for group in groups] == [
        pytest.approx(0.02 * (1 + 1e-4 * t) ** -0.75, rel=1e-12) for t in range(len(groups))
    ]


def test_the_settings_of_the_optimiser_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    group = seen_steps(monkeypatch)[0]
    assert (group["momentum"], group["dampening"], group["weight_decay"]) == (0.9, 0.0, 5e-5)
    assert not group["nesterov"]
    group = seen_steps(monkeypatch, momentum=0.8, dampening=0.9, weight_decay=0.01)[0]
    assert (group["momentum"], group["dampening"], group["weight_decay"]) == (0.8, 0.9, 0.01)


# --- B3, B7: the network


def test_features_are_extracted_in_eval_mode_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool, int]] = []
    forward = ConvStack.forward

    def spy(self: ConvStack, images: torch.Tensor) -> torch.Tensor:
        seen.append((torch.is_grad_enabled(), self.training, len(images)))
        return forward(self, images)

    monkeypatch.setattr(ConvStack, "forward", spy)
    images, _ = patterns(each=75)
    for bn_extract, in_recurrence in (("eval", [(False, 225)]), ("train", [(True, 100), (True, 100), (True, 25)])):
        seen.clear()
        model = jule(bn_extract=bn_extract, batch_size=100, rounds=0).fit(images)
        periods = len(model.training_)
        assert {training for gradient, training, _ in seen if gradient} == {True}
        extracting = [(training, count) for gradient, training, count in seen if not gradient]
        assert extracting == in_recurrence * periods + [(False, 225)]  # the last one as new images are placed
        np.testing.assert_allclose(model.transform(images), model.embedding_, atol=1e-5)


def test_the_settings_of_the_network_reach_it_and_the_model_keeps_what_auto_meant(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "coterie.methods.jule"):
        model = jule().fit(IMAGES)
    assert "blocks P (P pooled, C not) for images of 12 x 12 pixels" in caplog.text
    assert model.extractor_.config()["architecture"] == {
        "network": "conv_stack", "shape": [1, 12, 12], "blocks": "P", "padding": 0, "bn_weight": "ones"
    }  # fmt: skip
    other = jule(blocks="CC", padding=1, bn_weight="uniform").fit(IMAGES)
    assert other.extractor_.config()["architecture"]["blocks"] == "CC"
    assert other.extractor_.tensors()["head.weight"].shape == (160, 50 * 8 * 8)
    assert other.extractor_.tensors()["features.0.1.weight"].max() < 1.05


# --- D4: snapshots


def test_snapshots_tell_period_by_period_how_the_embedding_looked() -> None:
    model = jule(eta=0.5, rounds=2).fit(IMAGES)
    titles = [shot.title for shot in model.snapshots_]
    periods = len(schedule(model.snapshots_[0].n_clusters, K, 0.5))
    assert titles[0] == "pixels"
    assert titles[1:periods] == [f"period {p}" for p in range(1, periods)]
    assert titles[periods:] == [f"re-clustered after period {p}" for p in range(periods, periods + 3)]
    for shot in model.snapshots_:
        assert (shot.positions.shape, shot.positions.dtype) == ((90, 3), np.float32)
        assert shot.labels.dtype == np.int64
        assert np.unique(shot.labels).tolist() == list(range(shot.n_clusters))
