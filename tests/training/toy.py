"""A short training with everything in it that a resume can get wrong; also a program, to be killed from outside."""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.training.run import Run
from kills import kill_many

IMAGES = np.random.default_rng(5).integers(0, 256, (32, 1, 8, 8), dtype=np.uint8)
Hook = Callable[[int, int, Any], None]


def make_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 5)
    )


def train(
    folder: Path | None, epochs: int = 4, hook: Hook = lambda epoch, step, run: None, **settings: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns (every tensor that came out, the history); ``hook`` is called after each of the 8 steps of an epoch."""
    with Run(
        folder, **{"config": {"lr": 0.05, "k": 5}, "save_every": 0.0, "device": "cpu", "patience": 99, **settings}
    ) as run:
        net = run.setup(make_net())
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9))
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.9)
        run.track(net=net, optimizer=optimizer, scheduler=scheduler, targets=None, note="start")
        for epoch in run.epochs(epochs):
            if run.at_epoch_start:
                run.values["targets"] = run.random.numpy.integers(0, 5, 32)
            for _ in range(2):
                for batch in run.batches(IMAGES, 10):
                    noise = torch.rand(batch.clean.shape, generator=run.random.device) * random.random()
                    targets = torch.as_tensor(run.values["targets"])[batch.index] + int(np.random.randint(2))
                    loss = nn.functional.cross_entropy(net(batch.clean + noise), targets % 5)
                    run.step(optimizer, loss, clip=1.0)
                    hook(epoch, run._position.update, run)
            scheduler.step()
            with torch.no_grad():
                net.eval()
                labels = torch.cat([net(batch.clean).argmax(1) for batch in run.in_order(IMAGES, 16)])
                net.train()
            run.watch_clusters(labels, 5)
        result = {
            **net.state_dict(),
            "targets": run.values["targets"],
            "draw": torch.rand(3),
            "python": random.random(),
        }
        result |= {f"momentum {i}": value["momentum_buffer"] for i, value in optimizer.state_dict()["state"].items()}
        return {name: torch.as_tensor(value).clone() for name, value in result.items()}, list(run.history)


def assert_same(first: tuple[dict[str, Any], list[dict[str, Any]]], second: Any) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    assert first[0].keys() == second[0].keys()
    assert [name for name in first[0] if not torch.equal(first[0][name], second[0][name])] == []
    clocks = {"seconds", "images_per_second"}
    plain = [[{n: v for n, v in r.items() if n not in clocks} for r in history] for history in (first[1], second[1])]
    assert plain[0] == plain[1]


def signal_at(epoch: int, step: int, number: int) -> Hook:
    """A hook that sends this process a signal after a step."""

    def hook(now: int, at: int, run: Any) -> None:
        if (now, at) == (epoch, step):
            os.kill(os.getpid(), number)

    return hook


def main(folder: Path, what: str, *numbers: str) -> None:
    torch.set_num_threads(1)
    if what == "killed":
        kill_many(train, assert_same, folder, int(numbers[0]))
    else:
        epoch, step = map(int, numbers)
        train(folder, hook=signal_at(epoch, step, getattr(signal, what)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
