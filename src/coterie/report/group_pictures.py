"""Pictures of groups: what sets them apart, some of their images, and what was generated of them; of the chosen answer
and of others.
"""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np

from coterie.files.group_pictures import MOST_GROUPS, GroupPictures
from coterie.files.run_folder import RunFolder
from coterie.report.numbers import number_text

SMALLEST = 32  # pixels that an image is wide on the page, by whole factors


def drawn(run: RunFolder) -> dict[str, Any] | None:
    """The pictures of the chosen answer, as ``_answer``; None for a run that generates nothing."""
    if run.samples is None:
        return None
    name = str(_told(run).get("chosen"))
    if name in run.group_pictures:
        return _answer(run, name)
    rows = [{"label": label, "drawn": _strip(own)} for label, own in enumerate(run.samples[:MOST_GROUPS])]
    return {"name": name, "strength": "", "many": len(run.samples), "rows": rows}  # a run before more was kept


def other_groupings(run: RunFolder) -> list[dict[str, Any]]:
    """The pictures of each answer that is offered beside the chosen one, as ``_answer``, with its ``agreement``."""
    others = [name for name in run.group_pictures if name != _told(run).get("chosen")]
    return [_answer(run, name) | {"agreement": _agreement(run, name)} for name in others]


def _answer(run: RunFolder, name: str) -> dict[str, Any]:
    """The ``name`` of an answer, the ``strength`` of what sets its groups apart as text, how ``many`` groups it has,
    and ``rows``: of each group its ``label`` and ``size``, and ``apart``, ``images`` and ``drawn``, as ``_strip``.
    """
    own, sizes = run.group_pictures[name], np.bincount((run.answers or {})[name])
    rows = [_row(own, label, int(size)) for label, size in enumerate(sizes[:MOST_GROUPS])]
    return {"name": name, "strength": f"{own.strength:.1%}", "many": len(sizes), "rows": rows}


def _row(own: GroupPictures, label: int, size: int) -> dict[str, Any]:
    return {
        "label": label, "size": f"{size:,}", "apart": _strip(own.apart[[label]]),
        "images": _strip(own.of_group(label)), "drawn": _strip(own.drawn[label]),
    }  # fmt: skip


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


def _told(run: RunFolder) -> dict[str, Any]:
    told = run.info.get("answers")
    return told if isinstance(told, dict) else {}


def _agreement(run: RunFolder, name: str) -> str:
    """With the chosen answer, as run.json has it."""
    rows = _told(run).get("answers")
    known = rows if isinstance(rows, list) else []
    found = (row.get("ari") for row in known if isinstance(row, dict) and row.get("name") == name)
    return number_text(next(found, None))
