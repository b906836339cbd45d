"""Arrays as text that a page can carry."""

from base64 import b64encode

import numpy as np


def packed(values: np.ndarray, kind: str) -> str:
    """The bytes of ``values`` as ``kind`` (a dtype with its byte order, such as ``<i4``), in base64."""
    return b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")
