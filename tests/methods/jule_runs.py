"""A short training of JULE with everything a resume can get wrong; also a program, to be killed from outside."""

import os
import random
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coterie.methods import jule as module
from coterie.methods.jule import JULE
from coterie.training.run import Run
from methods.patterns import K, patterns

IMAGES, _ = patterns(each=14, noise=60)
EVERY_BATCH = 1e-9  # seconds between checkpoints
SETTINGS: dict[str, Any] = {
    "n_clusters": K, "eta": 0.2, "epochs": 2, "rounds": 2, "round_epochs": 1, "batch_size": 14, "device": "cpu",
    "n_nearest": 3, "sampler": "clusters", "bn_extract": "train", "augment": "mice", "n_runs": 1,
}  # fmt: skip


@contextmanager
def saving(save_every: float) -> Iterator[None]:
    """Inside, JULE's runs write a checkpoint after so many seconds; 0 after every epoch, EVERY_BATCH after each."""
    module.Run = partial(Run, save_every=save_every)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        module.Run = Run  # type: ignore[misc]


def train(folder: Path | None, save_every: float = EVERY_BATCH, **settings: Any) -> JULE:
    with saving(save_every), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last run ended abruptly, and so on
        return JULE(**{**SETTINGS, **settings}, run_folder=folder).fit(IMAGES)


def assert_same(one: JULE, other: JULE) -> None:
    """Both trainings gave the same bits and the same figures, clocks aside."""
    for name, answer in one.answers_.items():
        assert (answer.labels == other.answers_[name].labels).all(), name
        assert (answer.confidence == other.answers_[name].confidence).all(), name
    assert (one.embedding_ == other.embedding_).all()
    first, second = one.extractor_.tensors(), other.extractor_.tensors()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []
    assert [shot.title for shot in one.snapshots_] == [shot.title for shot in other.snapshots_]
    for shot, again in zip(one.snapshots_, other.snapshots_, strict=True):
        assert (shot.positions == again.positions).all(), shot.title
        assert (shot.labels == again.labels).all(), shot.title
    clocks = {"seconds", "images_per_second", "linkage_seconds"}
    plain = [[{n: v for n, v in r.items() if n not in clocks} for r in model.training_] for model in (one, other)]
    assert plain[0] == plain[1]


def kill_many(folder: Path, times: int) -> None:
    """Kills trainings ``times`` times at random moments; every one that comes to its end has the right bits."""
    straight = train(None)  # before the first fork, so that no child pays for what is loaded late
    began = time.monotonic()
    train(folder / "timed")
    whole = time.monotonic() - began
    moments = random.Random(7)
    killed = finished = 0
    place = folder / "run"
    while killed < times or not finished:
        lock = place / ".lock"
        if lock.exists() and not lock.stat().st_size:
            lock.unlink()  # killed while it took the lock; left alone it gives way after 30 s
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                train(place)
                os._exit(0)
            os._exit(1)
        # longer and longer, so that a busy machine comes to an end too
        time.sleep(moments.uniform(0.02, 0.4) * whole * (1 + killed / 10))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            killed += 1
            continue
        assert os.WEXITSTATUS(status) == 0
        finished += 1
        assert_same(train(place), straight)
        shutil.rmtree(place)
    print(f"{killed} kills, {finished} finished")


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(Path(sys.argv[1]), int(sys.argv[2]))
