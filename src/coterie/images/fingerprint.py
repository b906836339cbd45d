"""Whether the images are still the ones a store was made from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coterie.images.find import Entry, Found

# Raise it when the same files and options would be decoded to other pixels.
DECODER_VERSION = 1


@dataclass(frozen=True)
class Changes:
    """How many files were added, removed, and changed in size or time."""

    added: int
    removed: int
    changed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        return f"{self.added:,} added, {self.removed:,} removed, {self.changed:,} changed"


def fingerprint(found: Found, asked: Mapping[str, Any]) -> str:
    """32 hexadecimal digits over every entry's name, size and time, what was left out, and the options asked for."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((DECODER_VERSION, sorted(asked.items()))).encode("utf-8", "surrogatepass"))
    for entry in found.entries:
        line = f"{len(entry.name)}:{entry.name}:{entry.size}:{entry.mtime_ns};"
        digest.update(line.encode("utf-8", "surrogatepass"))
    for item in found.skipped:
        digest.update(f"{len(item.name)}:{item.name}:{item.reason};".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def changes(before: Iterable[tuple[str, int, int]], now: Iterable[Entry]) -> Changes:
    """What happened between two listings of (name, size, mtime_ns)."""
    old = {name: (size, mtime_ns) for name, size, mtime_ns in before}
    new = {entry.name: (entry.size, entry.mtime_ns) for entry in now}
    both = old.keys() & new.keys()
    changed = sum(old[name] != new[name] for name in both)
    return Changes(len(new) - len(both), len(old) - len(both), changed)
