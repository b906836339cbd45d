"""`coterie`: the commands, and what an error looks like to a person.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but with skipped files or warnings, under ``--strict``; 130
interrupted. Nothing heavy is imported here: ``coterie --help`` must answer at once.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from coterie import __version__
from coterie.cli.campaign import campaign
from coterie.cli.check import check
from coterie.cli.check_triple import check_triple
from coterie.cli.choose import choose
from coterie.cli.cluster import cluster
from coterie.cli.evaluate import evaluate
from coterie.cli.export import export
from coterie.cli.methods import methods
from coterie.cli.predict import predict
from coterie.cli.published import published
from coterie.cli.reproduce import reproduce
from coterie.cli.terminal import fail, make_printable
from coterie.cli.view import view
from coterie.errors import CoterieError
from coterie.training.launched import n_launched

INTERRUPTED = 130
SHARED = "cluster"  # the command that several processes may share, where its method lets them


class Commands(TyperGroup):
    """The group of commands; an interrupt is caught here, since Typer would end the program without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail("interrupted; run the same command again", INTERRUPTED)


app = typer.Typer(
    name="coterie",
    cls=Commands,
    help="Group unlabelled images: `coterie cluster photos/` finds the groups, shows them, and keeps a model of them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    cluster, predict, evaluate, view, export, check, methods, reproduce, campaign, choose, published, check_triple,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"coterie {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 (its callback does the work)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""
    if debug:
        os.environ["COTERIE_DEBUG"] = "1"
    if n_launched() > 1 and ctx.invoked_subcommand != SHARED:
        fail(f"{n_launched()} processes were started, and this command runs in one: start it without torchrun", 2)


def main() -> None:
    """The entry point: runs the command and turns errors into one line and an exit code."""
    if n_launched() == 1:
        return _run()
    try:
        _run()
    except SystemExit as end:
        # gloo's own farewell aborts, now and then, a process whose peer has gone first; nothing is left to be done
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


def _run() -> None:
    make_printable()
    try:
        app(standalone_mode=True)
    except CoterieError as error:
        _reraise_for_debugging()
        fail(str(error), error.exit_code)
    except MemoryError:
        _reraise_for_debugging()
        fail("out of memory; use a smaller --size, fewer images, or a machine with more", 1)
    except Exception as error:
        _reraise_for_debugging()
        kind = type(error).__name__
        fail(f"unexpected {kind}: {error}; `coterie --debug ...` shows where, please report it", 1)


def _reraise_for_debugging() -> None:
    if os.environ.get("COTERIE_DEBUG") == "1":
        raise  # noqa: PLE0704 (called from an except block only)


if __name__ == "__main__":
    main()
