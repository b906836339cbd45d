"""What several runs of a recipe amount to."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError
from coterie.evidence.recipe import SCORES, Recipe

FORMAT, FORMAT_VERSION = "coterie reproduction", 1
# How an answer begins that is of one of several trainings: of the chosen one, of another, and what that one's linkage
# is. They stand in methods/run_names.py too, which would bring all methods and PyTorch along.
CHOSEN_RUN, OTHER_RUN, OTHER_LINKAGE = "head", "run-", "linkage-of-run-"
DIGITS = 6  # after the point, in the summary; a seed's record has all of them

Record = Mapping[str, Any]


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """min, median, max, mean and sd of at least one number.

    The median of an even number of values is the mean of the middle two; sd is that of a sample (n - 1 below the
    line), and None for a single value, which says nothing about it.
    """
    return {
        "min": round(min(values), DIGITS),
        "median": round(statistics.median(values), DIGITS),
        "max": round(max(values), DIGITS),
        "mean": round(statistics.fmean(values), DIGITS),
        "sd": round(statistics.stdev(values), DIGITS) if len(values) > 1 else None,
    }


def runs_in(answers: Mapping[str, Mapping[str, float]]) -> list[Mapping[str, float]]:
    """The scores of each training of a method that trains several times: of its ``answers``, "head" is that of the
    chosen one and "run-2" that of another. Empty for a method that trains once.
    """
    others = [name for name in answers if name.startswith(OTHER_RUN)]
    return [answers[name] for name in (CHOSEN_RUN, *others)] if others else []


def is_of_another(answer: str) -> bool:
    """Whether an answer is that of a training that was not chosen, by its name."""
    return answer.startswith((OTHER_RUN, OTHER_LINKAGE))


def summarise(recipe: Recipe, records: Sequence[Record]) -> dict[str, Any]:
    """The summary of at least one record, in the order given: ``selected`` is the answer that each run chose itself,
    without classes; ``answers`` is each answer by its name, in the runs that gave it. Where the method trains several
    times in a run, ``each_training`` is all of those, of all runs.

    It holds no path and no text of a warning, so that it can be published as it is.
    """
    names = dict.fromkeys(name for record in records for name in record["answers"])
    by_name = {name: [record["answers"][name] for record in records if name in record["answers"]] for name in names}
    trainings = [scores for record in records for scores in runs_in(record["answers"])]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "recipe": {
            "name": recipe.name, "digest": recipe.digest, "description": recipe.description,
            "protocol": recipe.protocol, **recipe.what_runs(),
        },
        "published": recipe.published or None,
        "data": records[0]["data"],
        "seeds": [record["seed"] for record in records],
        "chosen": dict(Counter(record["chosen"] for record in records)),
        "selected": _spreads([record["scores"] for record in records]),
        "answers": {name: _spreads(scores) for name, scores in by_name.items()},
        **({"each_training": _spreads(trainings)} if trainings else {}),
        "seconds": spread([record["seconds"] for record in records]),
        "peak_memory_gb": _largest(records, "peak_memory_gb"),
        "peak_gpu_memory_gb": _largest(records, "peak_gpu_memory_gb"),
        "machines": _distinct(record["machine"] for record in records),
        "versions": _distinct(record["versions"] for record in records),
        "commits": _distinct(record["commit"] for record in records),
        "dates": [min(dates := [record["created"][:10] for record in records]), max(dates)],
        "warnings": dict(Counter(kind for record in records for kind in {w["kind"] for w in record["warnings"]})),
        "runs": [_run(record) for record in records],
    }  # fmt: skip


def table(summary: Mapping[str, Any]) -> list[list[str]]:
    """The summary for people: a header, then a line for each score of each answer.

    ``*`` marks the answer that was chosen without labels. Where runs chose different ones, ``selected *`` has lines of
    its own. The trainings of a run stand together: which of them is the second says nothing.
    """
    lines = [["answer", "score", "n", "min", "median", "max", "mean", "sd"]]
    chosen = list(summary["chosen"])
    if len(chosen) > 1:
        lines += _lines("selected *", summary["selected"])
    for name, spreads in summary["answers"].items():
        if not is_of_another(name):
            lines += _lines(f"{name} *" if chosen == [name] else name, spreads)
    return lines + (_lines("each training", summary["each_training"]) if "each_training" in summary else [])


def _spreads(scores: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {"n": len(scores)} | {name: spread([each[name] for each in scores]) for name in SCORES}


def _run(record: Record) -> dict[str, Any]:
    kept = ("seed", "chosen", "scores", "seconds", "continued", "device", "last_epoch")
    return {name: record[name] for name in kept}


def _largest(records: Sequence[Record], key: str) -> float | None:
    return max((record[key] for record in records if record[key] is not None), default=None)


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _lines(title: str, spreads: Mapping[str, Any]) -> list[list[str]]:
    return [
        [title if i == 0 else "", name.upper(), str(spreads["n"])]
        + ["-" if value is None else f"{value:.3f}" for value in spreads[name].values()]
        for i, name in enumerate(SCORES)
    ]


def read_summary(path: Path) -> dict[str, Any]:
    """The summary in the file ``path``; ConfigError where there is none, or that of another release."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): expected a summary of `coterie reproduce`") from error
    if not isinstance(summary, dict) or summary.get("format") != FORMAT:
        raise ConfigError(f"{path} is no summary of `coterie reproduce`: give a folder that holds nothing else")
    if summary.get("format_version") != FORMAT_VERSION:
        raise ConfigError(f"{path} was written by another release of coterie: run the recipe again")
    return summary
