"""`coterie reproduce RECIPE`: a published number, made again seed by seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.options import Device, parse_device
from coterie.cli.terminal import note, noted_warnings, say
from coterie.errors import ConfigError

if TYPE_CHECKING:
    from coterie.evidence.recipe import Recipe
    from coterie.evidence.reproduce import Done, Reproduction


def reproduce(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="A recipe that comes with coterie, or the path of one.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the recipes that come with coterie.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The folder of the image sets; COTERIE_DATA or ./data when absent.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="How many seeds of the recipe, or which ones: 3, or 0,4,7; all when absent.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the results; reproduced/NAME beside you when absent.")
    ] = None,
    device: Device = "auto",
    epochs: Annotated[int | None, typer.Option(help="Another number of epochs, to try a recipe out.", min=1)] = None,
    summary: Annotated[Path | None, typer.Option(help="Also write the summary to this file.")] = None,
) -> None:
    """Run RECIPE once for each seed and score the answers; a seed that is done is not run again."""
    from coterie.evidence.datasets import data_folder
    from coterie.evidence.protocol import Circumstances
    from coterie.evidence.recipe import find_recipe
    from coterie.evidence.reproduce import Reproduction

    with noted_warnings():
        if list_:
            _show_recipes()
            return
        if recipe is None:
            raise ConfigError("RECIPE is missing; `coterie reproduce --list` shows those that come with coterie")
        found = find_recipe(recipe)
        found = found if epochs is None else found.with_epochs(epochs)
        circumstances = Circumstances(parse_device(device), progress=True)
        target = out or Path("reproduced") / found.name
        _run(Reproduction(found, _parse_seeds(found, seeds), data_folder(data), target, circumstances), summary)


def _show_recipes() -> None:
    from coterie.evidence.recipe import parse_recipe, shipped_recipes

    for name, text in shipped_recipes().items():
        recipe = parse_recipe(text, name)
        say(f"{name}: {recipe.description}")
        if recipe.published:
            say(f"    {_published(recipe.published)}")


def _parse_seeds(recipe: "Recipe", text: str | None) -> tuple[int, ...]:
    """The seeds option: "3" is the first three of the recipe, "0,4,7" are these."""
    from coterie.evidence.protocol import is_random
    from coterie.evidence.recipe import check_seeds
    from coterie.evidence.reproduce import first_seeds

    if text is None:
        return recipe.seeds
    if not is_random(recipe):
        note(f"note: {recipe.method} has nothing random in it, so it runs once, whatever the seeds")
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] >= 1:
        return first_seeds(recipe, numbers[0])
    if len(numbers) < 2:
        raise ConfigError(f"--seeds {text!r} says neither how many nor which; give a number such as 3, or 0,4,7")
    return check_seeds(numbers, "--seeds")


def _run(asked: "Reproduction", copy: Path | None) -> None:
    from coterie.evidence.reproduce import reproduce as run_seeds
    from coterie.files.atomic import probe_writable, write_json

    if copy is not None:
        probe_writable(copy.parent)  # now, not after hours of work
    say(f"{asked.recipe.name}: {asked.recipe.description}")
    for done in run_seeds(asked):
        say(_seed_line(done))
        summary = done.summary
    _show(summary)
    if copy is not None:
        write_json(copy, summary)
    say(f"the records are in {asked.out}" + (f", the summary also in {copy}" if copy else ""))


def _seed_line(done: "Done") -> str:
    record = done.record
    scores = " ".join(f"{name.upper()} {record['scores'][name]:.3f}" for name in ("acc", "nmi", "ari"))
    how = "was done" if done.kept else f"{record['seconds']:,.1f} s"
    title = "the one run" if record["seed"] is None else f"seed {done.seed}"
    return f"{title}: {scores} ({record['chosen']}), {how}"


def _show(summary: Mapping[str, Any]) -> None:
    from coterie.evidence.summary import table

    for line in _aligned(table(summary)):
        say(line)
    say(f"* {_selection(summary)}")
    if summary["published"]:
        say(_published(summary["published"]))
    memory = summary["peak_memory_gb"]
    held = "" if memory is None else f", at most {memory:.2f} GB of memory"
    say(f"{summary['seconds']['median']:,.1f} s a seed{held}")


def _selection(summary: Mapping[str, Any]) -> str:
    if len(summary["answers"]) == 1:
        return "the method's only answer, found without labels"
    by_name = ", ".join(f"{name} in {count}" for name, count in summary["chosen"].items())
    return f"chosen by the method itself, without labels: {by_name} of {len(summary['runs'])}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell: the first two from the left, numbers from the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def _published(published: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{name.upper()} {published[name]:.3f}" for name in ("acc", "nmi", "ari") if name in published)
    return f"published: {scores} ({published.get('source', 'no source')})"
