"""Runs a campaign: every seed of every recipe, several at once within a budget of memory, and on after any stop.

The folder holds one folder for each recipe, as ``coterie reproduce`` writes it, with a ``seed-0.log`` of what each run
said and a ``seed-0.failed.json`` where it failed; and ``campaign.json``, the state of all runs. A run whose record is
there is never run again. One that failed is tried again by the next command, after those that were not tried yet.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from coterie.errors import ConfigError
from coterie.evidence.campaign import Campaign
from coterie.evidence.one_run import failure_of, write_failure
from coterie.evidence.planned import Planned, Process, close, environment_of, how_ended, launch, stop
from coterie.evidence.reproduce import SUMMARY, records_in, records_of
from coterie.evidence.summary import summarise
from coterie.files.atomic import probe_writable, remove_leftovers, write_json
from coterie.files.lock import RunLock
from coterie.files.processes import resident_gb

FORMAT, FORMAT_VERSION = "coterie campaign", 1
STATE = "campaign.json"
POLL = 0.1  # seconds
SPARE = 1.1  # of the largest peak of earlier seeds
LARGER = 1.25  # a run that was put back is given so much more than it held

Launch = Callable[[Planned, dict[str, str]], "Process[str]"]


@dataclass(frozen=True)
class Limits:
    """How many runs at once, and GB that all of them together may hold."""

    workers: int
    memory_gb: float

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; expected at least 1 run at once")
        if not self.memory_gb > 0:
            raise ConfigError(f"memory is {self.memory_gb} GB; expected more than 0")


class Event(NamedTuple):
    """A run that was done before ("kept"), is "done" now, "failed", or was "put back" for want of memory; and how many
    of all runs are done or failed.
    """

    what: str
    run: Planned
    n_settled: int
    n_all: int


class Runner:
    """A campaign at work in ``out``, with the runs that ``planned.plan`` gave; ``events`` runs it."""

    def __init__(
        self, campaign: Campaign, runs: Sequence[Planned], out: Path, limits: Limits, start: Launch = launch
    ) -> None:
        self.campaign = campaign
        self.runs = list(runs)
        self.out = out
        self.limits = limits
        self.start = start
        self.at_work: list[tuple[Planned, Process[str]]] = []

    def events(self) -> Iterator[Event]:
        """Runs what is not done, and tells of each run as it is settled; the files are current by then.

        However this ends, no process of it goes on. Raises OutputError when ``out`` cannot be written, or another
        process is at work in it.
        """
        probe_writable(self.out)
        with ExitStack() as held:
            for folder in {self.out: None} | {run.asked.out: None for run in self.runs}:
                held.enter_context(RunLock(folder))
                remove_leftovers(folder)
            held.callback(self._stop_all)
            for run in [run for run in self.runs if run.state == "done"]:
                yield self._event("kept", run)
            yield from self._work()

    def state(self) -> dict[str, Any]:
        """What ``campaign.json`` holds: name, recipes left out and why, and every run as it stands."""
        about = {"format": FORMAT, "format_version": FORMAT_VERSION, "name": self.campaign.name}
        return about | {"left_out": self.campaign.left_out, "runs": [run.as_state() for run in self.runs]}

    def _work(self) -> Iterator[Event]:
        # those that failed before come last: what is new may be all there is time for
        waiting = [run for state in ("waiting", "failed") for run in self.runs if run.state == state]
        for run in waiting:
            run.state, run.reason = "waiting", ""
        while waiting or self.at_work:
            self._start_what_fits(waiting)
            if not self.at_work:
                run = waiting.pop(0)
                yield self._failed(run, self._too_large(run))
                continue
            time.sleep(POLL)
            yield from self._settle_ended()
            yield from self._keep_within_budget(waiting)

    def _start_what_fits(self, waiting: list[Planned]) -> None:
        """Starts those that fit beside the ones at work, in their order; a larger one waits until others have gone."""
        for run in list(waiting):
            run.need = max(run.need, self._need(run))
            taken = sum(each.need for each, _ in self.at_work)
            if len(self.at_work) < self.limits.workers and taken + run.need <= self.limits.memory_gb + 1e-9:
                waiting.remove(run)
                failure_of(run.asked, run.seed).unlink(missing_ok=True)
                self.at_work.append((run, self.start(run, environment_of(self.limits.workers))))
                run.state = "running"

    def _need(self, run: Planned) -> float:
        """GB: what earlier seeds of the recipe held, else what the campaign says, else an even share of the budget."""
        peaks = [each.record.get("peak_memory_gb") for each in self.runs if each.asked.out == run.asked.out]
        if known := [peak for peak in peaks if peak]:
            return SPARE * float(max(known))
        told = self.campaign.memory_of(run.asked.recipe)
        return self.limits.memory_gb / self.limits.workers if told is None else told

    def _settle_ended(self) -> Iterator[Event]:
        for run, process in list(self.at_work):
            if process.poll() is None:
                continue
            self.at_work.remove((run, process))
            close(process)
            run.record = records_in(run.asked.out).get(run.seed, {})
            yield self._done(run) if run.record else self._failed(run, how_ended(process.returncode))

    def _keep_within_budget(self, waiting: list[Planned]) -> Iterator[Event]:
        """Stops the youngest run when all together hold more than the budget: it waits until it has more room."""
        held = [resident_gb(process.pid) for _, process in self.at_work]
        if sum(held) <= self.limits.memory_gb:
            return
        run, process = self.at_work.pop()
        stop(process)
        run.need = LARGER * held[-1]
        if not self.at_work:
            run.need = held[-1]
            yield self._failed(run, self._too_large(run))
            return
        run.need, run.state = min(run.need, self.limits.memory_gb), "waiting"
        waiting.append(run)
        yield self._event("put back", run)

    def _too_large(self, run: Planned) -> str:
        return f"it needs {run.need:.1f} GB of memory, and the budget is {self.limits.memory_gb:.1f} GB"

    def _done(self, run: Planned) -> Event:
        there = records_of(run.asked)
        write_json(run.asked.out / SUMMARY, summarise(run.asked.recipe, [there[seed] for seed in sorted(there)]))
        run.state = "done"
        return self._event("done", run)

    def _failed(self, run: Planned, reason: str) -> Event:
        """Keeps the reason of the run itself, or else the one given."""
        told = run.told()
        if told is None:
            write_failure(run.asked, run.seed, "Ended", reason)
        run.state, run.reason = "failed", told or reason
        return self._event("failed", run)

    def _event(self, what: str, run: Planned) -> Event:
        write_json(self.out / STATE, self.state())
        settled = sum(each.state in ("done", "failed") for each in self.runs)
        return Event(what, run, settled, len(self.runs))

    def _stop_all(self) -> None:
        if not self.at_work:
            return
        for _, process in self.at_work:
            process.terminate()  # all at once, so that their checkpoints are written side by side
        for run, process in self.at_work:
            stop(process)
            run.state = "waiting"
        self.at_work = []
        write_json(self.out / STATE, self.state())
