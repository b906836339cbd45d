"""`coterie campaign` with real runs in processes of their own: killed, gone on with, and what failed said."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.runner import Done, python_process

Command = Callable[..., Done]
CAMPAIGN = """
[campaign]
name = "mine"
description = "Mine."
[[grid]]
methods = ["kmeans"]
sets = ["photos"]
seeds = [0, 1]
[grid.parameters.kmeans]
features = "pixels"
"""


def test_a_campaign_that_was_killed_goes_on_and_keeps_what_was_done(
    coterie: Command, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "data/photos")
    Path("mine.toml").write_text(CAMPAIGN)
    done = coterie("campaign", "mine.toml", "--plan")
    assert done.code == 0, done.err
    titles = ("kmeans-photos seed 0", "kmeans-photos seed 1")
    assert done.out.splitlines()[1:] == [f"{title}: waiting" for title in titles]
    assert not Path("reproduced").exists()

    process = python_process("-m", "coterie.cli.main", "campaign", "mine.toml", cwd=tmp_path)
    first = tmp_path / "reproduced/kmeans-photos/seed-0.json"
    wait_for(first.exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = first.stat().st_mtime_ns
    if sys.platform == "linux":
        wait_for(lambda: not workers_of(tmp_path))

    done = coterie("campaign", "mine.toml", "--memory", "4")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[1].startswith("[1/2] kmeans-photos seed 0: ACC 1.000 NMI 1.000 ARI 1.000 (labels), was done")
    assert lines[2].startswith("[2/2] kmeans-photos seed 1: ACC ")
    assert lines[-1] == "all 2 runs are done; the records are in reproduced, and results.md shows them"
    assert first.stat().st_mtime_ns == kept
    summary = json.loads(Path("reproduced/kmeans-photos/summary.json").read_text())
    assert summary["seeds"] == [0, 1]
    assert summary["peak_memory_gb"] > 0.1
    page = Path("reproduced/results.md").read_text()
    assert "| `kmeans-photos` | – | 1.000" in page
    assert "](results-photos.svg)" in page
    assert Path("reproduced/results-photos.svg").read_text().startswith("<svg")


def test_a_run_that_fails_is_told_and_gives_an_exit_code(coterie: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(CAMPAIGN)
    monkeypatch.setattr("coterie.evidence.planned.RUN", ("-S", "-c", "raise SystemExit(4)"))
    done = coterie("campaign", "mine.toml", "--memory", "4")
    assert (done.code, done.err) == (1, "")
    words = "failed: its process ended with exit code 4 and without a record; its log says more"
    assert done.out.splitlines()[1:] == [
        f"[1/2] kmeans-photos seed 0 {words}",
        f"[2/2] kmeans-photos seed 1 {words}",
        "2 of 2 runs failed, the others are in reproduced; the same command tries those again",
    ]
    done = coterie("campaign", "mine.toml", "--plan")
    assert done.out.splitlines()[1].startswith("kmeans-photos seed 0: failed before: its process ended with exit code")


def wait_for(ready: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.05)


def workers_of(folder: Path) -> list[int]:
    """The processes whose work is in ``folder``."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    ours = [int(line.split()[0]) for line in found.splitlines() if "coterie.evidence.one_run" in line]
    return [pid for pid in ours if Path(os.path.realpath(f"/proc/{pid}/cwd")) == folder]


def test_the_campaigns_that_come_with_coterie_are_listed(coterie: Command) -> None:
    done = coterie("campaign", "--list")
    assert (done.code, done.out) == (0, "overnight: Every recipe that a CPU can run, seed after seed.\n")


def test_what_cannot_be_is_one_line_and_writes_nothing(coterie: Command) -> None:
    Path("mine.toml").write_text(CAMPAIGN)
    for arguments, words in (
        ((), "FILE is missing; `coterie campaign --list` shows the campaigns that come with coterie"),
        (("tonight",), "tonight is neither a campaign that comes with coterie (overnight) nor a TOML file"),
        (("mine.toml", "--workers", "0"), "workers is 0; expected at least 1 run at once"),
        (("mine.toml", "--memory", "-1"), "memory is -1.0 GB; expected more than 0"),
    ):
        done = coterie("campaign", *arguments)
        assert (done.code, words in done.error) == (2, True), done.err
    assert [path.name for path in Path().iterdir()] == ["mine.toml"]
