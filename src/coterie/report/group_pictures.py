"""Pictures of groups: what sets them apart, what was generated of them, and of other groupings some of their images."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np

from coterie.files.groupings import GroupPictures
from coterie.files.run_folder import RunFolder

MOST_SHOWN = 40  # groups of one answer
SMALLEST = 32  # pixels that an image is wide on the page, by whole factors


def drawn(run: RunFolder) -> dict[str, Any] | None:
    """``strength`` of what sets the groups apart ("" where that was not kept), and ``rows``: for each group its
    ``label``, what sets it ``apart`` (None likewise) and what was ``drawn`` of it, as ``_strip``; None for a run that
    generates nothing.
    """
    if run.samples is None:
        return None
    pictures = run.groupings.get(str((run.info.get("answers") or {}).get("chosen")))
    rows = [
        {"label": label, "drawn": _strip(own), "apart": None if pictures is None else _strip(pictures.apart[[label]])}
        for label, own in enumerate(run.samples[:MOST_SHOWN])
    ]
    return {"strength": "" if pictures is None else _share(pictures.strength), "rows": rows}


def other_groupings(run: RunFolder) -> list[dict[str, Any]]:
    """Of each answer that is offered beside the chosen one its ``name``, ``agreement`` with it and ``strength`` as
    text, and ``rows``: ``label`` and ``size`` of each group, and ``apart``, ``images`` and ``drawn``, as ``_strip``.
    """
    told = run.info.get("answers") or {}
    agreement = {row.get("name"): row.get("ari") for row in told.get("answers") or [] if isinstance(row, dict)}
    return [
        {"name": name, "agreement": _number(agreement.get(name)), "strength": _share(own.strength),
         "rows": _rows(own, (run.answers or {})[name])}
        for name, own in run.groupings.items()
        if name != told.get("chosen") and name in (run.answers or {})
    ]  # fmt: skip


def _rows(own: GroupPictures, labels: np.ndarray) -> list[dict[str, Any]]:
    sizes = np.bincount(labels, minlength=len(own.apart))
    return [
        {"label": label, "size": f"{sizes[label]:,}", "apart": _strip(own.apart[[label]]),
         "images": _strip(own.of_group(label)), "drawn": _strip(own.drawn[label])}
        for label in range(min(len(own.apart), MOST_SHOWN))
    ]  # fmt: skip


def _strip(images: np.ndarray) -> dict[str, Any] | None:
    """The ``images`` (m, c, h, w) side by side: ``image``, a PNG (base64) that is ``width`` x ``height`` pixels on the
    page; None for none.
    """
    from PIL import Image

    if not len(images):
        return None
    channels, height, width = images.shape[1:]
    pixels = images.transpose(2, 0, 3, 1).reshape(height, -1, channels)
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else np.ascontiguousarray(pixels))
    file, factor = BytesIO(), -(-SMALLEST // width)
    picture.save(file, "PNG")
    image = b64encode(file.getvalue()).decode("ascii")
    return {"image": image, "width": picture.width * factor, "height": height * factor}


def _share(strength: float) -> str:
    return f"{strength:.1%}"


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "\u2013"
