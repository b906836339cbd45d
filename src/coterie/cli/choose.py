"""`coterie choose RUN...`: which of several runs to trust, and why, without classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.terminal import noted_warnings, say

if TYPE_CHECKING:
    from coterie.evidence.choose import Choice
    from coterie.files.run_folder import RunFolder


def choose(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Runs of the same images, or one folder of `coterie reproduce`."),
    ],
    by: Annotated[
        str | None, typer.Option(help="The criterion: seeds, gap, inside, answers, silhouette, entropy, ...")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Show every answer of a run, not only its own choice.")
    ] = False,
) -> None:
    """Name the run to trust among several with different seeds; no classes are looked at."""
    from coterie.evidence.choose import choose as choose_run
    from coterie.evidence.choose import gather

    with noted_warnings():
        choice = choose_run(gather(runs, _agreement if by == "agreement" else None), by)
    for line in _table(choice, every):
        say(line)
    say(f"{choice.run}: {choice.because}")


def _agreement(run: "RunFolder") -> float | None:
    """How often the model of ``run`` says the same of a changed image; None where only rows were given to it."""
    from coterie.evidence.agreement import agreement_under_change
    from coterie.images.embeddings import Embeddings
    from coterie.images.of_a_run import open_images_of
    from coterie.loading import load

    model = load(run.path)
    if isinstance(model.extractor_, Embeddings):
        return None
    return agreement_under_change(model, open_images_of(run).images)


def _table(choice: "Choice", every: bool) -> Sequence[str]:
    from coterie.cli.terminal import printable
    from coterie.evidence.criteria import CRITERIA

    rows = [row for row in choice.rows if every or row["chosen"]]
    known = [name for name in CRITERIA if any(row[name] is not None for row in rows)]
    lines = [["", "run", "answer", *known]]
    lines += [
        [_mark(row, choice), printable(row["run"]), row["answer"], *(_number(row[name]) for name in known)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_cell(line, i, width) for i, width in enumerate(widths)).rstrip() for line in lines]


def _mark(row: dict[str, Any], choice: "Choice") -> str:
    return "*" if (row["run"], row["answer"]) == (choice.run, choice.answer) else ""


def _cell(line: Sequence[str], i: int, width: int) -> str:
    return line[i].ljust(width) if i < 3 else line[i].rjust(width)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
