"""A training that two processes share: what one would have learned, one voice, one end."""

import json
import signal
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coterie.errors import ConfigError
from coterie.training.batches import own_parts, plan_batches
from coterie.training.device import make_fabric
from coterie.training.run import Run
from coterie.training.signals import StopSignals
from training.two_runs import BATCH, EPOCHS, IMAGES, STEPS, quietly
from two import Saved, end_of_two, launched, start_two

OF_EACH = {"warnings"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-runs")


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Saved, Saved]:
    """What each of two processes that trained together left behind."""
    return start_two("training.two_runs", folder)


def test_two_processes_learn_what_one_learns_also_from_parts_of_unequal_size(both: tuple[Saved, Saved]) -> None:
    alone, _ = quietly(None)
    for name, value in alone.items():
        np.testing.assert_allclose(both[0][name], value.detach().numpy(), rtol=0, atol=2e-5, err_msg=name)


def test_their_parts_of_a_batch_are_in_their_order_the_batch_of_one(both: tuple[Saved, Saved]) -> None:
    alone, _ = quietly(None)
    np.testing.assert_array_equal(both[0]["seen"], alone["seen"].numpy())
    assert len(both[0]["seen"]) == EPOCHS * len(IMAGES)


def test_both_processes_end_with_the_same_bits(both: tuple[Saved, Saved]) -> None:
    assert [name for name in both[0].keys() - OF_EACH if not np.array_equal(both[0][name], both[1][name])] == []


def test_a_training_that_was_stopped_goes_on_to_the_same_bits_in_both(both: tuple[Saved, Saved]) -> None:
    for saved in both:
        names = [name.removeprefix("resumed ") for name in saved if name.startswith("resumed ")]
        assert [n for n in names if n != "seen" and not np.array_equal(saved[f"resumed {n}"], saved[n])] == []
        rest = saved["resumed seen"]
        np.testing.assert_array_equal(rest, saved["seen"][-len(rest) :])
        assert len(rest) < len(saved["seen"])


def test_a_signal_to_one_process_stops_both_after_the_same_step(both: tuple[Saved, Saved], folder: Path) -> None:
    told = [(folder / f"stop-{rank}.txt").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith("143 stopped by SIGTERM at epoch 2 step 3; ")


def test_one_process_writes_and_warns_for_both(both: tuple[Saved, Saved], folder: Path) -> None:
    assert [int(saved["warnings"]) for saved in both] == [1, 0]
    lines = (folder / "straight" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    assert sorted(path.name for path in (folder / "straight").iterdir()) == ["checkpoints", "metrics.jsonl"]
    assert len(list((folder / "straight" / "checkpoints").iterdir())) == 4
    about = json.loads(max((folder / "straight" / "checkpoints").glob("*.json")).read_text())
    assert about["processes"] == 2


def test_when_one_process_fails_the_other_ends_and_says_why(tmp_path: Path) -> None:
    (first, said), (second, failed) = end_of_two("training.two_runs", tmp_path, "fail")
    assert (first, second) == (1, 1)
    assert "ZeroDivisionError: the second process fails" in failed
    assert "TrainingError: another process of the training has ended" in said


def test_a_training_that_two_processes_began_goes_on_in_one_with_a_warning(
    both: tuple[Saved, Saved], folder: Path
) -> None:
    from coterie.errors import CheckpointWarning

    with (
        pytest.warns(CheckpointWarning, match="processes was 2 and is now 1"),
        Run(folder / "straight", config={"k": 5}, device="cpu") as run,
    ):
        assert len(run.values) == 0


@pytest.mark.parametrize(("n", "size"), [(30, 7), (33, 8), (8, 8), (9, 8)])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_row_of_a_plan_belongs_to_one_process(
    n: int, size: int, world: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_batches(n, size, least=max(2, world))
    assert min(rows.stop - rows.start for rows in plan) >= min(world, n)
    found = []
    for rank in range(world):
        monkeypatch.setattr("coterie.training.processes.n_processes", lambda: world)
        monkeypatch.setattr("coterie.training.batches.n_processes", lambda: world)
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        found.append(own_parts(plan))
    for b, rows in enumerate(plan):
        own = [list(range(n))[slices[b]] for slices, _ in found]
        assert list(chain(*own)) == list(range(n))[rows]
        assert max(map(len, own)) - min(map(len, own)) <= 1
        assert [parts[b].first for _, parts in found] == np.cumsum([0, *map(len, own[:-1])]).tolist()
        assert {parts[b].whole for _, parts in found} == {rows.stop - rows.start}


def test_a_batch_with_fewer_images_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.training.batches.n_processes", lambda: 4)
    with pytest.raises(ConfigError, match="a batch of 3 images cannot be shared by 4 processes"):
        own_parts([slice(0, 3)])


def as_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in launched(0, 2).items():
        monkeypatch.setenv(name, value)


def test_a_loop_that_was_not_made_for_it_refuses_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    as_one_of_two(monkeypatch)
    with pytest.raises(ConfigError, match="2 processes were started, and this method trains in one: start it without"):
        Run(None, device="cpu")


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1"])
def test_one_gpu_for_several_processes_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    as_one_of_two(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=f"device='{device}' is one device for 2 processes: give auto, cuda or cpu"):
        make_fabric(device, several_processes=True)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    as_one_of_two(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="2 processes were started where there are 1 CUDA devices"):
        make_fabric("auto", several_processes=True)


def test_a_ctrl_c_that_torchrun_passes_on_is_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    as_one_of_two(monkeypatch)
    with StopSignals() as signals:
        signals.ready = True
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert signals.received == signal.SIGINT
        monkeypatch.setattr("coterie.training.signals.ECHO", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_batch_norm_of_one_process_is_torchs_own() -> None:
    from coterie.training.data_parallel import WholeBatchNorm, with_whole_batch_norm

    torch.manual_seed(0)
    x, plain = torch.randn(6, 3, 4, 4), nn.Sequential(nn.BatchNorm2d(3))
    weight, expected = plain[0].weight, plain(x)
    statistics = plain[0].running_var.clone()
    plain[0].reset_running_stats()
    whole = with_whole_batch_norm(plain, torch.device("cpu"))
    assert isinstance(whole[0], WholeBatchNorm)  # type: ignore[index]
    assert whole[0].weight is weight  # type: ignore[index]
    assert torch.equal(whole(x), expected)
    assert torch.equal(whole[0].running_var, statistics)  # type: ignore[index]


def test_the_plan_has_as_many_steps_as_one_process_takes() -> None:
    assert len(plan_batches(len(IMAGES), BATCH)) == STEPS
