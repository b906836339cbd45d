"""What a measured number carries: command, commit, date, machine."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from coterie.evidence.machine import machine


def provenance() -> dict[str, object]:
    """The keys every JSON of docs/results has. A commit ending in + had uncommitted changes; where the sources came
    without their repository, COTERIE_COMMIT names it.
    """
    found = machine()
    return {
        "command": shlex.join(["python", *[Path(a).name if a.startswith("/") else a for a in sys.argv]]),
        "commit": os.environ.get("COTERIE_COMMIT") or _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{found['cores']} cores, {platform.machine()}, {found['gpu'] or 'no GPU'}",
    }


def _commit() -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, check=True)
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
