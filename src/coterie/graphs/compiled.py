"""The decorator every numba kernel of coterie is compiled with, and where the compiled code is kept."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np

from coterie.errors import SlowPathWarning

Function = TypeVar("Function", bound=Callable[..., object])
Integer: TypeAlias = int | np.integer[Any]  # what an index is, in Python and in compiled code


def compiled(function: Function) -> Function:
    """``function`` compiled by numba on its first call, and kept on disk for the next process.

    numba by itself keeps compiled code beside the source, which a system install forbids, and does not notice when a
    kernel in another file has changed. So the code is kept in the user's cache folder (``NUMBA_CACHE_DIR``, else
    ``COTERIE_CACHE``, else ``~/.cache/coterie``) under a name made from the sources of all kernels. Where no folder can
    be written, the function is compiled in every process, with one warning. ``COTERIE_NO_CACHE=1`` asks for that on
    purpose.
    """
    folder = _cache_folder()
    if folder is None:
        return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)  # read by numba while it decorates, so the caller's own functions see no change
    try:
        return cast("Function", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    finally:
        config.CACHE_DIR = before


@cache
def _cache_folder() -> Path | None:
    if os.environ.get("COTERIE_NO_CACHE") == "1":
        return None
    folder = _cache_root() / f"compiled-{_source_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        warnings.warn(
            f"{folder} cannot be written, so the linkage is compiled anew in every run (some 20 s); "
            "set COTERIE_CACHE to a folder of yours",
            SlowPathWarning,
            stacklevel=3,
        )
        return None
    return folder


def _cache_root() -> Path:
    for name in ("NUMBA_CACHE_DIR", "COTERIE_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coterie"


def _source_digest() -> str:
    """Of the modules with kernels, and of this one. Kernels use functions and constants of such modules only, so the
    compiled code outlives an edit anywhere else.
    """
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    kernels = b"".join(source for source in sources if b"@compiled" in source or b"def compiled(" in source)
    return hashlib.blake2b(kernels, digest_size=8).hexdigest()
