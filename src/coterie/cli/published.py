"""`coterie published SET`: what others report for a set, beside what we measured."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.terminal import noted_warnings, say
from coterie.errors import ConfigError

if TYPE_CHECKING:
    from coterie.evidence.cells import Cell
    from coterie.evidence.compare import Group

HEADER = ["", "method", "ACC", "NMI", "ARI", "against ours", "beware", "source"]
COLUMNS = [
    "set", "method", "measured", "acc", "nmi", "ari", "acc_min", "acc_max", "nmi_min", "nmi_max", "ari_min", "ari_max",
    "classification", "verification", "split", "size", "statistic", "runs", "unlabelled", "nmi_mean", "input", "paper",
    "table", "where", "reference", "flags", "notes", "impossible", "against_ours",
    "command",
]  # fmt: skip


def published(
    data_set: Annotated[str | None, typer.Argument(metavar="SET", help="The name of an image set.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the sets that have figures.")] = False,
    method: Annotated[str | None, typer.Option(help="Only methods with this in their name.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV with everything that is known.")] = False,
    results: Annotated[
        Path | None, typer.Option(help="A folder of summaries of your own, instead of those that come with coterie.")
    ] = None,
) -> None:
    """Show the published figures on SET beside ours, by protocol; figures are in order only within a protocol."""
    from coterie.evidence.compare import cells_of, groups
    from coterie.evidence.measured import measured_cells

    with noted_warnings():
        ours = measured_cells(results)
        if list_ and (data_set or method or as_csv):
            raise ConfigError("--list shows all sets; leave out SET, --method and --csv")
        if list_:
            _show_sets(ours)
            return
        if data_set is None:
            raise ConfigError("SET is missing; `coterie published --list` names the sets that have figures")
        data_set = data_set.casefold()  # as the names of all sets are
        found = cells_of(data_set, ours, method)
        if as_csv:
            _show_csv(found)
        else:
            _show(data_set, groups(found))


def _show_sets(ours: Sequence["Cell"]) -> None:
    from coterie.evidence.compare import set_of
    from coterie.evidence.literature import published_cells, published_sets

    names = dict.fromkeys([*published_sets(), *(cell.data_set for cell in ours)])
    for name in names:
        theirs = sum(cell.data_set == name for cell in published_cells())
        own = sum(cell.data_set == name for cell in ours)
        if theirs or own:
            known = set_of(name)
            say(f"{name}: {known.title if known else 'a set of our own'}; {theirs} published, {own} measured")


def _show(name: str, found: Sequence["Group"]) -> None:
    from coterie.evidence.compare import counted, set_of

    known = set_of(name)
    if known:
        size = f"{known.n:,} images, " if known.n else ""
        say(f"{known.title} ({size}{known.k:,} classes, {known.classes} in size)")
        if known.counts:
            say(counted(known))
    lines = [HEADER, *(line for group in found for line in _lines(group, found))]
    for line in _aligned(lines):
        say(line)
    say("protocols, of which only figures under one letter may be ranked:")
    for group in found:
        say(f"{group.letter}  {group.title()}")
    if known and known.see:
        say(f"other images of this kind: {', '.join(known.see)}")


def _lines(group: "Group", found: Sequence["Group"]) -> list[list[str]]:
    from coterie.evidence.against import said
    from coterie.evidence.compare import TRIPLE, contradictions, remarks, written
    from coterie.evidence.literature import published_sets

    lines = []
    for cell in group.cells:
        scores = [written(cell.scores.get(name), "-", cell.digits) for name in TRIPLE]
        at = f"{cell.source.paper}, {cell.source.table}"
        source = f"{cell.command} ({cell.source.where})" if cell.command else at
        beware = "; ".join(remarks(cell, contradictions(cell, published_sets())))
        title = f"{cell.method} (ours)" if cell.command else cell.method
        lines.append([group.letter, title, *scores, said(cell, found), beware, source])
    return lines


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; the last one as long as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    return ["  ".join((*map(str.ljust, line, widths), line[-1])).rstrip() for line in lines]


def _show_csv(cells: Sequence["Cell"]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    ours = [cell for cell in cells if cell.command]
    writer.writerows(_record(cell, ours) for cell in cells)
    for line in buffer.getvalue().splitlines():
        say(line)


def _record(cell: "Cell", ours: Sequence["Cell"]) -> list[object]:
    from coterie.evidence.against import against, sentence
    from coterie.evidence.cells import Score
    from coterie.evidence.compare import TRIPLE, contradictions
    from coterie.evidence.literature import published_sets

    three = [cell.scores.get(name, Score()) for name in TRIPLE]
    ends = [end for score in three for end in (score.low, score.high)]
    further = [cell.scores.get(name, Score()).value for name in ("classification", "verification")]
    protocol, source = cell.protocol, cell.source
    impossible = " ".join(found.reason for found in contradictions(cell, published_sets()))
    verdicts = [
        sentence(one, f"{one.ours.method}, {one.ours.protocol.input}, {one.ours.source.table}")
        for one in against(cell, ours)
    ]
    return [
        cell.data_set, cell.method, "yes" if cell.command else "no", *(score.value for score in three), *ends, *further,
        protocol.split, protocol.size, protocol.statistic, protocol.runs or "", protocol.unlabelled, protocol.nmi,
        protocol.input, source.paper, source.table, source.where, source.cite, "; ".join(cell.flags),
        "; ".join(cell.notes), impossible, "; ".join(verdicts), cell.command or "",
    ]  # fmt: skip
