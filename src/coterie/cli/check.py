"""`coterie check PATH`: what would be read, and what would be left out and why, before anything is grouped."""

import typer

from coterie.cli.options import FollowLinks, Grey, MaxPixels, Size, Source, Strict, Workers, parse_size
from coterie.cli.terminal import DONE_WITH_WARNINGS, LONG_LIST, noted_warnings, say
from coterie.images.options import MAX_PIXELS


def check(
    path: Source,
    size: Size = "auto",
    grey: Grey = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    workers: Workers = -1,
    follow_links: FollowLinks = False,
    strict: Strict = False,
) -> None:
    """Read every image under PATH once and say what is there: nothing is grouped, nothing is written beside them."""
    from coterie.cli.workers import worker_count
    from coterie.images.features import choose_features, encoder_installed
    from coterie.images.store import open_images

    with noted_warnings() as noted:
        store = open_images(
            path, size=parse_size(size), grey="auto" if grey is None else grey, max_pixels=max_pixels, max_bad=1.0,
            workers=worker_count(workers), follow_links=follow_links, progress=True,
        )  # fmt: skip
    channels, height, width = store.shape
    say(f"{len(store):,} images, read as {height} x {width} {'grey' if channels == 1 else 'colour'}")
    say(f"{store.n_other:,} other files, not opened; {store.duplicates:,} exact copies; {len(store.skipped):,} skipped")
    for entry in store.skipped[:LONG_LIST]:
        say(f"  {entry.name}: {entry.reason}")
    if len(store.skipped) > LONG_LIST:
        say(f"  ... and {len(store.skipped) - LONG_LIST:,} more; a run lists them all in skipped.csv")
    features, advice = choose_features(store.shape, encoder_installed())
    say(f"features that would be used: {features}")
    if advice:
        say(advice)
    if strict and noted:
        raise typer.Exit(DONE_WITH_WARNINGS)
