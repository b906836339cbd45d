"""Our own figures as cells: of the summaries that ``coterie reproduce --summary`` writes.

What stands in docs/results/recipes comes with the package as ``measured.json``, shortened: a record for each summary.
``python benchmarks/render_published.py`` writes it anew.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError
from coterie.evidence.cells import Cell, Protocol, Score, Source
from coterie.evidence.recipe import SCORES
from coterie.evidence.summary import read_summary
from coterie.metrics import check_triple

Short = dict[str, Any]
CITE = "measured here; docs/results/recipes"
EXACT = 1e-6  # rounding of the scores in a summary


def measured_cells(folder: Path | None = None) -> list[Cell]:
    """A cell for each of our summaries: median, lowest and highest over its runs of the answer chosen without classes.

    ``folder`` holds summaries (``*.json``); None takes those that came with the package. Raises ConfigError when the
    folder has no summary, or a file in it is none.
    """
    return [_cell(short) for short in (shipped() if folder is None else read_summaries(folder))]


def shipped() -> list[Short]:
    """The records that came with the package."""
    found: list[Short] = json.loads((files("coterie.evidence") / "measured.json").read_text(encoding="utf-8"))
    return found


def read_summaries(folder: Path) -> list[Short]:
    """The shortened records of every summary in ``folder``, by the name of its file."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ConfigError(
            f"{folder} holds no summary; write one by `coterie reproduce RECIPE --summary {folder}/x.json`"
        )
    return [shortened(read_summary(path)) for path in paths]


def shortened(summary: Mapping[str, Any]) -> Short:
    """What a reader of published figures needs of a summary."""
    recipe, data = summary["recipe"], summary["data"]
    _, c, h, w = data["shape"]
    return {
        "recipe": recipe["name"],
        "set": data["set"],
        "n_classes": data["n_classes"],
        "method": recipe["method"]["name"],
        "description": recipe["description"],
        "size": f"{h} x {w}" if c == 1 else f"{h} x {w} x {c}",
        "input": _input(summary),
        "date": summary["dates"][-1],
        "commit": (summary["commits"][-1] or "no commit")[:7],
        "scores": {name: [summary["selected"][name][end] for end in ("median", "min", "max")] for name in SCORES},
        "runs": [[run["scores"][name] for name in SCORES] for run in summary["runs"]],
    }


def contradictions(short: Short, n: int, classes: str) -> list[str]:
    """A sentence for each run of the record whose scores cannot be those of one grouping; it should have none.

    ``n`` images in classes that are ``classes`` ("equal" ...) in size: the bounds for ARI and NMI need equal ones.
    """
    each = n // short["n_classes"] if classes == "equal" else None
    found = []
    for acc, nmi, ari in short["runs"]:
        others = (nmi, ari) if classes == "equal" else (None, None)
        found += check_triple(acc, others[0], others[1], short["n_classes"], each, rounding=EXACT).reasons
    return found


def _cell(short: Short) -> Cell:
    n_runs = len(short["runs"])
    protocol = Protocol(
        split="all", size=short["size"], statistic="median" if n_runs > 1 else "one run", runs=n_runs,
        unlabelled="none", nmi="geometric", input=short["input"],
    )  # fmt: skip
    scores = {name: _score(three, n_runs) for name, three in short["scores"].items()}
    where = f"{short['date']}, commit {short['commit']}"
    source = Source("coterie", CITE, short["recipe"], where, short["description"])
    command = f"coterie reproduce {short['recipe']}"
    return Cell(short["set"], short["method"], scores, protocol, source, command=command)


def _score(three: list[float], n_runs: int) -> Score:
    median, low, high = three
    return Score(median, low, high) if n_runs > 1 else Score(median)


def _input(summary: Mapping[str, Any]) -> str:
    trains = summary["runs"][0]["last_epoch"] is not None
    features = summary["recipe"]["method"]["parameters"].get("features", "pixels" if trains else "auto")
    return "features chosen by their look" if features == "auto" else str(features)
