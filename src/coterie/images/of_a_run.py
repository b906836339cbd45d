"""The images of an earlier run: found again where its run.json says, and read as that run read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError, RunFolderError
from coterie.files.run_folder import RunFolder
from coterie.images.options import StoreOptions
from coterie.images.store import ImageStore, open_images


def places_of(run: RunFolder) -> list[Path]:
    """Where the source may be: as seen from the run, which holds from any folder, then as the person wrote it."""
    source, from_run = run.info.get("source"), run.info.get("source_from_run")
    as_seen = [(run.path / from_run).resolve()] if isinstance(from_run, str) else []
    return [*as_seen, Path(source)] if isinstance(source, str) and source else []


def source_of(run: RunFolder) -> str:
    """The first of these places that is there, as the person wrote it where that leads to the same.

    Raises RunFolderError when there is none.
    """
    places = places_of(run)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        where = f" {places[-1]}" if places else ""
        raise RunFolderError(
            f"the images of {run.path} are not found: their source{where} is gone or was never noted; "
            "put it back, or give the images themselves"
        )
    written = places[-1]
    return str(written if written.exists() and written.samefile(found) else found)


def options_of(run: RunFolder) -> StoreOptions:
    """How the run read its images; RunFolderError when its run.json does not say."""
    try:
        return StoreOptions.from_dict(run.info["images"]["options"])
    except (KeyError, TypeError, ConfigError) as error:
        raise RunFolderError(
            f"{run.path} does not say how its images were read ({error}); run the same command again"
        ) from error


def check_images_of(run: RunFolder, names: Sequence[str], source: str) -> None:
    """RunFolderError unless ``names``, of the images under ``source``, are those of the run in its order."""
    own = run.names
    if list(names) == own:
        return
    first = next((f": {b} stands where it had {a}" for a, b in zip(own, names, strict=False) if a != b), "")
    counts = f"{len(own):,} images" if len(own) == len(names) else f"{len(own):,} images and not {len(names):,}"
    raise RunFolderError(
        f"the images under {source} are not those of {run.path}, which has {counts}{first}; "
        "rows and images must belong together"
    )


def open_images_of(run: RunFolder, **reading: Any) -> ImageStore:
    """The images that ``run`` grouped, in the order of its rows; ``reading`` as for ``open_images``.

    Raises RunFolderError when they are gone or are no longer the same ones.
    """
    source = source_of(run)
    store = open_images(source, options=options_of(run), **reading)
    check_images_of(run, store.names, source)
    return store
