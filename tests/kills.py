"""Trainings that are killed from outside at random moments, for the tests of everything that must survive it."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def kill_many(
    train: Callable[[Path | None], Result], assert_same: Callable[[Result, Result], None], folder: Path, times: int
) -> None:
    """Kills ``train(folder)`` ``times`` times; every one that comes to its end is the same as ``train(None)``."""
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
