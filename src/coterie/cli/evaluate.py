"""`coterie evaluate RUN --classes classes.csv`: how well the groups match known classes."""

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.options import RunArgument, parse_classes
from coterie.cli.terminal import noted_warnings, say

if TYPE_CHECKING:
    from coterie.files.run_folder import RunFolder


def evaluate(
    run: RunArgument,
    classes: Annotated[str, typer.Option(help="Known classes: a CSV (path,class), or `folders`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score the groups of RUN against known classes: ACC, NMI, ARI, purity, BCubed, uniformity.

    Where a deep method came to several answers, each is scored; the chosen one stands first. Of one that trains several
    times, the lowest, median and highest scores of its runs follow.
    """
    from coterie.cli.scoring import spread_of_runs
    from coterie.files.run_folder import RunFolder

    folder = RunFolder.open(run)
    with noted_warnings():
        scores, of_answers = _scores(folder, parse_classes(classes))
    runs = spread_of_runs(of_answers)
    if as_json:
        more = {"answers": of_answers, "scores_of_runs": runs}
        for line in json.dumps(scores | {name: found for name, found in more.items() if found}, indent=2).splitlines():
            say(line)
        return
    _say_table(scores, of_answers)
    if runs:
        say("")
        _say_runs(runs)


def _scores(folder: "RunFolder", classes: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The scores of the groups, and those of each answer by its name, the chosen one first."""
    from coterie.cli.scoring import known_classes, score

    known, counts = known_classes(folder.names, classes)
    answers = folder.answers or {}
    chosen = folder.info.get("answers", {}).get("chosen")
    of_answers = {name: score(answers[name], known) for name in sorted(answers, key=lambda name: name != chosen)}
    return score(folder.labels, known) | counts, of_answers


def _say_table(scores: dict[str, Any], of_answers: dict[str, dict[str, Any]]) -> None:
    from coterie.evidence.summary import OTHER_LINKAGE

    of_answers = {name: own for name, own in of_answers.items() if not name.startswith(OTHER_LINKAGE)}  # a wide table
    lines = [["", *of_answers]] if of_answers else []
    for name, value in scores.items():
        of_each = [own[name] for own in of_answers.values() if name in own]  # a count is the same for all
        lines.append([name, *map(_written, of_each or [value])])
    _say_lines(lines)


def _say_runs(runs: dict[str, dict[str, Any]]) -> None:
    columns = ("min", "median", "max")
    lines = [[name, *(_written(spread[column]) for column in columns)] for name, spread in runs.items()]
    _say_lines([["of its runs", *columns], *lines])


def _say_lines(lines: list[list[str]]) -> None:
    """Columns as wide as their widest cell; a line may have fewer cells than others."""
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip())


def _written(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
