"""`coterie view RUN`: opens the page of a run."""

from typing import Annotated

import typer

from coterie.cli.options import RunArgument
from coterie.cli.terminal import say


def view(
    run: RunArgument,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, or only say where it is.")] = True,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Write the page anew from the run folder.")] = False,
) -> None:
    """Open the page of RUN in the browser; it is written anew when it is missing."""
    from coterie.files.run_folder import RunFolder

    folder = RunFolder.open(run)
    page = folder.path / "page.html"
    if rebuild or not page.exists():
        from coterie.report.page import write_page

        page = write_page(folder)
    say(str(page.resolve()))
    if browser:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
