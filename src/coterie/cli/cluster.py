"""`coterie cluster PATH`: the main job, from a folder of images to a run folder with a page and a model."""

import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.clusterers import make_clusterer, trains
from coterie.cli.options import (
    Background,
    Device,
    Fit,
    FollowLinks,
    Force,
    Grey,
    Groupable,
    MaxBad,
    MaxPixels,
    MinClusterSize,
    Neighbors,
    Refine,
    Scale,
    Search,
    Size,
    Stop,
    Strict,
    Workers,
    parse_classes,
    parse_count,
    parse_device,
    parse_map,
    parse_size,
)  # fmt: skip
from coterie.cli.origin import origin_of
from coterie.cli.targets import refuse_inside, refuse_taken
from coterie.cli.terminal import DONE_WITH_WARNINGS, note, noted_logs, noted_warnings, say
from coterie.cli.training_options import (
    Assign,
    BatchSize,
    Epochs,
    LearningRate,
    Precision,
    Set,
    TensorBoard,
)
from coterie.errors import ClusterCountWarning, ConfigError
from coterie.images.options import MAX_PIXELS
from coterie.training.launched import is_first, n_launched

if TYPE_CHECKING:
    from coterie.files.run_folder import RunFolder


def cluster(
    path: Groupable,
    k: Annotated[str, typer.Option("-k", "--n-clusters", help="How many groups, or auto.")] = "auto",
    method: Annotated[str, typer.Option(help="How to group; `coterie methods` lists what there is.")] = "gdl",
    features: Annotated[
        str,
        typer.Option(help="auto, pixels, unit-pixels, efficientnet-lite0, hog, lbp, sift, a .npy of rows, or a run."),
    ] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The run folder; NAME-groups beside you when absent, of a run RUN-METHOD.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Known classes, for scores only: a CSV (path,class), or `folders`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**32 - 1)] = 0,
    device: Device = "auto",
    size: Size = "auto",
    fit: Fit = "crop",
    grey: Grey = None,
    background: Background = "white",
    max_pixels: MaxPixels = MAX_PIXELS,
    max_bad: MaxBad = 0.5,
    workers: Workers = -1,
    follow_links: FollowLinks = False,
    neighbors: Neighbors = None,
    scale: Scale = None,
    search: Search = None,
    stop: Stop = None,
    min_cluster_size: MinClusterSize = None,
    refine: Refine = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    precision: Precision = None,
    assign: Assign = None,
    set_: Set = None,
    tensorboard: TensorBoard = False,
    map_: Annotated[str, typer.Option("--map", help="The 2-D map: auto, pca or umap.")] = "auto",
    force: Force = False,
    strict: Strict = False,
) -> None:
    """Group the images under PATH; writes a run folder with a page to look at and a model for new images.

    PATH may be an earlier run, or its embedding.npy: its images are then grouped by that embedding.
    """
    from coterie.cli.workers import worker_count

    with noted_warnings() as noted:
        asked = {
            "n_clusters": parse_count("-k", k, "a number of clusters"), "device": parse_device(device),
            "random_state": seed,
        }  # fmt: skip
        reading = {
            "size": parse_size(size), "fit": fit, "grey": "auto" if grey is None else grey, "background": background,
            "max_pixels": max_pixels, "max_bad": max_bad, "workers": worker_count(workers),
            "follow_links": follow_links,
        }  # fmt: skip
        origin = origin_of(path, features, reading, method)
        given = {
            "features": origin.features,
            "neighbors": neighbors and parse_count("--neighbors", neighbors, "a number of neighbours"),
            "scale": scale, "search": search, "stop": stop, "refine": refine,
            "min_cluster_size":
                min_cluster_size and parse_count("--min-cluster-size", min_cluster_size, "a number of images"),
            "epochs": epochs, "batch_size": batch_size, "lr": lr, "precision": precision, "assign": assign,
            "tensorboard": tensorboard or None,
        }  # fmt: skip
        model = make_clusterer(method, asked, given, set_)
        target = out or origin.out
        known = parse_classes(classes) if classes else None
        job = Job(
            origin.source, target, method, model, origin.reading, known, seed, parse_map(map_), force, origin.rows_of
        )
        for taken in (path, origin.source):
            refuse_inside(target, taken)
        if is_first():
            refuse_taken(target, force=force)
            run(job, noted)
        else:
            run_beside(job)
    if strict and noted:
        raise typer.Exit(DONE_WITH_WARNINGS)


@dataclass(frozen=True)
class Job:
    """One run of the main job: where from, where to, with what; ``rows_of`` as in ``Origin``."""

    source: str
    out: Path
    method: str
    model: Any
    reading: dict[str, Any]
    classes: str | None
    seed: int
    map: str
    force: bool
    rows_of: "RunFolder | None" = None


def run(job: Job, noted: list[dict[str, str]]) -> None:
    """Does the job and says what came out; ``noted`` holds the warnings given so far and fills with more."""
    from coterie.cli.run_info import settings
    from coterie.cli.run_writer import RunWriter
    from coterie.cli.training_folder import TrainingFolder
    from coterie.files.folders import probe_writable
    from coterie.files.lock import RunLock

    is_new = not job.out.exists()
    probe_writable(job.out)
    try:
        with RunLock(job.out):
            writer = RunWriter(job.out, noted)
            began = time.perf_counter()
            training = TrainingFolder(
                job.out, {"method": job.method, **settings(job.model)}, force=job.force,
                may_change=getattr(job.model, "may_change", None),
            )  # fmt: skip
            training.check()
            store = _read(job, writer)
            _check(job, store)
            _meet_others()
            _group(job, writer, store, training)
            info = writer.write(job, store, training)
            _meet_others()
    except BaseException:
        if is_new:
            with suppress(OSError):  # it holds what was finished
                job.out.rmdir()
        raise
    _summary(job, info, time.perf_counter() - began, len(noted))


def run_beside(job: Job) -> None:
    """What the other processes of a training do: they train, and leave every word and every file to the first."""
    from coterie.images.store import open_images

    _meet_others()  # the first has read the images
    job.model.fit(open_images(job.source, **job.reading))
    _meet_others()  # it has written the run folder


def _meet_others() -> None:
    if n_launched() > 1:
        from coterie.training.processes import meet

        meet()


def _read(job: Job, writer: Any) -> Any:
    from coterie.images.store import open_images

    with writer.stage("read images"):
        store = open_images(job.source, progress=True, **job.reading)
    channels, height, width = store.shape
    skipped = f", skipped {len(store.skipped):,}, see {job.out / 'skipped.csv'}" if store.skipped else ""
    again = " (decoded by an earlier run)" if store.reused else ""
    if store.rebuilt_because:
        note(f"note: decoded again, because {store.rebuilt_because.removesuffix(': read them again')}")
    colour = "grey" if channels == 1 else "colour"
    say(f"read {len(store):,} images as {height} x {width} {colour}{again}{skipped}")
    return store


def _check(job: Job, store: Any) -> None:
    """Raises for what does not fit the images that were read, before the long work on them starts."""
    from coterie.cli.scoring import known_classes
    from coterie.images.of_a_run import check_images_of

    if job.rows_of is not None:
        check_images_of(job.rows_of, store.names, job.source)
    k = job.model.n_clusters
    if k != "auto" and k > len(store):
        raise ConfigError(f"-k {k} is more than the {len(store):,} images that were read; ask for at most that many")
    if k == 1:
        warnings.warn("-k 1 puts every image into one group", ClusterCountWarning, stacklevel=2)
    if job.classes:
        known_classes(store.names, job.classes)


def _group(job: Job, writer: Any, store: Any, training: Any) -> None:
    from coterie.cli.run_info import features_used

    model = job.model
    began = time.perf_counter()
    if trains(model):
        _train(job, store, training)
    else:
        model.fit(store)
    writer.timings |= _timings(model, time.perf_counter() - began)
    described = f" on {features_used(model)}" if features_used(model) else ""
    found = _counted(model.n_clusters_, "group")
    say(f"found {found} by {job.method}{described}{_chosen(getattr(model, 'choice_', None))}")
    if getattr(model, "answers_", None):
        _say_answers(model)


def _timings(model: Any, seconds: float) -> dict[str, float]:
    """Seconds by stage: those the method measured, whose features come from its training where it trains."""
    measured = dict(getattr(model, "timings_", {}))
    if trains(model):
        measured = {"training": measured.pop("features", seconds)} | measured
    return measured


def _train(job: Job, store: Any, training: Any) -> None:
    from coterie.cli.run_info import mark_info

    model = job.model
    with training.training(mark_info(job, store, job.out)), noted_logs():
        model.set_params(run_folder=str(training.path), progress=True)
        model.fit(store)


def _say_answers(model: Any) -> None:
    from coterie.cli.learned_parts import answers_info
    from coterie.evidence.summary import OTHER_LINKAGE

    info = answers_info(model)
    say(f"answer {info['chosen']}: {info['because']}")
    others = [
        f"{row['name']} {row['ari']:.3f}"
        for row in info["answers"]
        if row["name"] != info["chosen"] and not row["name"].startswith(OTHER_LINKAGE)
    ]
    if others:
        say(f"agreement of the other answers with it (ARI): {', '.join(others)}")


def _chosen(choice: Any) -> str:
    if choice is None:
        return ""
    next_best = ", ".join(str(k) for k, _ in choice.runners_up[:3])
    return f" (chosen; next best {next_best})" if next_best else " (chosen)"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _summary(job: Job, info: dict[str, Any], seconds: float, n_notes: int) -> None:
    import numpy as np

    sizes = np.bincount(job.model.labels_)
    shown = ", ".join(f"{size:,}" for size in sizes[:12]) + (", ..." if len(sizes) > 12 else "")
    say(f"sizes: {shown}")
    if (scores := info.get("scores")) is not None:
        say("scores: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items() if isinstance(value, float)))
    if runs := info.get("answers", {}).get("scores_of_runs"):
        cells = (f"{name} {own['min']:.3f} {own['median']:.3f} {own['max']:.3f}" for name, own in runs.items())
        say("of its runs, the lowest, the median and the highest: " + ", ".join(cells))
    notes = f", with {_counted(n_notes, 'note')}" if n_notes else ""
    say(f"done in {seconds:.1f} s{notes}; the page: {(job.out / 'page.html').resolve()}")
