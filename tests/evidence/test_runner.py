"""Campaigns at work with runs that only pretend: how many at once, what fails, what is stopped, what goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coterie.errors import ConfigError, OutputError
from coterie.evidence import one_run
from coterie.evidence.campaign import parse_campaign
from coterie.evidence.one_run import asked_in, task_of
from coterie.evidence.planned import Planned, plan, start
from coterie.evidence.runner import Limits, Runner
from coterie.files.lock import RunLock
from coterie.files.processes import available_gb, resident_gb

CAMPAIGN = """
[campaign]
name = "toys"
description = "Toys."
[[grid]]
methods = ["kmeans"]
sets = ["one", "two"]
seeds = [0, 1]
"""
# What a run pretends is told by the file behaviour.json beside the folders: "kmeans-one 1" -> what it does.
PRETEND = """
import json, os, signal, sys, time
task = json.loads(sys.stdin.readline())
name, seed, out = task["recipe"]["name"], task["seed"], task["out"]
with open(os.path.join(out, "..", "behaviour.json")) as file:
    does = json.load(file).get(f"{name} {seed}", {})
held = b"x" * (does.get("megabytes", 0) * 2**20)
with open(os.path.join(out, "..", "times.txt"), "a") as file:
    file.write(f"{name} {seed} {time.monotonic()} ")
time.sleep(does.get("seconds", 0))
with open(os.path.join(out, "..", "times.txt"), "a") as file:
    file.write(f"{time.monotonic()}\\n")
if "fails" in does:
    with open(os.path.join(out, f"seed-{seed}.failed.json"), "w") as file:
        json.dump({"reason": does["fails"]}, file)
    sys.exit(1)
if "dies" in does:
    os.kill(os.getpid(), does["dies"])
if "leaves" in does:
    sys.exit(does["leaves"])
with open(os.path.join(out, "..", f"template-{name}.json")) as file:
    record = json.load(file)
with open(os.path.join(out, f"seed-{seed}.partial"), "w") as file:
    json.dump(record | {"seed": seed, "scores": dict.fromkeys(("acc", "nmi", "ari"), seed / 10)}, file)
os.rename(os.path.join(out, f"seed-{seed}.partial"), os.path.join(out, f"seed-{seed}.json"))
"""


def pretend(run: Planned, environment: dict[str, str]) -> "subprocess.Popen[str]":
    with run.log.open("a") as log:
        return start([sys.executable, "-S", "-c", PRETEND], run, environment, log)


def record(run: Planned) -> dict[str, Any]:
    recipe, scores = run.asked.recipe, dict.fromkeys(("acc", "nmi", "ari"), 0.5)
    return {
        "format": "coterie seed", "format_version": 1, "data": {}, "device": "cpu",
        "recipe": {"name": recipe.name, "digest": recipe.digest} | recipe.what_runs(),
        "chosen": "labels", "answers": {"labels": scores}, "seconds": 1.0, "continued": False,
        "peak_memory_gb": 0.5, "peak_gpu_memory_gb": None, "machine": {}, "versions": {}, "commit": None,
        "created": "2026-01-01T00:00:00", "warnings": [], "last_epoch": None,
    }  # fmt: skip


Make = Callable[..., Runner]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def runner(workers: int = 1, memory_gb: float = 8.0, text: str = CAMPAIGN, **does: dict[str, Any]) -> Runner:
        campaign = parse_campaign(text, "toys", Path())
        runs = plan(campaign, tmp_path / "data", tmp_path / "out")
        (tmp_path / "out").mkdir(exist_ok=True)
        named = {f"kmeans-{key[:-2]} {key[-1]}": value for key, value in does.items()}
        (tmp_path / "out/behaviour.json").write_text(json.dumps(named))
        for run in runs:
            (tmp_path / f"out/template-{run.asked.recipe.name}.json").write_text(json.dumps(record(run)))
        return Runner(campaign, runs, tmp_path / "out", Limits(workers, memory_gb), pretend)

    return runner


def told(runner: Runner) -> list[tuple[str, str]]:
    return [(event.what, f"{event.run.asked.recipe.data_set} {event.run.seed}") for event in runner.events()]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def most_at_once(path: Path) -> int:
    """Of two runs, by what they wrote: "NAME SEED BEGUN ENDED" after each other, or mixed where they overlapped."""
    words = path.read_text().split()
    return 1 if [word.count(".") for word in words] == [0, 0, 1, 1] * 2 else 2


def test_every_run_is_done_once_first_seeds_first_and_the_files_say_so(make: Make, tmp_path: Path) -> None:
    runner = make()
    assert told(runner) == [("done", "one 0"), ("done", "two 0"), ("done", "one 1"), ("done", "two 1")]
    state = read(tmp_path / "out/campaign.json")
    assert (state["format"], state["name"]) == ("coterie campaign", "toys")
    assert {run["state"] for run in state["runs"]} == {"done"}
    assert read(tmp_path / "out/kmeans-two/summary.json")["seeds"] == [0, 1]
    assert not list((tmp_path / "out").rglob(".lock"))


def test_the_next_command_runs_only_what_is_missing(make: Make, tmp_path: Path) -> None:
    told(make())
    (tmp_path / "out/kmeans-two/seed-1.json").unlink()
    (tmp_path / "out/times.txt").unlink()
    assert [what for what, _ in told(make())] == ["kept", "kept", "kept", "done"]
    assert (tmp_path / "out/times.txt").read_text().startswith("kmeans-two 1 ")


def test_runs_that_fail_keep_their_reason_and_the_others_go_on(make: Make, tmp_path: Path) -> None:
    does: dict[str, Any] = {"one_0": {"fails": "no such set"}, "two_0": {"dies": 9}, "one_1": {"leaves": 3}}
    runner = make(**does)
    assert told(runner) == [("failed", "one 0"), ("failed", "two 0"), ("failed", "one 1"), ("done", "two 1")]
    reasons = [run.reason for run in runner.runs]
    assert reasons[0] == "no such set"
    assert reasons[1].startswith("its process was killed (signal 9), as systems do when memory is out")
    assert reasons[2] == "its process ended with exit code 3 and without a record; its log says more"
    kept = read(tmp_path / "out/kmeans-two/seed-0.failed.json")
    assert (kept["format"], kept["seed"], kept["reason"]) == ("coterie failed seed", 0, reasons[1])
    assert read(tmp_path / "out/campaign.json")["runs"][0]["reason"] == "no such set"


def test_what_failed_is_tried_again_after_what_was_not_tried_yet(make: Make, tmp_path: Path) -> None:
    told(make(one_0={"fails": "once"}))
    (tmp_path / "out/kmeans-two/seed-1.json").unlink()
    again = make()
    assert (again.runs[0].state, again.runs[0].reason) == ("failed", "once")
    assert told(again)[2:] == [("done", "two 1"), ("done", "one 0")]
    assert not (tmp_path / "out/kmeans-one/seed-0.failed.json").exists()


def test_so_many_run_at_once_as_workers_and_budget_allow(make: Make, tmp_path: Path) -> None:
    slow = {key: {"seconds": 0.6} for key in ("one_0", "two_0")}
    only_first = CAMPAIGN.replace("[0, 1]", "[0]")
    for i, (workers, text, expected) in enumerate((
        (2, only_first, 2), (1, only_first, 1), (2, f'{only_first}\n[campaign.memory]\n"*" = 5\n', 1),
    )):  # fmt: skip
        for path in (tmp_path / "out").rglob("seed-*.json"):
            path.unlink()
        told(make(workers, 8.0, text, **slow))
        assert most_at_once(tmp_path / "out/times.txt") == expected, i
        (tmp_path / "out/times.txt").unlink()


def test_a_run_that_needs_more_than_the_budget_is_not_started(make: Make, tmp_path: Path) -> None:
    text = CAMPAIGN.replace("[0, 1]", "[0]") + '[campaign.memory]\n"kmeans-one" = 9\n'
    runner = make(2, 8.0, text)
    assert told(runner) == [("done", "two 0"), ("failed", "one 0")]
    assert runner.runs[0].reason == "it needs 9.0 GB of memory, and the budget is 8.0 GB"
    assert "one" not in (tmp_path / "out/times.txt").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what a process holds")
def test_a_run_that_grows_beyond_the_budget_is_put_back_or_fails_when_alone(make: Make) -> None:
    large = {"megabytes": 150, "seconds": 1.0}
    runner = make(2, 0.25, CAMPAIGN.replace("[0, 1]", "[0]"), one_0=large, two_0=large)
    assert told(runner) == [("put back", "two 0"), ("done", "one 0"), ("done", "two 0")]
    runner = make(1, 0.1, CAMPAIGN.replace("[0, 1]", "[7]"), one_7=large)
    assert told(runner)[0] == ("failed", "one 7")
    assert "of memory, and the budget is 0.1 GB" in runner.runs[0].reason


def test_what_earlier_seeds_held_is_what_the_next_one_is_given(make: Make) -> None:
    told(make(1, 8.0, CAMPAIGN.replace("[0, 1]", "[0]")))
    runner = make(1, 8.0)
    told(runner)
    assert [run.need for run in runner.runs][2:] == [pytest.approx(0.55)] * 2


def test_an_interrupt_stops_the_runs_at_work_and_the_next_command_goes_on(make: Make, tmp_path: Path) -> None:
    # where tests run in the background of a script, Ctrl-C is ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    runner = make(2, one_0={"seconds": 60}, two_0={"seconds": 60})
    process = os.getpid()

    def interrupt() -> None:
        while len(runner.at_work) < 2:
            time.sleep(0.05)
        os.kill(process, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            told(runner)
    finally:
        signal.signal(signal.SIGINT, before)
    assert runner.at_work == []
    assert {run["state"] for run in read(tmp_path / "out/campaign.json")["runs"]} == {"waiting"}
    assert {what for what, _ in told(make())} == {"done"}


def test_a_folder_in_use_and_seeds_of_other_settings_are_refused(make: Make, tmp_path: Path) -> None:
    with RunLock(tmp_path / "out/kmeans-one"), pytest.raises(OutputError, match="in use by another run"):
        told(make())
    assert not (tmp_path / "out/.lock").exists()
    told(make())
    with pytest.raises(ConfigError, match="n_init was 'not set' and is now 3"):
        make(text=CAMPAIGN + "[grid.parameters.kmeans]\nn_init = 3\n")


def test_a_task_is_what_it_was_made_of(make: Make) -> None:
    asked = make(text=CAMPAIGN + "size = 8\n").runs[0].asked
    again = asked_in(json.loads(json.dumps(task_of(asked, 5))))
    assert again.recipe == asked.recipe
    assert again.recipe.digest == asked.recipe.digest
    assert (again.seeds, again.out, again.circumstances) == ((5,), asked.out.resolve(), asked.circumstances)


def test_the_process_of_a_run_keeps_why_it_failed_and_the_record_when_it_does_not(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(one_run, "_end_with_the_campaign", lambda: None)
    text = CAMPAIGN.replace('"one", "two"', '"one", "digits"').replace("seeds", "size = 4\nseeds")
    absent, digits, *_ = make(text=f"{text}[grid.parameters.kmeans]\nn_init = 1\n").runs
    for run in (absent, digits):
        run.asked.out.mkdir()
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(task_of(absent.asked, 3)) + "\n"))
    assert one_run.main() == 1
    assert "SourceError" in capsys.readouterr().err
    failed = read(tmp_path / "out/kmeans-one/seed-3.failed.json")
    assert (failed["error"], failed["seed"], failed["recipe"]["name"]) == ("SourceError", 3, "kmeans-one")
    assert failed["reason"].startswith("the set one is not known")
    one_run.write_failure(digits.asked, 0, "Error", "before")
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(task_of(digits.asked, 0)) + "\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert one_run.main() == 0
    assert read(tmp_path / "out/kmeans-digits/seed-0.json")["data"]["shape"] == [1797, 1, 4, 4]
    assert sorted(path.name for path in digits.asked.out.iterdir()) == ["seed-0.json", "seed-0.npz"]


@pytest.mark.parametrize(("workers", "memory"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_limits_that_allow_nothing_are_refused(workers: int, memory: float) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Limits(workers, memory)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say")
def test_the_memory_of_this_process_and_of_the_machine_is_known() -> None:
    assert 0.01 < resident_gb(os.getpid()) < 100
    assert (available_gb() or 0) > 0.01
    assert resident_gb(2**30) == 0
