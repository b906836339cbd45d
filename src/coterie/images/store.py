"""The images of a run as one uint8 array on disk: decoded once, mapped into memory, reused by later runs."""

import logging
import mmap
import os
import shutil
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.errors import ConfigError, StoreChangedError
from coterie.files.atomic import atomic_write
from coterie.images import cache as caching
from coterie.images.arrays import array_images, fit_array, load_array
from coterie.images.contents import array_contents
from coterie.images.fill import Filled, fill
from coterie.images.find import ARRAY_EXTENSIONS, Found, Skipped, find_images
from coterie.images.fingerprint import changes, fingerprint
from coterie.images.notices import check_enough, warn_about
from coterie.images.oddities import COLOUR_AS_GREY
from coterie.images.options import MAX_PIXELS, Asked, StoreOptions
from coterie.images.survey import survey

__all__ = ["ImageStore", "StoreOptions", "load_store", "open_images"]

log = logging.getLogger(__name__)


@dataclass(eq=False)
class ImageStore:
    """n images of one shape, and what is known about the files they came from.

    Attributes:
        images: uint8 (n, c, h, w), usually a read-only memory map.
        names: n relative posix paths ("0", "1", ... for arrays), in the order of ``images``.
        skipped: every file left out, with its reason and its size in bytes.
        oddities: how many images were unusual, by kind (``images.oddities``).
        duplicates: how many images repeat the pixels of an earlier one exactly.
        fingerprint: changes when a file, its size, its time or an option changes.
        options: the shape and look that all images share.
        entries: (name, size, mtime_ns) of every file that was tried.
        n_other: files that are not images by their extension and were not opened.
        source: where the images came from, as text.
        rebuilt_because: what had changed, when an earlier store of this source could not be reused.
        reused: True when nothing had to be decoded.
        file: the .npy that is mapped, or None for arrays in memory.
    """

    images: NDArray[np.uint8]
    names: list[str]
    options: StoreOptions
    skipped: list[Skipped] = field(default_factory=list)
    oddities: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    fingerprint: str = ""
    entries: list[tuple[str, int, int]] = field(default_factory=list)
    n_other: int = 0
    source: str = ""
    rebuilt_because: str | None = None
    reused: bool = False
    file: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of every image."""
        return self.options.shape

    def batches(self, size: int = 256) -> Iterator[NDArray[np.uint8]]:
        """uint8 (b, c, h, w) for at most ``size`` images at a time, in order.

        What was read is given back to the system, so that a pass over a store larger than memory does not keep it.
        """
        mapped: object = self.images.base if isinstance(self.images, np.memmap) else None
        for start in range(0, len(self), size):
            yield self.images[start : start + size]
            if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)

    def check(self, found: Found) -> None:
        """Raises StoreChangedError, with counts, when the files are no longer those the store was made from."""
        difference = changes(self.entries, found.entries)
        if difference:
            raise StoreChangedError(
                f"the images under {self.source} changed since they were read ({difference}): read them again"
            )


ImageSource = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | NDArray[Any] | ImageStore


def open_images(
    source: ImageSource,
    *,
    size: int | tuple[int, int] | Literal["auto"] = "auto",
    fit: str = "crop",
    grey: bool | Literal["auto"] = "auto",
    background: str = "white",
    max_pixels: int = MAX_PIXELS,
    max_bad: float = 0.5,
    workers: int = 0,
    cache: Path | None = None,
    follow_links: bool = False,
    progress: bool = False,
    options: StoreOptions | None = None,
) -> ImageStore:
    """The images of any source as one store; files are decoded on the first call and reused by the next.

    Args:
        source: a folder, zip, tar, text or CSV manifest, single image, list of paths, .npy or .npz; an array (n, h, w),
            (n, h, w, c) or (n, c, h, w); or a store, which passes through.
        size: one side or (height, width). "auto" keeps images of one size up to 64 x 64 and otherwise takes 224.
            Arrays keep their size.
        fit: crop (scale the short side, keep the centre), pad (all of it on ``background``) or stretch.
        grey: one channel instead of three. "auto": when every image looked at is grey.
        background: a colour's name or #rrggbb, under transparent pixels and around padded images.
        max_pixels: larger images are skipped before they are decoded.
        max_bad: the share of unreadable images, 0 to 1, above which the call fails.
        workers: threads that decode; 0 and 1 decode in the caller's. Small files are always read in the caller's.
        cache: the folder that keeps decoded images; see ``images.cache``. Arrays are not kept.
        follow_links: also walk into folders that are links.
        progress: show a progress bar when the output is a terminal.
        options: exactly these options, as a fitted model needs them; the five above are then ignored, and a single
            image is enough.

    Raises:
        NoImagesError, TooManyBadImagesError: too little could be read.
        SourceError: the source cannot be read at all.
        ConfigError: an argument is outside its range.
        OutputError: the decoded images do not fit on the disk.
    """
    asked = Asked.exactly(options) if options else Asked.checked(size, fit, grey, background, max_pixels)
    _check_run(max_bad, workers)
    if isinstance(source, ImageStore):
        return _in_shape(source, options)
    array = _as_array(source)
    if array is not None:
        store = _array_store(array, asked, str(source) if isinstance(source, str | os.PathLike) else "an array")
        check_enough(store.source, len(store), [], max_bad, 1 if asked.fixed else 2)
    else:
        found = find_images(source, follow_links=follow_links)
        store = _file_store(found, asked, max_bad, cache, (workers, progress))
    warn_about(len(store), store.skipped, store.oddities, store.duplicates)
    return store


def load_store(folder: str | os.PathLike[str], found: Found | None = None) -> ImageStore:
    """The finished store in a folder of the cache, memory mapped; checked against ``found`` when given.

    Raises:
        StoreChangedError: there is no whole store, it does not fit its description, or its files have changed.
    """
    place = Path(folder)
    index = caching.read_index(place)
    try:
        store = _from_index(place, index)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreChangedError(f"{place} holds a damaged image store ({error})") from error
    if found is not None:
        store.check(found)
    return store


def _check_run(max_bad: float, workers: int) -> None:
    if not isinstance(max_bad, int | float) or not 0 <= max_bad <= 1:
        raise ConfigError(f"max_bad={max_bad!r} is not a share: give a number from 0 to 1")
    if not isinstance(workers, int) or workers < 0:
        raise ConfigError(f"workers={workers!r} is not a number of threads: give 0 or more")


def _in_shape(store: ImageStore, options: StoreOptions | None) -> ImageStore:
    if options is None or options.shape == store.shape:
        return store
    return replace(store, images=fit_array(store.images, options), options=options, file=None)


def _as_array(source: Any) -> NDArray[Any] | None:
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return load_array(path) if path.suffix.lower() in ARRAY_EXTENSIONS and path.is_file() else None
    return np.asarray(source) if hasattr(source, "__array__") else None


def _array_store(array: NDArray[Any], asked: Asked, source: str) -> ImageStore:
    images, oddities = array_images(array)
    channels, height, width = images.shape[1:]
    options = asked.settled((height, width), channels == 1)
    images = fit_array(images, options)
    extra, duplicates, content = array_contents(images)
    print_ = f"{content}-{options.fit}"
    names = [str(row) for row in range(len(images))]
    return ImageStore(
        images,
        names,
        options,
        oddities=dict(oddities + extra),
        duplicates=duplicates,
        fingerprint=print_,
        source=source,
    )


def _file_store(
    found: Found, asked: Asked, max_bad: float, cache: Path | None, running: tuple[int, bool]
) -> ImageStore:
    least = 1 if asked.fixed else 2
    if not found.entries:
        check_enough(_where(found), 0, found.skipped, max_bad, least)
    place, temporary = caching.place_for(cache, found, asked.to_dict())
    mark = fingerprint(found, asked.to_dict())
    earlier, because = _reusable(place, found, mark)
    if earlier is not None:
        check_enough(_where(found), len(earlier), earlier.skipped, max_bad, least)
        return earlier
    try:
        store = _build(place, found, asked, running, (max_bad, least, mark))
    except BaseException:
        if temporary:
            shutil.rmtree(place, ignore_errors=True)
        raise
    store.rebuilt_because, store.reused = because, False
    if temporary:
        weakref.finalize(store, shutil.rmtree, place, ignore_errors=True)
    return store


def _reusable(place: Path, found: Found, mark: str) -> tuple[ImageStore | None, str | None]:
    """The store that is there, when it is still right; otherwise why it is not (None when there was none)."""
    if not (place / caching.INDEX).exists():
        return None, None
    try:
        store = load_store(place, found)
        if store.fingerprint != mark:
            raise StoreChangedError("the files that are left out have changed")
    except StoreChangedError as error:
        log.info("decoding again: %s", error)
        return None, str(error)
    store.n_other = found.n_other
    log.info("reusing %d decoded images of %s in %s", len(store), _where(found), place)
    return store, None


def _build(
    place: Path, found: Found, asked: Asked, running: tuple[int, bool], limits: tuple[float, int, str]
) -> ImageStore:
    """Decodes everything into a new .npy, and makes it the store of ``place`` once it is whole."""
    max_bad, least, mark = limits
    options = _settle(found, asked)
    caching.check_space(place, len(found.entries), options)
    pixels = caching.new_pixels_path(place)
    with atomic_write(pixels) as partial:
        filled = fill(partial, found, options, *running)
        skipped = found.skipped + [
            Skipped(found.entries[i].name, reason, found.entries[i].size) for i, reason in filled.bad.items()
        ]
        check_enough(_where(found), len(found.entries) - len(filled.bad), skipped, max_bad, least)
    if asked.grey is True and not asked.fixed:  # asked for by a person, so no news
        filled.oddities.pop(COLOUR_AS_GREY, None)
    about = _index(found, options, filled, mark) | {"pixels": pixels.name}
    # Mapped before it can be replaced: from then on it stays readable here whatever other runs do.
    store = _from_index(place, about)
    caching.publish(place, pixels, about)
    log.info("decoded %d images of %s into %s", len(found.entries) - len(filled.bad), _where(found), pixels)
    return store


def _settle(found: Found, asked: Asked) -> StoreOptions:
    if asked.size != "auto" and asked.grey != "auto":
        return asked.settled(asked.size, asked.grey)
    seen = survey(found, asked.max_pixels)
    return asked.settled(seen.working_size, seen.all_grey)


def _index(found: Found, options: StoreOptions, filled: Filled, mark: str) -> dict[str, Any]:
    return {
        "source": _where(found),
        "options": options.to_dict(),
        "fingerprint": mark,
        "entries": [[entry.name, entry.size, entry.mtime_ns] for entry in found.entries],
        "bad": sorted(filled.bad.items()),
        "left_out": [[item.name, item.reason, item.size] for item in found.skipped],
        "oddities": dict(filled.oddities),
        "duplicates": filled.duplicates,
        "n_other": found.n_other,
    }


def _from_index(place: Path, index: Mapping[str, Any]) -> ImageStore:
    entries = [(str(name), int(size), int(mtime)) for name, size, mtime in index["entries"]]
    bad = {int(row): str(reason) for row, reason in index["bad"]}
    options = StoreOptions.from_dict(index["options"])
    names = [name for row, (name, _, _) in enumerate(entries) if row not in bad]
    skipped = [Skipped(*item) for item in index["left_out"]]
    skipped += [Skipped(entries[row][0], reason, entries[row][1]) for row, reason in bad.items()]
    return ImageStore(
        images=caching.read_pixels(place, index, len(names), options),
        names=names,
        options=options,
        skipped=sorted(skipped, key=lambda item: item.name),
        oddities=dict(Counter(index["oddities"])),
        duplicates=int(index["duplicates"]),
        fingerprint=str(index["fingerprint"]),
        entries=entries,
        n_other=int(index["n_other"]),
        source=str(index["source"]),
        reused=True,
        file=place / str(index["pixels"]),
    )


def _where(found: Found) -> str:
    return found.root or "the list"
