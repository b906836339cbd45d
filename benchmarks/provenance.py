"""What a measured number carries: command, commit, date, machine."""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path


def provenance() -> dict[str, object]:
    """The keys every JSON of docs/results has. A commit ending in + had uncommitted changes."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, check=True)
    return {
        "command": shlex.join(["python", *[Path(a).name if a.startswith("/") else a for a in sys.argv]]),
        "commit": commit.stdout.strip() + ("+" if changed.stdout.strip() else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"2 cores, {platform.machine()}, no GPU",
    }
