"""Our own figures as cells: of the summaries that ``coterie reproduce --summary`` writes, and of the studies.

What stands in docs/results/recipes, and in the files of ``evidence.studies`` beside it, comes with the package as
``measured.json``, shortened: a record for each summary and each setting of a study. ``python
benchmarks/render_published.py`` writes it anew.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError
from coterie.evidence.cells import Cell, Protocol, Score, Source
from coterie.evidence.recipe import SCORES
from coterie.evidence.studies import USUAL, random_method
from coterie.evidence.summary import read_summary
from coterie.metrics import check_triple

Short = dict[str, Any]
CITE = "measured here; docs/results"
PAPERS = ("head", "sf", "rc")  # answers that are those of the papers: a method's own head, and JULE's two
ENDS = ("median", "min", "max")
ROUNDING = 5e-5  # of the scores in the rows of a study; those in a summary have more digits


def measured_cells(folder: Path | None = None) -> list[Cell]:
    """A cell for each of our records: median, lowest and highest over its runs of the answer chosen without classes, or
    of the answer that a paper has.

    ``folder`` holds summaries (``*.json``); None takes what came with the package. Raises ConfigError when the
    folder has no summary, or a file in it is none.
    """
    return [cell_of(short) for short in (shipped() if folder is None else read_summaries(folder))]


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
    return [short for path in paths for short in both_answers(read_summary(path))]


def both_answers(summary: Mapping[str, Any]) -> list[Short]:
    """The record of what was chosen without classes, and one for each answer of the method's paper that was not."""
    chosen = shortened(summary)
    papers = [name for name in summary["answers"] if name in PAPERS and set(summary["chosen"]) != {name}]
    return [chosen, *(_of_answer(chosen, summary, name) for name in papers)]


def _of_answer(chosen: Short, summary: Mapping[str, Any], name: str) -> Short:
    own = summary["answers"][name]
    scores = {score: [own[score][end] for end in ENDS] for score in SCORES}
    return chosen | {
        "method": f"{chosen['method']}, {name}", "answer": name, "scores": scores, "n_runs": own["n"], "runs": [],
    }  # fmt: skip


def shortened(summary: Mapping[str, Any]) -> Short:
    """What a reader of published figures needs of a summary."""
    recipe, data = summary["recipe"], summary["data"]
    _, c, h, w = data["shape"]
    label, given = _label(recipe["method"]), _input(summary)
    return {
        "table": recipe["name"],
        "command": f"coterie reproduce {recipe['name']}",
        "set": data["set"],
        "n_classes": data["n_classes"],
        "method": label,
        "description": recipe["description"],
        "size": f"{h} x {w}" if c == 1 else f"{h} x {w} x {c}",
        "input": given,
        "random": random_method(label, given),
        **USUAL,
        "date": summary["dates"][-1],
        "commit": (summary["commits"][-1] or "no commit")[:7],
        "answer": " or ".join(summary["chosen"]) if len(summary["answers"]) > 1 else "",
        "scores": {name: [summary["selected"][name][end] for end in ENDS] for name in SCORES},
        "n_runs": len(summary["runs"]),
        "runs": [[run["scores"][name] for name in SCORES] for run in summary["runs"]],
    }


def contradictions(short: Short, n: int, classes: str) -> list[str]:
    """A sentence for each run of the record whose scores cannot be those of one grouping; it should have none.

    ``n`` images in classes that are ``classes`` ("equal" ...) in size: the bounds for ARI and NMI need equal ones.
    """
    found: list[str] = []
    if not short["runs"]:  # no triples
        return found
    each = n // short["n_classes"] if classes == "equal" else None
    for acc, nmi, ari in short["runs"]:
        others = (nmi, ari) if classes == "equal" else (None, None)
        found += check_triple(acc, others[0], others[1], short["n_classes"], each, rounding=ROUNDING).reasons
    return found


def cell_of(short: Short) -> Cell:
    """The record as a cell."""
    n_runs = short["n_runs"]
    protocol = Protocol(
        split=short["split"], size=short["size"], statistic="median" if n_runs > 1 else "one run", runs=n_runs,
        unlabelled=short["unlabelled"], nmi=short["nmi"], input=short["input"],
    )  # fmt: skip
    scores = {name: _score(three, n_runs) for name, three in short["scores"].items()}
    where = f"{short['date']}, commit {short['commit']}"
    source = Source("coterie", CITE, short["table"], where, short["description"])
    return Cell(
        short["set"], short["method"], scores, protocol, source, command=short["command"], random=short["random"],
        answer=short.get("answer", ""),
    )  # fmt: skip


def _score(three: list[float], n_runs: int) -> Score:
    median, low, high = three
    return Score(median, low, high) if n_runs > 1 else Score(median)


def _label(method: Mapping[str, Any]) -> str:
    """The name, and whether linkage is the papers' and not coterie's default."""
    is_papers = method["name"] == "gdl" and method["parameters"].get("stop") == "plain"
    return f"{method['name']}, as published" if is_papers else str(method["name"])


def _input(summary: Mapping[str, Any]) -> str:
    trains = summary["runs"][0]["last_epoch"] is not None
    features = summary["recipe"]["method"]["parameters"].get("features", "pixels" if trains else "auto")
    return "features chosen by their look" if features == "auto" else str(features)
