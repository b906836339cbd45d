"""What the system says of the memory of other processes and of the machine; nothing where it does not say."""

from pathlib import Path

KILOBYTES = 2**20  # in a GB


def resident_gb(pid: int) -> float:
    """GB that process ``pid`` holds now; 0 where the system does not say (anything but Linux), or it has ended."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:") / KILOBYTES


def available_gb() -> float | None:
    """GB of memory that can still be had, other programs left alone; None where the system does not say."""
    return _field(Path("/proc/meminfo"), "MemAvailable:") / KILOBYTES or None


def _field(path: Path, name: str) -> float:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)
