"""One run of a campaign in a process of its own: ``python -m coterie.evidence.one_run`` with the task on its input.

A process for each run, so that one that the system kills for its memory takes no other with it, and the peak memory in
the record is that of this run. The input stays open as long as the campaign lives: when it ends, so does this.
"""

import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coterie.errors import TrainingStopped
from coterie.evidence.machine import provenance
from coterie.evidence.protocol import Circumstances
from coterie.evidence.recipe import Recipe
from coterie.evidence.reproduce import Reproduction, run_seed
from coterie.files.atomic import write_json

FORMAT, FORMAT_VERSION = "coterie failed seed", 1
FAREWELL = 60.0  # seconds that a training has for its checkpoint when the campaign has died


def task_of(asked: Reproduction, seed: int) -> dict[str, Any]:
    """What the process has to know, as JSON holds it."""
    return {
        "recipe": asdict(asked.recipe), "seed": seed, "data": str(asked.data.resolve()),
        "out": str(asked.out.resolve()), "device": asked.circumstances.device,
    }  # fmt: skip


def asked_in(task: dict[str, Any]) -> Reproduction:
    """What ``task_of`` was made of."""
    fields = task["recipe"]
    size = fields["size"]
    recipe = Recipe(**{**fields, "size": tuple(size) if size else None, "seeds": tuple(fields["seeds"])})
    circumstances = Circumstances(task["device"])
    return Reproduction(recipe, (task["seed"],), Path(task["data"]), Path(task["out"]), circumstances)


def failure_of(asked: Reproduction, seed: int) -> Path:
    """The file that says why ``seed`` failed."""
    return asked.out / f"seed-{seed}.failed.json"


def write_failure(asked: Reproduction, seed: int, kind: str, reason: str) -> None:
    """Keeps why ``seed`` failed beside the records of the others."""
    recipe = {"name": asked.recipe.name, "digest": asked.recipe.digest} | asked.recipe.what_runs()
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "recipe": recipe, "seed": seed}
    write_json(failure_of(asked, seed), about | {"error": kind, "reason": reason} | provenance())


def main() -> int:
    """The exit code: 0 when the record is written, 1 when the file that says why not is."""
    from coterie.evidence.datasets import load

    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_campaign, daemon=True).start()
    asked, seed = asked_in(task), task["seed"]
    try:
        recipe = asked.recipe
        run_seed(asked, load(recipe.data_set, asked.data, recipe.size), seed)
    except TrainingStopped:
        raise  # by a signal: the next campaign goes on where it stands
    except Exception as error:
        traceback.print_exc()
        write_failure(asked, seed, type(error).__name__, str(error) or "no reason given")
        return 1
    failure_of(asked, seed).unlink(missing_ok=True)
    return 0


def _end_with_the_campaign() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(FAREWELL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
