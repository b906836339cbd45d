"""The small parts of a training: plain state, settings, losses, clusters, random numbers, memory."""

import json
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import CheckpointError, ConfigError
from coterie.training.checkpoint import Checkpoints
from coterie.training.clusters import ClusterWatch, agreement
from coterie.training.guard import LossGuard, all_finite
from coterie.training.memory_estimate import estimate_memory, free_memory, states_per_weight
from coterie.training.plain import from_plain, tensor_bytes, to_plain
from coterie.training.randomness import Randomness
from coterie.training.settings import check_settings, differences

CPU = torch.device("cpu")


def test_plain_state_goes_through_a_checkpoint_and_back(tmp_path: Path) -> None:
    state = {
        "labels": np.array([3, 1], dtype=np.int64),
        "mask": np.array([[True], [False]]),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "queue": torch.arange(6.0).reshape(2, 3),
        "none": None,
        "text": "größe",
        "nested": {1: [(np.float64(0.5), True)], "big": 2**100},
        "ordered": OrderedDict(a=1),
    }
    Checkpoints(tmp_path).save(state, {})
    loaded = Checkpoints(tmp_path).load()
    assert loaded is not None
    back = from_plain(loaded.state)
    for name in ("labels", "mask", "empty"):
        assert back[name].dtype == state[name].dtype  # type: ignore[attr-defined]
        np.testing.assert_array_equal(back[name], state[name])
    assert torch.equal(back["queue"], torch.arange(6.0).reshape(2, 3))
    assert (back["none"], back["text"], back["ordered"]) == (None, "größe", {"a": 1})
    assert back["nested"] == {1: [(0.5, True)], "big": 2**100}


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["a"]), np.array([None]), lambda: 0, {(1, 2): 3}])
def test_what_is_not_plain_is_named_with_its_place(value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"state\.tracked\[1\]"):
        to_plain({"tracked": [0, value]})


def test_a_view_is_kept_without_the_tensor_it_looks_into() -> None:
    plain = to_plain(torch.zeros(1000, 1000)[:2])
    assert plain.untyped_storage().nbytes() == tensor_bytes({"a": [plain]}) == 8000


def test_training_on_what_was_read_leaves_the_checkpoint_alone() -> None:
    plain = to_plain({"t": torch.zeros(2), "a": np.zeros(2)})
    back = from_plain(plain)
    back["t"] += 1
    back["a"] += 1
    assert from_plain(plain)["a"].tolist() == plain["t"].tolist() == [0, 0]


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    keeper = Checkpoints(tmp_path)
    for value in range(5):
        keeper.save({"value": value}, {"epoch": value})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"checkpoint-0000000{n}.{end}" for n in (4, 5) for end in ("json", "pt")
    ]
    loaded = Checkpoints(tmp_path).load()
    assert loaded is not None
    assert (loaded.state["value"], loaded.about["epoch"]) == (4, 4)


def test_after_a_damaged_one_the_two_that_are_kept_are_whole(tmp_path: Path) -> None:
    keeper = Checkpoints(tmp_path)
    for value in range(2):
        keeper.save({"value": value}, {})
    (tmp_path / "checkpoint-00000002.pt").write_bytes(b"")
    keeper = Checkpoints(tmp_path)
    with pytest.warns(UserWarning, match="damaged"):
        keeper.load()
    keeper.save({"value": 2}, {})
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["checkpoint-00000001", "checkpoint-00000003"]


def test_settings_are_compared_field_by_field_as_json_holds_them() -> None:
    before = {"size": [8, 8], "net": {"depth": 2, "width": 8}, "lr": 0.1}
    now = {"size": (8, 8), "net": {"depth": 3, "width": 8}, "lr": 0.2, "k": 4}
    assert list(differences(before, now)) == [("k", "not set", 4), ("lr", 0.1, 0.2), ("net.depth", 2, 3)]
    with pytest.raises(
        ConfigError, match=r"settings: k was 'not set' and is now 4, net\.depth was 2 and is now 3; give"
    ):
        check_settings(before, now, {"lr"})
    assert check_settings(before, now, {"lr", "k", "depth"})
    with pytest.raises(ConfigError, match="settings of a run are numbers, text, lists and dicts"):
        check_settings({"net": object()}, {}, ())


@pytest.mark.parametrize("every", [1, 2, 4])
def test_the_guard_finds_the_first_bad_loss_and_where_it_was(every: int) -> None:
    guard = LossGuard(CPU, every)
    losses = [1.0, 3.0, float("nan"), float("inf")]
    found = [(at, bad) for at, loss in enumerate(losses) if (bad := guard.add(torch.tensor(loss)))]
    at, (ago, value) = found[0]
    assert at - ago == 2
    assert np.isnan(value)
    assert guard.mean == 2.0


def test_infinite_losses_are_bad_too_and_large_ones_are_not() -> None:
    guard = LossGuard(CPU)
    assert guard.add(torch.tensor(3e38)) is None
    assert guard.add(torch.tensor(-float("inf"))) == (0, -float("inf"))


def test_weights_are_looked_at_for_nan_without_overflow() -> None:
    large = torch.full((10,), 3e38)
    assert all_finite([large, torch.arange(3), torch.zeros(0), torch.ones(2, dtype=torch.bfloat16)])
    assert not all_finite([large, torch.tensor([1.0, float("nan")])])
    assert not all_finite([torch.tensor([float("inf")])])
    assert all_finite([])


def test_the_watch_counts_clusters_and_changes() -> None:
    watch = ClusterWatch()
    figures = watch.labels(np.arange(40) % 4, 4)
    assert figures == {"nonempty": 4, "effective": pytest.approx(4.0)}
    assert watch.labels(np.r_[1, np.arange(1, 40) % 4], 4)["changed"] == pytest.approx(1 / 40)
    assert watch.labels(np.arange(20) % 4, 4).keys() == {"nonempty", "effective"}
    assert watch.counts([2.5, 2.5, 0.0], 3)["effective"] == pytest.approx(2.0)


def test_the_watch_tells_clusters_that_only_have_other_ids_from_other_clusters() -> None:
    watch, labels = ClusterWatch(), np.arange(40) % 4
    watch.labels(labels, 4)
    renamed = watch.labels((labels + 1) % 4, 4)
    assert (renamed["changed"], renamed["agreement"]) == (1.0, pytest.approx(1.0))
    assert watch.labels(np.arange(40) // 20, 4)["agreement"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_agreement_of_two_epochs_is_the_nmi_of_the_scores(seed: int) -> None:
    from coterie.metrics import nmi

    random = np.random.default_rng(seed)
    before, now = random.integers(0, 7, 200), random.integers(0, 7 - seed, 200)
    now[:100] = before[:100] // 2
    assert agreement(before, now, 7) == pytest.approx(nmi(before, now), abs=1e-12)
    one = np.zeros(200, np.int64)
    assert [agreement(*pair, 7) for pair in ((one, one), (one, now), (now, one))] == [1, 0, 0]


@pytest.mark.parametrize("labels", [[0, 5], [-1, 0], [], [[0]]])
def test_labels_that_are_no_cluster_ids_are_refused(labels: Any) -> None:
    with pytest.raises(ConfigError, match="labels are"):
        ClusterWatch().labels(np.array(labels, dtype=np.int64), 5)


@pytest.mark.parametrize("counts", [[0, 0], [-1, 2], [[1.0]], [float("nan")]])
def test_counts_that_count_nothing_are_refused(counts: Any) -> None:
    with pytest.raises(ConfigError, match="counts are"):
        ClusterWatch().counts(counts, 2)


def draw(source: Randomness) -> tuple[Any, ...]:
    return (
        random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item(),
        torch.randn(3).tolist(), source.numpy.random(), torch.rand(1, generator=source.order).item(),
        torch.rand(1, generator=source.device).item(),
    )  # fmt: skip


def test_every_generator_goes_on_where_its_state_was_taken() -> None:
    with Randomness(3, CPU) as source:
        draw(source)
        state = to_plain(source.state_dict())
        expected = draw(source)
    with Randomness(8, CPU) as other:
        other.load_state_dict(from_plain(state))
        assert draw(other) == expected
        other.load_state_dict({**from_plain(state), "device_kind": "cuda"})


@pytest.mark.parametrize(
    ("make", "states"),
    [
        (lambda w: torch.optim.SGD(w, lr=1), 0),
        (lambda w: torch.optim.SGD(w, lr=1, momentum=0.9), 1),
        (torch.optim.Adam, 2),
        (lambda w: torch.optim.AdamW(w, amsgrad=True), 3),
        (torch.optim.RMSprop, 1),
        (lambda w: torch.optim.RMSprop(w, momentum=0.9, centered=True), 3),
        (torch.optim.Adagrad, 1),
    ],
)
def test_the_estimate_counts_what_optimisers_really_keep(make: Any, states: int) -> None:
    weight = torch.nn.Parameter(torch.ones(500, 20))
    optimizer = make([weight])
    weight.sum().backward()
    optimizer.step()
    kept = [value for value in optimizer.state_dict()["state"].get(0, {}).values() if torch.is_tensor(value)]
    assert sum(value.numel() for value in kept if value.numel() > 1) == states * 10_000
    assert states_per_weight(optimizer) == states


def test_the_estimate_says_each_part() -> None:
    estimate = estimate_memory((1000, 3, 32, 32), 100, [torch.zeros(10, requires_grad=True)], budget=10**6)
    assert estimate.images == 4 * 100 * 3072  # streamed, as 3 MB are beyond the budget
    assert estimate.gradients == estimate.weights == 40
    assert estimate.batch == 4 * 100 * 3072
    assert "images 2 MB, weights 1 MB" in estimate.sentence
    assert free_memory(CPU) > 10**6


def test_a_description_of_a_checkpoint_is_json_a_person_can_read(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path).save({"a": 1}, {"epoch": 3, "config": {"k": 5}})
    about = json.loads(path.with_suffix(".json").read_text())
    assert (about["format"], about["format_version"], about["epoch"]) == ("coterie checkpoint", 1, 3)
