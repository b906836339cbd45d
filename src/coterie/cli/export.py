"""`coterie export RUN --to folders|csv|parquet`: hands the groups over; originals are linked or copied, never moved."""

import os
import shutil
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.options import RunArgument
from coterie.cli.targets import refuse_inside
from coterie.cli.terminal import note, say
from coterie.errors import ConfigError, OutputError, SourceError

if TYPE_CHECKING:
    import numpy as np

    from coterie.files.run_folder import RunFolder


class Target(StrEnum):
    """What can be written."""

    FOLDERS = "folders"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    run: RunArgument,
    to: Annotated[Target, typer.Option(help="One folder per group, one CSV, or one Parquet file.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to; RUN-export[.csv|.parquet] beside you when absent.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="folders: copy the files instead of linking to them.")] = False,
    answer: Annotated[
        str | None, typer.Option(help="Of a method that comes to several answers, the one to hand over, by its name.")
    ] = None,
) -> None:
    """Hand the groups of RUN over: folders of links (or copies), a CSV, or a Parquet file."""
    from coterie.files.run_folder import RunFolder

    folder = RunFolder.open(run)
    name = f"{folder.path.resolve().name}-export" + (f"-{answer}" if answer else "")
    target = out or Path(name if to is Target.FOLDERS else f"{name}.{to}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} exists; give another --out")
    labels = folder.labels if answer is None else labels_of(folder, answer)
    if to is Target.FOLDERS:
        n_written, n_missing = write_folders(folder, labels, target, copy=copy)
        if n_missing:
            note(f"note: {n_missing:,} originals are no longer where they were and were left out")
    else:
        n_written = write_table(folder, labels, target, to)
    say(f"exported {n_written:,} images to {target}")


def labels_of(folder: "RunFolder", answer: str) -> "np.ndarray":
    """(n,) int64: the groups of an answer by its name; ConfigError where the run has none of that name."""
    answers, told = folder.answers or {}, folder.info.get("answers")
    if answer in answers and isinstance(told, dict) and answer == told.get("chosen"):
        return folder.labels
    if answer not in answers:
        known = f"its answers are {', '.join(answers)}" if answers else "it has a single answer, so leave --answer out"
        raise ConfigError(f"{folder.path} has no answer {answer!r}; {known}")
    return answers[answer]


def write_table(folder: "RunFolder", labels: "np.ndarray", target: Path, to: Target) -> int:
    """One row per image: path, label, and, of the groups that the run chose, confidence."""
    from coterie.files.csv_files import write_csv
    from coterie.files.escape import escape_name
    from coterie.files.folders import make_folder
    from coterie.files.tables import write_parquet

    make_folder(target.parent)
    columns: dict[str, Any] = {"path": [escape_name(name) for name in folder.names], "label": labels}
    if labels is folder.labels:  # run folders keep it of no other
        shares = folder.confidence
        columns["confidence"] = shares if to is Target.PARQUET else [f"{share:.4f}" for share in shares]
    if to is Target.PARQUET:
        write_parquet(target, columns)
    else:
        write_csv(target, list(columns), zip(*columns.values(), strict=True))
    return len(labels)


def write_folders(folder: "RunFolder", labels: "np.ndarray", target: Path, *, copy: bool) -> tuple[int, int]:
    """(images written, originals missing): ``target``/group-00/..., a link or copy of each original, largest group
    first.
    """
    source = originals(folder)
    refuse_inside(target, str(source))
    paths = original_paths(source)
    digits = max(2, len(str(int(labels.max()))))
    used: Counter[Path] = Counter()
    n_written, n_missing = 0, 0
    for name, label in zip(folder.names, labels.tolist(), strict=True):
        original = paths.get(name)
        if original is None or not original.is_file():
            n_missing += 1
            continue
        place = target / f"group-{label:0{digits}d}"
        _hand_over(original, _free_name(place / original.name, used), copy=copy)
        n_written += 1
    return n_written, n_missing


def originals(folder: "RunFolder") -> Path:
    """The folder or list that the images of a run came from; SourceError when it is gone or never held files."""
    source, from_run = str(folder.info.get("source", "")), folder.info.get("source_from_run")
    candidates = [(folder.path / str(from_run)).resolve()] if from_run else []
    found = next((path for path in (*candidates, Path(source)) if source and path.exists()), None)
    if found is None:
        raise SourceError(
            f"the originals of {folder.path} are no longer at {source or 'any known place'}; put them back, or export "
            "csv or parquet instead"
        )
    if found.suffix.lower() in (".npy", ".npz"):
        raise SourceError(f"{source} is an array, so there are no files to hand over; export csv or parquet instead")
    return found


def original_paths(source: Path) -> dict[str, Path]:
    """Where the file of each name lies; SourceError when the images are no files of their own."""
    from coterie.images.find import find_images

    found = find_images(source, follow_links=True)
    if found.kind in ("zip", "tar"):
        raise SourceError(f"{source} is an archive; unpack it yourself, or export csv or parquet instead")
    return {entry.name: Path(str(entry.location)) for entry in found.entries}


def _hand_over(original: Path, target: Path, *, copy: bool) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copy2(original, target)
        else:
            target.symlink_to(original.resolve())
    except OSError as error:
        advice = "" if copy else "; this file system may not allow links: use --copy"
        raise OutputError(f"{target} cannot be written ({os.strerror(error.errno or 0)}){advice}") from error


def _free_name(target: Path, used: Counter[Path]) -> Path:
    """``target``, numbered when images of the same name from several folders meet there."""
    wanted = target
    while os.path.lexists(target):
        used[wanted] += 1
        target = wanted.with_name(f"{wanted.stem}-{used[wanted] + 1}{wanted.suffix}")
    return target
