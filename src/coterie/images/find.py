"""What there is to read: a sorted list of entries, and the reason for every file left out."""

# Paths stay plain strings in this file: a hundred thousand Path objects are slow to make and large to keep.
# ruff: noqa: PTH100, PTH114, PTH116, PTH120

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from errno import ELOOP
from pathlib import Path
from typing import Literal

from coterie.errors import NoImagesError, SourceError
from coterie.images.formats import has_image_extension

Kind = Literal["folder", "list", "manifest", "zip", "tar", "file"]

ARRAY_EXTENSIONS = (".npy", ".npz")
ZIP_EXTENSIONS = (".zip",)
TAR_EXTENSIONS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MANIFEST_EXTENSIONS = (".txt", ".lst", ".list", ".csv", ".tsv")
LINK_TO_FOLDER = "link to a folder, not followed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that may be read. ``name`` is its relative posix path as text; a name is never used to write.

    ``size`` is in bytes, ``mtime_ns`` the time of the file (of the archive, for a member). ``location`` is a path, or
    the position of a member inside its archive.
    """

    name: str
    size: int
    mtime_ns: int
    location: str | int


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file left out, why, and its size in bytes (0 when unknown)."""

    name: str
    reason: str
    size: int = 0


@dataclass(frozen=True)
class Found:
    """Everything under a source: ``entries`` to read, ``skipped`` with reasons, and the count of other files."""

    kind: Kind
    root: str
    entries: list[Entry]
    skipped: list[Skipped] = field(default_factory=list)
    n_other: int = 0


def find_images(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, follow_links: bool = False
) -> Found:
    """The images of a folder (recursive, sorted by relative path), list of paths, manifest, zip, tar or single file.

    Links to files are followed, links to folders only with ``follow_links``; loops are skipped; hidden files and
    folders are passed over silently. Nothing is opened except a manifest or an archive's table of contents.

    Raises:
        SourceError: the source is missing, cannot be listed, or is no kind of source.
        NoImagesError: no image in it.
    """
    if not isinstance(source, str | os.PathLike):
        found = found_list([os.fspath(path) for path in source])
    else:
        found = _found_at(os.fspath(source), follow_links)
    if not found.entries and not found.skipped:
        raise NoImagesError(no_images_sentence(found))
    return found


def no_images_sentence(found: Found) -> str:
    where = "the list" if found.kind == "list" else found.root
    other = "file" if found.n_other == 1 else "files"
    return (
        f"found 0 images under {where} (looked for .jpg .png .gif .webp .bmp .tif ...; {found.n_other} other {other})"
    )


def _found_at(source: str, follow_links: bool) -> Found:
    # Imported here because both modules build what this one defines.
    from coterie.images.archives import found_in_tar, found_in_zip
    from coterie.images.manifest import found_in_manifest

    status = _status(source)
    if stat.S_ISDIR(status.st_mode):
        return found_folder(source, follow_links)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{source} is neither a file nor a folder: give a folder, archive, manifest, array or image")
    lower = source.lower()
    if lower.endswith(ZIP_EXTENSIONS):
        return found_in_zip(source)
    if lower.endswith(TAR_EXTENSIONS):
        return found_in_tar(source)
    if lower.endswith(MANIFEST_EXTENSIONS):
        return found_in_manifest(source)
    if has_image_extension(lower):
        entry = Entry(Path(source).name, status.st_size, status.st_mtime_ns, source)
        return Found("file", source, [entry])
    known = " ".join((*ZIP_EXTENSIONS, *TAR_EXTENSIONS, *MANIFEST_EXTENSIONS, *ARRAY_EXTENSIONS))
    raise SourceError(f"{source} is not a source of images: give a folder, an image, or a file ending in {known}")


def _status(source: str) -> os.stat_result:
    try:
        return os.stat(source)
    except FileNotFoundError as error:
        raise SourceError(f"{source} does not exist: give a folder, archive, manifest, array or image") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{source} cannot be read ({getattr(error, 'strerror', None) or error})") from error


def found_list(paths: list[str], names: list[str] | None = None, kind: Kind = "list", root: str = "") -> Found:
    """The files of an explicit list, in its order. Listed files are read whatever their extension.

    Without ``names``, each is called by its path below the folder that all of them share.
    """
    names = _names_below_shared_folder(paths) if names is None else names
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for path, name in zip(paths, names, strict=True):
        entry = Skipped(name, "listed twice") if name in seen else _entry_at(path, name)
        seen.add(name)
        (entries if isinstance(entry, Entry) else skipped).append(entry)  # type: ignore[arg-type]
    return Found(kind, root, entries, skipped)


def _names_below_shared_folder(paths: list[str]) -> list[str]:
    absolute = [os.path.abspath(path) for path in paths]
    try:
        shared = os.path.commonpath([os.path.dirname(path) for path in absolute])
    except ValueError:  # no paths, or two drives
        return [Path(path).as_posix() for path in absolute]
    return [Path(os.path.relpath(path, shared)).as_posix() for path in absolute]


def _entry_at(path: str, name: str) -> Entry | Skipped:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return Skipped(name, "dangling link" if os.path.islink(path) else "missing")
    except (OSError, ValueError) as error:
        return Skipped(name, _refusal(error))
    if stat.S_ISDIR(status.st_mode):
        return Skipped(name, "is a folder")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        return Skipped(name, "not a regular file")
    return Entry(name, status.st_size, status.st_mtime_ns, path)


def _refusal(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "no permission"
    if isinstance(error, OSError) and error.errno == ELOOP:
        return "link loop"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def found_folder(root: str, follow_links: bool) -> Found:
    """Everything below a folder, sorted by relative posix path."""
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    n_other = 0
    for name, path in _walk(root, follow_links, skipped):
        if not has_image_extension(name):
            n_other += 1
            continue
        entry = _entry_at(path, name)
        (entries if isinstance(entry, Entry) else skipped).append(entry)  # type: ignore[arg-type]
    entries.sort(key=_by_name)
    skipped.sort(key=_by_name)
    return Found("folder", root, entries, skipped, n_other)


def _by_name(item: Entry | Skipped) -> str:
    return item.name


def _walk(root: str, follow_links: bool, skipped: list[Skipped]) -> Iterator[tuple[str, str]]:
    """(relative posix name, path) of every visible file; folders carry the identities of those above them."""
    pending: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(root, "", ())]
    while pending:
        folder, prefix, above = pending.pop()
        listing, identity = _listing(folder)
        if identity in above:
            skipped.append(Skipped(prefix.rstrip("/"), "link loop"))
            continue
        for item in listing:
            name = prefix + item.name
            if item.name.startswith("."):
                continue
            if item.is_dir(follow_symlinks=False) or (item.is_symlink() and _leads_to_folder(item)):
                if item.is_symlink() and not follow_links:
                    skipped.append(Skipped(name, LINK_TO_FOLDER))
                else:
                    pending.append((item.path, name + "/", (*above, identity)))
            else:
                yield name, item.path


def _leads_to_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link to itself
        return False


def _listing(folder: str) -> tuple[list[os.DirEntry[str]], tuple[int, int]]:
    try:
        status = os.stat(folder)
        with os.scandir(folder) as items:
            return list(items), (status.st_dev, status.st_ino)
    except OSError as error:
        raise SourceError(f"folder {folder} cannot be listed ({error.strerror}): check its permissions") from error
