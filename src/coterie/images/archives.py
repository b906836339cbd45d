"""Images inside a zip or tar, read in memory. Nothing is ever extracted; a member's name is only text."""

# Paths stay plain strings in this file: a hundred thousand Path objects are slow to make and large to keep.
# ruff: noqa: PTH116, PTH123

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from typing import IO, Any

from coterie.errors import SourceError, UnreadableImageError
from coterie.images.find import Entry, Found, Skipped
from coterie.images.formats import has_image_extension

MAX_MEMBERS = 1_000_000
# One member, as declared and as unpacked: more than the largest photo, far less than a bomb.
MAX_MEMBER_BYTES = 512_000_000

DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, RuntimeError,
    NotImplementedError,
)  # fmt: skip

Payload = bytes | UnreadableImageError


def found_in_zip(path: str) -> Found:
    """The images listed in a zip's table of contents, sorted by name; ``location`` is the position in that table."""
    collected = _Collected(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for position, member in enumerate(archive.infolist()):
                encrypted = "encrypted" if member.flag_bits & 1 else ""
                kind = stat.S_IFMT(member.external_attr >> 16)
                special = "link" if stat.S_ISLNK(kind) else "" if kind in {0, stat.S_IFREG} else "special file"
                if not member.is_dir():
                    collected.add(member.filename, member.file_size, position, special or encrypted)
    except DAMAGED as error:
        raise _broken(path, error) from error
    return collected.found("zip")


def found_in_tar(path: str) -> Found:
    """The images of a tar (plain, gzip, bzip2 or xz), sorted by name; ``location`` counts the members."""
    collected = _Collected(path)
    try:
        for position, member in _members(path):
            special = "" if member.isreg() and not member.issparse() else "link" if _is_link(member) else "special file"
            if not member.isdir():
                collected.add(member.name, member.size, position, special)
    except DAMAGED as error:
        raise _broken(path, error) from error
    return collected.found("tar")


def zip_payloads(path: str, entries: list[Entry], wanted: Collection[int]) -> Iterator[tuple[int, Payload]]:
    """(index into ``entries``, bytes or the reason they cannot be had) of every wanted entry."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for index in sorted(wanted):
            entry = entries[index]
            yield index, _zip_bytes(archive, members, entry)


def tar_payloads(path: str, entries: list[Entry], wanted: Collection[int]) -> Iterator[tuple[int, Payload]]:
    """As ``zip_payloads``, in the order of the tar: a compressed one can only be read from its start."""
    index_at = {entries[index].location: index for index in wanted}
    for position, member, archive in _open_members(path):
        index = index_at.get(position)
        if index is not None:
            yield index, _tar_bytes(archive, member, entries[index])
            index_at.pop(position)
        if not index_at:
            return
    for index in index_at.values():
        yield index, UnreadableImageError(entries[index].name, "vanished")


class _Collected:
    """Members so far, with the rules that both kinds of archive share."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.mtime_ns = _mtime(path)
        self.entries: list[Entry] = []
        self.skipped: list[Skipped] = []
        self.names: set[str] = set()
        self.n_other = 0
        self.n_members = 0

    def add(self, name: str, size: int, position: int, special: str) -> None:
        while name.startswith("./"):  # as `tar -c .` writes it; the same file in a folder is called a/x.png
            name = name[2:]
        self.n_members += 1
        if self.n_members > MAX_MEMBERS:
            raise SourceError(f"{self.path} holds more than {MAX_MEMBERS:,} members: split it")
        if _hidden(name):
            return
        if not has_image_extension(name):
            self.n_other += 1
        elif reason := special or self._refusal(name, size):
            self.skipped.append(Skipped(name, reason, size))
        else:
            self.names.add(name)
            self.entries.append(Entry(name, size, self.mtime_ns, position))

    def _refusal(self, name: str, size: int) -> str:
        if name in self.names:
            return "listed twice"
        return "too large a member" if size > MAX_MEMBER_BYTES else ""

    def found(self, kind: Any) -> Found:
        self.entries.sort(key=lambda entry: entry.name)
        self.skipped.sort(key=lambda skipped: skipped.name)
        return Found(kind, self.path, self.entries, self.skipped, self.n_other)


def _hidden(name: str) -> bool:
    # `.` and `..` are directions, not hidden names.
    parts = [part for part in name.split("/") if part not in {"", ".", ".."}]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise _broken(path, error) from error


def _broken(path: str, error: Exception) -> SourceError:
    if isinstance(error, PermissionError):
        return SourceError(f"archive {path} cannot be read: no permission")
    return SourceError(f"archive {path} is damaged or is not what its extension says ({error}): make it again")


def _is_link(member: tarfile.TarInfo) -> bool:
    return member.issym() or member.islnk()


def _members(path: str) -> Iterator[tuple[int, tarfile.TarInfo]]:
    for position, member, _ in _open_members(path):
        yield position, member


def _open_members(path: str) -> Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]]:
    with _plain_stream(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        position = 0
        while (member := archive.next()) is not None:
            yield position, member, archive
            # The list of members seen would otherwise grow by a kilobyte for each.
            archive.members.clear()  # type: ignore[attr-defined]
            position += 1


def _plain_stream(path: str) -> IO[bytes]:
    lower = path.lower()
    if lower.endswith((".gz", ".tgz")):
        return gzip.open(path)  # type: ignore[return-value]
    if lower.endswith((".bz2", ".tbz2")):
        return bz2.open(path)
    if lower.endswith((".xz", ".txz")):
        return lzma.open(path)
    return open(path, "rb")


def _zip_bytes(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], entry: Entry) -> Payload:
    try:
        with archive.open(members[int(entry.location)]) as stream:
            return _limited(stream, entry.name)
    except UnreadableImageError as error:
        return error
    except (*DAMAGED, IndexError):
        return UnreadableImageError(entry.name, "damaged in the archive")


def _tar_bytes(archive: tarfile.TarFile, member: tarfile.TarInfo, entry: Entry) -> Payload:
    try:
        stream = archive.extractfile(member)  # a view on the archive; writes nothing
        if stream is None:
            return UnreadableImageError(entry.name, "special file")
        data = _limited(stream, entry.name)
        return data if len(data) == member.size else UnreadableImageError(entry.name, "truncated")
    except UnreadableImageError as error:
        return error
    except DAMAGED:
        return UnreadableImageError(entry.name, "damaged in the archive")


def _limited(stream: IO[bytes], name: str) -> bytes:
    """What the stream really holds, up to the limit, whatever its header declared."""
    data = stream.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise UnreadableImageError(name, "too large a member")
    return data
