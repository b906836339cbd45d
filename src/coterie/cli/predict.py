"""`coterie predict RUN PATH`: the groups of new images, by the model of a run."""

from pathlib import Path
from typing import Annotated

import typer

from coterie.cli.options import Force, RunArgument, Source, Strict, Workers
from coterie.cli.origin import EMBEDDING, run_at
from coterie.cli.terminal import DONE_WITH_WARNINGS, noted_warnings, say
from coterie.errors import OutputError, RunFolderError


def predict(
    run: RunArgument,
    path: Source,
    out: Annotated[Path, typer.Option(help="The CSV to write: path,label,confidence.")] = Path("assignments.csv"),
    features: Annotated[
        Path | None,
        typer.Option(help="A .npy with the new images' rows, or a run of them, for a run that was given rows."),
    ] = None,
    workers: Workers = -1,
    force: Force = False,
    strict: Strict = False,
) -> None:
    """Place the images under PATH into the groups of RUN; writes a CSV."""
    from coterie.files.folders import probe_writable

    for target in (out, _skipped_path(out)):
        if target.is_dir():
            raise OutputError(f"{target} is a folder; give --out the name of a CSV file")
        if target.exists() and not force:
            raise OutputError(f"{target} exists; give another --out, or --force to replace it")
    probe_writable(out.parent)
    with noted_warnings() as noted:
        n_images, n_skipped = _predict(run, path, out, features, workers)
    skipped = f", skipped {n_skipped:,}, see {_skipped_path(out)}" if n_skipped else ""
    say(f"placed {n_images:,} images{skipped}; written to {out}")
    if strict and noted:
        raise typer.Exit(DONE_WITH_WARNINGS)


def _predict(run: Path, path: str, out: Path, features: Path | None, workers: int) -> tuple[int, int]:
    from coterie.cli.workers import worker_count
    from coterie.files.csv_files import write_csv
    from coterie.files.escape import escape_name
    from coterie.files.run_folder import RunFolder
    from coterie.images.of_a_run import check_images_of
    from coterie.images.store import open_images
    from coterie.loading import load

    if not (run / "model.json").is_file():  # a model folder by itself will do as well
        RunFolder.open(run)
        if not (run / "model").is_dir():
            raise RunFolderError(f"{run} has lost its model; make the run again")
    rows_of = run_at(str(features)) if features else None
    given = rows_of.path / EMBEDDING if rows_of else features
    model = load(run, str(given) if given else None)
    store = open_images(path, options=model.image_options_, workers=worker_count(workers), progress=True)
    if rows_of is not None:
        check_images_of(rows_of, store.names, path)
    assignment = model.place(store)
    placed = zip(store.names, assignment.labels.tolist(), assignment.confidence.tolist(), strict=True)
    lines = ([escape_name(name), label, f"{share:.4f}"] for name, label, share in placed)
    write_csv(out, ["path", "label", "confidence"], lines)
    if store.skipped or _skipped_path(out).exists():  # an old list must not stand beside new labels
        write_csv(_skipped_path(out), ["path", "reason"], [[escape_name(s.name), s.reason] for s in store.skipped])
    return len(store), len(store.skipped)


def _skipped_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}-skipped.csv")
