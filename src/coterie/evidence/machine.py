"""What a measured number depends on besides the recipe: the machine, the versions, the commit, the memory."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("coterie", "torch", "numpy", "scipy", "scikit-learn", "numba", "lightning-fabric")
SOURCE = Path(__file__).resolve().parents[1]


def provenance() -> dict[str, Any]:
    """created (UTC), machine, versions and commit, as every record has them."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"created": created, "machine": machine(), "versions": versions(), "commit": commit()}


def machine() -> dict[str, Any]:
    """cpu (its name), cores that this process may use, threads that torch takes, gpu (name or None), system."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_name(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """The versions of Python and of every library that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "unknown"
    return found


def commit() -> str | None:
    """The commit of the checkout that this code runs from, with + when its sources were changed since.

    None when coterie is installed: the nearest checkout is then somebody else's.
    """
    try:
        top = Path(_git("rev-parse", "--show-toplevel"))
        if top / "src" / "coterie" != SOURCE:
            return None
        return _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--", str(SOURCE)) else "")
    except (OSError, subprocess.SubprocessError):
        return None


def start_gpu_count() -> None:
    """Forgets the peak of GPU memory so far, so that ``peak_memory`` tells that of one run."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float | None]:
    """``peak_memory_gb``, the most that this process has held so far, earlier runs in it included, and
    ``peak_gpu_memory_gb``, the most on the GPU since ``start_gpu_count``; None where that cannot be known.
    """
    import torch

    gpu = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    return {"peak_memory_gb": _rounded(_peak()), "peak_gpu_memory_gb": _rounded(gpu)}


def _peak() -> float | None:
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(SOURCE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
