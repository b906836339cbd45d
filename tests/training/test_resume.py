"""A training that was stopped anywhere and started again ends with the same bits as one that was not."""

import random
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coterie.errors import CheckpointError, TrainingStopped
from coterie.training.run import Run
from training.toy import IMAGES, assert_same, make_net, signal_at, train


class Crash(Exception):
    pass


def crash_at(epoch: int, step: int) -> Any:
    def hook(now: int, at: int, run: Any) -> None:
        if (now, at) == (epoch, step):
            raise Crash

    return hook


def test_a_training_with_checkpoints_equals_one_without(tmp_path: Path, straight: Any) -> None:
    assert_same(train(tmp_path), straight)


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(straight: Any) -> None:
    torch.manual_seed(99)
    random.random()
    assert_same(train(None), straight)
    assert not torch.equal(train(None, random_state=1)[0]["0.weight"], straight[0]["0.weight"])


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (1, 3), (1, 4), (2, 5), (3, 8)])
def test_a_stop_in_the_middle_of_an_epoch_resumes_to_the_same_bits(
    tmp_path: Path, straight: Any, epoch: int, step: int
) -> None:
    with pytest.raises(TrainingStopped, match=f"SIGTERM at epoch {epoch + 1} step {step}") as caught:
        train(tmp_path, hook=signal_at(epoch, step, signal.SIGTERM))
    assert caught.value.exit_code == 143
    seen: list[tuple[int, int]] = []
    again = train(tmp_path, hook=lambda epoch, at, run: seen.append((epoch, at)))
    assert seen[:1] == ([(epoch, step + 1)] if step < 8 else [])
    assert_same(again, straight)


def test_an_exception_in_the_middle_of_an_epoch_resumes_from_the_epoch_before(tmp_path: Path, straight: Any) -> None:
    with pytest.raises(Crash):
        train(tmp_path, hook=crash_at(2, 6))
    seen: list[tuple[int, int]] = []
    assert_same(train(tmp_path, hook=lambda epoch, at, run: seen.append((epoch, at))), straight)
    assert seen[0] == (2, 1)


def test_streamed_images_stop_and_resume_to_the_bits_of_resident_ones(tmp_path: Path, straight: Any) -> None:
    with pytest.raises(TrainingStopped):
        train(tmp_path, image_budget=0, hook=signal_at(1, 6, signal.SIGTERM))
    assert_same(train(tmp_path, image_budget=0), straight)


def test_many_stops_in_a_row_resume_to_the_same_bits(tmp_path: Path, straight: Any) -> None:
    for epoch, step in [(0, 2), (0, 7), (1, 1), (3, 3)]:
        with pytest.raises(TrainingStopped):
            train(tmp_path, hook=signal_at(epoch, step, signal.SIGTERM))
    assert_same(train(tmp_path), straight)


def test_long_epochs_are_saved_in_their_middle(tmp_path: Path, straight: Any) -> None:
    with pytest.raises(Crash):
        train(tmp_path, save_every=1e-9, hook=crash_at(1, 6))
    seen: list[tuple[int, int]] = []
    again = train(tmp_path, hook=lambda epoch, at, run: seen.append((epoch, at)))
    assert seen[0] == (1, 6)
    assert_same(again, straight)


def test_a_finished_training_is_not_trained_again_and_can_go_on_for_longer(tmp_path: Path, straight: Any) -> None:
    assert_same(train(tmp_path), straight)
    assert_same(train(tmp_path, hook=crash_at(3, 8)), straight)
    assert_same(train(tmp_path, epochs=6), train(None, epochs=6))


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    expected = torch.rand(2), random.random(), np.random.rand()
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    train(None, epochs=1)
    assert torch.equal(torch.rand(2), expected[0])
    assert (random.random(), np.random.rand()) == expected[1:]


def two_phases(folder: Path | None, stop: int | None) -> dict[str, torch.Tensor]:
    """Two loops one after the other, the second with a head that is made from what the first learned."""
    with Run(folder, save_every=0.0, device="cpu") as run:
        net = run.setup(make_net())
        optimizer = run.setup(torch.optim.Adam(net.parameters(), lr=0.01))
        run.track(net=net, optimizer=optimizer)
        updates = 0
        for _ in run.epochs(2):
            for batch in run.batches(IMAGES, 16):
                run.step(optimizer, net(batch.clean).square().mean())
                updates += 1
        head = torch.nn.Linear(5, 2)
        torch.nn.init.constant_(head.weight, net.state_dict()["5.weight"].sum().item())
        head = run.setup(head)
        second = run.setup(torch.optim.Adam(head.parameters(), lr=0.01))
        run.track(head=head, second=second)
        for _ in run.epochs(3):
            for batch in run.batches(IMAGES, 16):
                run.step(second, head(net(batch.clean)).square().mean())
                if updates == stop:
                    signal.raise_signal(signal.SIGINT)
                updates += 1
        return {**net.state_dict(), **{f"head {name}": value for name, value in head.state_dict().items()}}


@pytest.mark.parametrize("stop", [4, 7])
def test_a_later_phase_resumes_without_repeating_the_earlier_one(tmp_path: Path, stop: int) -> None:
    with pytest.raises(TrainingStopped, match="SIGINT") as caught:
        two_phases(tmp_path, stop)
    assert caught.value.exit_code == 130
    again, straight = two_phases(tmp_path, None), two_phases(None, None)
    assert [name for name in straight if not torch.equal(again[name], straight[name])] == []


def until_enough(folder: Path | None, stop: tuple[int, int] | None = None) -> tuple[torch.Tensor, int]:
    with Run(folder, save_every=0.0, device="cpu") as run:
        net = run.setup(make_net())
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.01))
        run.track(net=net, optimizer=optimizer)
        for epoch in run.epochs(9):
            if epoch == 2:
                run.enough()
            for batch in run.batches(IMAGES, 8):
                run.step(optimizer, net(batch.clean).square().mean())
                if (epoch, run._position.update) == stop:
                    signal.raise_signal(signal.SIGTERM)
        return net.state_dict()["5.weight"].clone(), len(run.history)


@pytest.mark.parametrize("step", [2, 4])
def test_a_loop_that_had_enough_has_ended_for_every_resume(tmp_path: Path, step: int) -> None:
    straight = until_enough(None)
    assert straight[1] == 3
    with pytest.raises(TrainingStopped):
        until_enough(tmp_path, (2, step))
    for _ in range(2):
        again = until_enough(tmp_path)
        assert torch.equal(again[0], straight[0])
        assert again[1] == 3


def test_what_is_tracked_late_takes_its_state_when_it_is_tracked(tmp_path: Path) -> None:
    def train_head(stop: bool) -> Any:
        with Run(tmp_path, save_every=0.0, device="cpu") as run:
            head = None
            for epoch in run.epochs(3):
                if head is None:
                    head = torch.nn.Linear(2, 2)
                    torch.nn.init.constant_(head.weight, 0.0 if stop else 9.0)
                    run.track(head=head)
                with torch.no_grad():
                    head.weight += 1
                if stop and epoch == 1:
                    signal.raise_signal(signal.SIGTERM)
            return None if head is None else head.weight.mean().item()

    with pytest.raises(TrainingStopped):
        train_head(stop=True)
    assert train_head(stop=False) == 3.0


def test_a_checkpoint_inside_a_pass_that_the_code_no_longer_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped):
        train(tmp_path, hook=signal_at(1, 6, signal.SIGTERM))
    with Run(tmp_path, config={"lr": 0.05, "k": 5}, device="cpu") as run:
        for _ in run.epochs(3):
            with pytest.raises(
                CheckpointError, match="stands in pass 2 of epoch 2 step 6, which this code does not reach"
            ):
                run._end_epoch()
            break


def test_a_training_in_a_thread_of_its_own_works_without_signals(straight: Any) -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(train(None)))
    thread.start()
    thread.join()
    assert_same(results[0], straight)
