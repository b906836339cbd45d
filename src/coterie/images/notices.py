"""What a person is told about the images as a whole: too few, too many bad ones, and what was unusual."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

from coterie.errors import (
    DuplicateImagesWarning,
    ImageOdditiesWarning,
    NoImagesError,
    SkippedImagesWarning,
    TooManyBadImagesError,
)
from coterie.images.find import LINK_TO_FOLDER, Skipped
from coterie.images.oddities import SENTENCES

COPIES = ("1 image is an exact copy of another", "{n} images are exact copies of others")


def check_enough(where: str, n_good: int, skipped: Sequence[Skipped], max_bad: float, least: int) -> None:
    """Stops when too little could be read.

    Raises:
        NoImagesError: fewer than ``least`` images.
        TooManyBadImagesError: a share above ``max_bad`` could not be read.
    """
    bad = [item for item in skipped if item.reason != LINK_TO_FOLDER]
    total = n_good + len(bad)
    if n_good < least:
        reasons = f" ({_examples(bad)})" if bad else ""
        raise NoImagesError(
            f"read {n_good:,} of {total:,} images under {where}, and at least {least} are needed{reasons}"
        )
    if len(bad) > max_bad * total:
        raise TooManyBadImagesError(
            f"could not read {len(bad):,} of {total:,} images under {where}, more than max_bad={max_bad:g} allows "
            f"({_examples(bad)}): repair or remove them, or raise max_bad"
        )


def warn_about(n_good: int, skipped: Sequence[Skipped], oddities: Mapping[str, int], duplicates: int) -> None:
    """One warning for the skipped files, one for each kind of oddity, one for exact copies."""
    if skipped:
        total = n_good + len(skipped)
        sentence = f"skipped {len(skipped):,} of {total:,} images ({skipped_summary(skipped)})"
        warnings.warn(sentence, SkippedImagesWarning, stacklevel=3)
    for kind, count in sorted(oddities.items()):
        warnings.warn(_counted(SENTENCES[kind], count), ImageOdditiesWarning, stacklevel=3)
    if duplicates:
        sentence = _counted(COPIES, duplicates)
        warnings.warn(sentence, DuplicateImagesWarning, stacklevel=3)


def skipped_summary(skipped: Sequence[Skipped]) -> str:
    """Reasons with their counts, most frequent first: ``8 truncated, 5 not an image, 1 too large``."""
    kinds = Counter(_kind(item.reason) for item in skipped)
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def _kind(reason: str) -> str:
    return "too large" if "megapixels" in reason or reason == "too large a member" else reason


def _examples(bad: Sequence[Skipped]) -> str:
    shown = "; ".join(f"{item.name}: {item.reason}" for item in bad[:3])
    return shown + ("; ..." if len(bad) > 3 else "")


def _counted(sentences: tuple[str, str], count: int) -> str:
    return sentences[0] if count == 1 else sentences[1].format(n=f"{count:,}")
