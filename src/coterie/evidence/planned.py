"""The runs of a campaign, how each one stands, and the processes they run in."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from coterie.evidence.campaign import Campaign
from coterie.evidence.one_run import failure_of, task_of
from coterie.evidence.protocol import Circumstances
from coterie.evidence.reproduce import Reproduction, records_of

PATIENCE = 20.0  # seconds for the checkpoint of a run that is stopped

RUN = ("-m", "coterie.evidence.one_run")  # arguments of Python

Process = subprocess.Popen  # of text


@dataclass(eq=False)
class Planned:
    """A run: what is asked, its seed, how it stands (waiting, running, done, failed), GB that it may need, the reason
    if it failed, the record if it is done.
    """

    asked: Reproduction
    seed: int
    state: str = "waiting"
    reason: str = ""
    need: float = 0.0
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The file of what the run said."""
        return self.asked.out / f"seed-{self.seed}.log"

    def told(self) -> str | None:
        """The reason that the run wrote down itself; None where it could not."""
        try:
            return str(json.loads(failure_of(self.asked, self.seed).read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def as_state(self) -> dict[str, Any]:
        """What the file of the campaign says of it."""
        about: dict[str, Any] = {"recipe": self.asked.recipe.name, "seed": self.seed, "state": self.state}
        if self.record:
            about |= {"scores": self.record["scores"], "seconds": self.record["seconds"]}
        return about | ({"reason": self.reason} if self.reason else {})


def plan(campaign: Campaign, data: Path, out: Path, device: str = "auto") -> list[Planned]:
    """Every run of the campaign and how it stands in ``out``: all first seeds, all second ones, and so on.

    Raises ConfigError when ``out`` holds seeds of other settings.
    """
    runs = []
    for recipe in campaign.recipes:
        asked = Reproduction(recipe, recipe.seeds, data, out / recipe.name, Circumstances(device))
        there = records_of(asked)
        for seed in recipe.seeds:
            run = Planned(asked, seed, "done" if seed in there else "waiting", record=there.get(seed, {}))
            if not run.record and (reason := run.told()) is not None:
                run.state, run.reason = "failed", reason
            runs.append(run)
    return sorted(runs, key=lambda run: run.asked.recipe.seeds.index(run.seed))


def launch(run: Planned, environment: dict[str, str]) -> "Process[str]":
    """Starts ``run`` in a process that ends when this one does; what it says goes to its log."""
    with run.log.open("a", encoding="utf-8") as log:
        return start([sys.executable, *RUN], run, environment, log)


def start(command: Sequence[str], run: Planned, environment: dict[str, str], log: IO[str]) -> "Process[str]":
    """Starts ``command`` with the task of ``run`` on its input, which stays open."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, text=True,
        start_new_session=True,  # Ctrl-C is for the campaign, which stops its runs itself
    )  # fmt: skip
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, and its exit code says how
        process.stdin.write(json.dumps(task_of(run.asked, run.seed)) + "\n")
        process.stdin.flush()
    return process


def stop(process: "Process[str]") -> None:
    """Ends the process, with some time for its checkpoint."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    close(process)


def close(process: "Process[str]") -> None:
    """Closes the input of a process that has ended."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()


def how_ended(code: int) -> str:
    """A sentence for the exit code of a process that left neither a record nor a reason."""
    if code == -9:
        return "its process was killed (signal 9), as systems do when memory is out; its log says how far it came"
    if code < 0:
        return f"its process was ended by signal {-code}; its log says how far it came"
    return f"its process ended with exit code {code} and without a record; its log says more"


def environment_of(workers: int) -> dict[str, str]:
    """That of this process, with the cores shared out among ``workers``, unless OMP_NUM_THREADS is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores // workers))} | dict(os.environ)
