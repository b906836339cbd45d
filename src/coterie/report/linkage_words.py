"""How a linkage came to its groups, told to a person who has never seen clustering."""

from typing import Any

STOPS = {
    "sized": "only groups of a certain size count, fragments join them",
    "plain": "every group counts, however small",
}


MARKED = "An opened group marks them."


def linkage_rows(linkage: Any) -> list[tuple[str, str]]:
    """(what, figure) of the entry ``linkage`` of run.json; what it does not say is left out."""
    if not isinstance(linkage, dict):
        return []
    stop = str(linkage.get("stop", ""))
    rows = [
        ("Neighbours each image is linked to", _whole(linkage.get("n_neighbors"))),
        ("Images that were linked; each other joined its neighbours among them", _whole(linkage.get("linked"))),
        ("Share of the true neighbours that were found", _share(linkage.get("recall"))),
        ("When merging stopped", STOPS.get(stop, stop)),
        ("Images a group needed to count", _least(linkage.get("min_cluster_size"))),
        ("Fragments joined to a group", _whole(linkage.get("fragments"))),
        ("Images in those fragments", _whole(linkage.get("fragment_images"))),
        ("Share of a group's links that stay inside it, on average", _share(linkage.get("inside"))),
        ("Mergers of groups without any link", _whole(linkage.get("zero_merges"))),
    ]
    return [(name, value) for name, value in rows if value]


def fragments_sentence(linkage: Any) -> str:
    """What happened to the fragments; nothing when there were none."""
    if not isinstance(linkage, dict):
        return ""
    number, images = linkage.get("fragments"), linkage.get("fragment_images")
    if not isinstance(number, int) or not isinstance(images, int) or not number:
        return ""
    if number == 1:
        inside = "1 image" if images == 1 else f"{images:,} images"
        return f"One small fragment, {inside}, was joined to the group its edges point to. {MARKED}"
    return (
        f"{number:,} small fragments, {images:,} images in all, were joined to the group their edges point to. {MARKED}"
    )


def _whole(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else ""


def _share(value: Any) -> str:
    return f"{value:.1%}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _least(value: Any) -> str:
    """A size as it works: a group of 18 images needs at least 17.97."""
    return f"{-int(-value // 1):,}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
