"""What the decoder is fed for each entry: a path, the bytes of an archive's member, or the reason there are none."""

from collections.abc import Collection, Iterator

from coterie.errors import UnreadableImageError
from coterie.images.archives import tar_payloads, zip_payloads
from coterie.images.find import Found

Payload = str | bytes | UnreadableImageError


def payloads(found: Found, wanted: Collection[int]) -> Iterator[tuple[int, Payload]]:
    """(index into ``found.entries``, payload) of every wanted entry, not always in order (a tar keeps its own)."""
    if found.kind == "zip":
        yield from zip_payloads(found.root, found.entries, wanted)
    elif found.kind == "tar":
        yield from tar_payloads(found.root, found.entries, wanted)
    else:
        for index in wanted:
            yield index, str(found.entries[index].location)
