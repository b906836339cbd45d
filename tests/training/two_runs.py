"""A training through ``Run`` that any number of processes can share; also a program, started once per process."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coterie.errors import CollapseWarning, TrainingStopped
from coterie.training.processes import gather_rows
from coterie.training.run import Run
from two import leave, meet

IMAGES = np.random.default_rng(5).integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)
EPOCHS, BATCH, STEPS = 3, 7, 5  # 7, 7, 7, 7, 2: two processes never have equal parts of 7
Hook = Callable[[int, int], None]


def make_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), nn.BatchNorm1d(5)
    )


def train(folder: Path | None, hook: Hook = lambda epoch, step: None) -> dict[str, Tensor]:
    """Every tensor and figure that came out, and the rows that were seen; ``hook`` is called after each step."""
    seen = []
    with Run(folder, config={"k": 5}, save_every=0.0, device="cpu", patience=2, several_processes=True) as run:
        net = run.setup(make_net())
        optimizer = run.setup(torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9))
        run.track(net=net, optimizer=optimizer)
        for epoch in run.epochs(EPOCHS):
            for step, batch in enumerate(run.batches(IMAGES, BATCH)):
                first, whole = batch.part
                noise = torch.rand(whole, 1, 1, 1, generator=run.random.device)[first : first + len(batch)]
                loss = nn.functional.cross_entropy(net(batch.clean + noise), batch.index % 5)
                run.step(optimizer, loss, clip=1.0)
                seen.append(gather_rows(batch.index))
                hook(epoch, step)
            run.watch_clusters(torch.zeros(len(IMAGES), dtype=torch.int64), 5)
        found = {name.removeprefix("module."): value.clone() for name, value in net.state_dict().items()}
        found["draw"] = torch.rand(3, generator=run.random.device)
        for figure in ("loss", "step", "nonempty"):
            found[figure] = torch.tensor([record[figure] for record in run.history])
    return found | {"seen": torch.cat(seen)}


def quietly(folder: Path | None, **more: Any) -> tuple[dict[str, Tensor], int]:
    """As ``train``, and how many CollapseWarnings it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = train(folder, **more)
    return found, sum(issubclass(warning.category, CollapseWarning) for warning in caught)


def signal_at(epoch: int, step: int) -> Hook:
    """A hook that sends this process a SIGTERM after a step."""

    def hook(now: int, at: int) -> None:
        if (now, at) == (epoch, step):
            os.kill(os.getpid(), signal.SIGTERM)

    return hook


def fail_at(epoch: int, step: int) -> Hook:
    """A hook that fails after a step."""

    def hook(now: int, at: int) -> None:
        if (now, at) == (epoch, step):
            raise ZeroDivisionError("the second process fails")

    return hook


def straight_and_stopped(rank: int, folder: Path) -> dict[str, Tensor]:
    """A training without a stop; one that a signal to the second process stops, and its second half."""
    straight, n_warnings = quietly(folder / "straight")
    try:
        quietly(folder / "stopped", hook=signal_at(1, 2) if rank else lambda epoch, step: None)
    except TrainingStopped as stop:
        (folder / f"stop-{rank}.txt").write_text(f"{stop.exit_code} {stop}")
    resumed, _ = quietly(folder / "stopped")
    resumed = {f"resumed {name}": value for name, value in resumed.items()}
    return straight | resumed | {"warnings": torch.tensor(n_warnings)}


if __name__ == "__main__":
    place = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    meet(*place)
    if sys.argv[4:] == ["fail"]:
        try:
            train(place[2] / "failed", hook=fail_at(1, 1) if place[0] else lambda epoch, step: None)
        except Exception:
            traceback.print_exc()
            os._exit(1)
    else:
        leave(*place, straight_and_stopped(place[0], place[2]))
