"""`coterie evaluate RUN --classes classes.csv`: how well the groups match known classes."""

import json
from typing import Annotated

import typer

from coterie.cli.options import RunArgument, parse_classes
from coterie.cli.terminal import noted_warnings, say


def evaluate(
    run: RunArgument,
    classes: Annotated[str, typer.Option(help="Known classes: a CSV (path,class), or `folders`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score the groups of RUN against known classes: ACC, NMI, ARI, purity, BCubed, uniformity."""
    from coterie.cli.run_writer import score
    from coterie.files.run_folder import RunFolder

    folder = RunFolder.open(run)
    with noted_warnings():
        scores = score(folder.names, folder.labels, parse_classes(classes))
    if as_json:
        for line in json.dumps(scores, indent=2).splitlines():
            say(line)
        return
    width = max(len(name) for name in scores)
    for name, value in scores.items():
        say(f"{name:<{width}}  {f'{value:.4f}' if isinstance(value, float) else value}")
