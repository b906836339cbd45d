"""`coterie campaign FILE`: many recipes, seed by seed, several at once, and on after any stop."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.options import Device, parse_device
from coterie.cli.terminal import say
from coterie.errors import ConfigError

if TYPE_CHECKING:
    from coterie.evidence.planned import Planned
    from coterie.evidence.runner import Event

FAILED = 1  # the exit code
OF_AVAILABLE = 0.8  # the budget when nobody says
PAGE = "results.md"


def campaign(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A campaign that comes with coterie, or the path of one.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the campaigns that come with coterie.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would run, and run nothing.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The folder of the image sets; COTERIE_DATA or ./data when absent.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the results; reproduced beside you when absent.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Runs at once; the cores are shared out among them.")] = 1,
    memory: Annotated[
        float | None, typer.Option(help="GB that all runs together may hold; 80 % of what is free when absent.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Run every recipe of a campaign, seed by seed; a run that is done is kept, one that fails does not end it."""
    from coterie.evidence.campaign import find_campaign, shipped_campaigns
    from coterie.evidence.datasets import data_folder
    from coterie.evidence.planned import plan as plan_runs
    from coterie.evidence.runner import Limits, Runner

    if list_:
        for name, text in shipped_campaigns().items():
            say(f"{name}: {tomllib.loads(text)['campaign']['description']}")
        return
    if file is None:
        raise ConfigError("FILE is missing; `coterie campaign --list` shows the campaigns that come with coterie")
    found, target = find_campaign(file), out or Path("reproduced")
    limits = Limits(workers, _budget() if memory is None else memory)
    runs = plan_runs(found, data_folder(data), target, parse_device(device))
    say(f"{found.name}: {found.description}")
    for name, reason in found.left_out.items():
        say(f"left out: {name} ({reason})")
    if plan:
        for run in runs:
            say(f"{run.asked.recipe.name} seed {run.seed}: {_standing(run)}")
        return
    for event in Runner(found, runs, target, limits).events():
        say(_line(event))
    _finish(runs, target)


def _budget() -> float:
    from coterie.files.processes import available_gb

    available = available_gb()
    if available is None:
        raise ConfigError("this system does not say how much memory is free; say how much may be used, as --memory 8")
    return OF_AVAILABLE * available


def _write_page(out: Path) -> None:
    """Tables and plots of all summaries in ``out``."""
    from coterie.evidence.render import read_summaries, render
    from coterie.files.atomic import write_text

    made = render(read_summaries(out))
    for name, text in {PAGE: made.page, **made.images}.items():
        write_text(out / name, text)


def _standing(run: "Planned") -> str:
    return f"failed before: {run.reason}" if run.state == "failed" else run.state


def _line(event: "Event") -> str:
    run = event.run
    title = f"[{event.n_settled}/{event.n_all}] {run.asked.recipe.name} seed {run.seed}"
    if event.what == "failed":
        return f"{title} failed: {run.reason}"
    if event.what == "put back":
        return f"{title}: stopped for want of memory; it goes on when there is more"
    scores = " ".join(f"{name.upper()} {run.record['scores'][name]:.3f}" for name in ("acc", "nmi", "ari"))
    how = "was done" if event.what == "kept" else f"{run.record['seconds']:,.1f} s"
    return f"{title}: {scores} ({run.record['chosen']}), {how}"


def _finish(runs: "list[Planned]", out: Path) -> None:
    if any(run.state == "done" for run in runs):
        _write_page(out)
    failed = sum(run.state == "failed" for run in runs)
    if not failed:
        say(f"all {len(runs)} runs are done; the records are in {out}, and {PAGE} shows them")
        return
    say(f"{failed} of {len(runs)} runs failed, the others are in {out}; the same command tries those again")
    raise typer.Exit(FAILED)
