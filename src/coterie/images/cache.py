"""Where decoded images wait for the next run: one folder per source and options, a .npy and a JSON beside it."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.errors import OutputError, SlowPathWarning, StoreChangedError
from coterie.files.atomic import probe_writable, write_text
from coterie.images.find import Found
from coterie.images.options import StoreOptions

FORMAT = "coterie image store"
FORMAT_VERSION = 1
INDEX = "store.json"
SPARE_BYTES = 50_000_000
STALE_SECONDS = 86_400


def cache_home(cache: Path | None) -> Path:
    """The given folder, else $COTERIE_CACHE, else $XDG_CACHE_HOME/coterie, else ~/.cache/coterie."""
    if cache is not None:
        return Path(cache)
    if named := os.environ.get("COTERIE_CACHE"):
        return Path(named)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "coterie"
    return Path("~/.cache/coterie").expanduser()


def place_for(cache: Path | None, found: Found, asked: Mapping[str, Any]) -> tuple[Path, bool]:
    """The folder of this source with these options, and whether it is temporary because the cache cannot be written."""
    home = cache_home(cache)
    place = home / _key(found, asked)
    try:
        probe_writable(place)
        return place, False
    except (OutputError, RuntimeError) as error:  # RuntimeError: no home folder to expand
        temporary = Path(tempfile.mkdtemp(prefix="coterie-"))
        message = (
            f"the cache {home} cannot be written ({error}); decoded images are kept in {temporary} for this run only"
        )
        warnings.warn(message, SlowPathWarning, stacklevel=2)
        return temporary, True


def _key(found: Found, asked: Mapping[str, Any]) -> str:
    places = [found.root] if found.root else [str(entry.location) for entry in found.entries]
    absolute = [os.path.abspath(place) for place in places]  # noqa: PTH100 (does not follow links)
    text = repr((absolute, sorted(asked.items()))).encode("utf-8", "surrogatepass")
    name = Path(absolute[0]).name if found.root else "list"
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:32]
    return f"{readable or 'images'}-{hashlib.blake2b(text, digest_size=8).hexdigest()}"


def new_pixels_path(place: Path) -> Path:
    """A name no other process uses: two runs that build at once never write one file."""
    return place / f"images-{secrets.token_hex(6)}.npy"


def check_space(place: Path, n: int, options: StoreOptions) -> None:
    """Refuses before anything is written when the decoded images would not fit."""
    needed = n * int(np.prod(options.shape)) + SPARE_BYTES
    free = shutil.disk_usage(place).free
    if needed > free:
        raise OutputError(
            f"decoded images need {needed // 10**6:,} MB in {place}, {free // 10**6:,} MB free: make room, choose a "
            "smaller --size, or set COTERIE_CACHE to another disk"
        )


def publish(place: Path, pixels: Path, about: Mapping[str, Any]) -> None:
    """Makes ``pixels`` the store of this place. The JSON names its own .npy, so the last of two writers wins whole."""
    index = {"format": FORMAT, "format_version": FORMAT_VERSION, "pixels": pixels.name, **about}
    # ASCII with escapes, which keeps names that are not UTF-8; no indent, since there is a line for every file.
    text = json.dumps(index, ensure_ascii=True, separators=(",", ":"))
    before = _current(place)
    write_text(place / INDEX, text)
    _remove_stale(place, pixels.name, before)


def _remove_stale(place: Path, current: str, before: str | None) -> None:
    """Removes the array that was replaced and what killed runs left, but nothing another run is about to publish."""
    long_ago = time.time() - STALE_SECONDS
    for old in (*place.glob("images-*.npy"), *place.glob(".*.partial")):
        with contextlib.suppress(OSError):  # another process was faster, or (on Windows) still reads it
            if old.name != current and (old.name == before or old.stat().st_mtime < long_ago):
                old.unlink()


def _current(place: Path) -> str | None:
    try:
        return str(read_index(place).get("pixels"))
    except StoreChangedError:
        return None


def read_index(place: Path) -> dict[str, Any]:
    """The JSON of a finished store; StoreChangedError when there is none, or it is damaged or of another format."""
    try:
        index = json.loads((place / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreChangedError(f"{place} holds no finished image store") from error
    except (OSError, ValueError) as error:
        raise StoreChangedError(f"{place / INDEX} cannot be read ({error})") from error
    if not isinstance(index, dict) or (index.get("format"), index.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise StoreChangedError(f"{place / INDEX} is not an image store of this version of coterie")
    return index


def read_pixels(place: Path, index: Mapping[str, Any], n: int, options: StoreOptions) -> NDArray[np.uint8]:
    """The memory-mapped images, uint8 (n, c, h, w); StoreChangedError when the file is not the one described."""
    path = place / Path(str(index.get("pixels"))).name
    try:
        images = map_pixels(path)
    except (OSError, ValueError) as error:
        raise StoreChangedError(f"{path} cannot be read ({error})") from error
    if images.dtype != np.uint8 or images.shape != (n, *options.shape):
        raise StoreChangedError(f"{path} holds {images.shape} {images.dtype}, not {(n, *options.shape)} uint8")
    return images


def map_pixels(path: Path) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return images
