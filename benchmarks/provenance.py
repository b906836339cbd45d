"""What a measured number carries: command, commit, date, machine."""

import os
import platform
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from coterie.evidence.machine import commit, machine

# Of the code that was loaded, not of a later one.
COMMIT = os.environ.get("COTERIE_COMMIT") or re.sub(r"^([0-9a-f]{7})[0-9a-f]*", r"\1", commit() or "unknown")


def provenance() -> dict[str, object]:
    """The keys every JSON of docs/results has. A commit ending in + had uncommitted changes; where the sources came
    without their repository, COTERIE_COMMIT names it.
    """
    found = machine()
    return {
        "command": shlex.join(["python", *[Path(a).name if a.startswith("/") else a for a in sys.argv]]),
        "commit": COMMIT,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{found['cores']} cores, {platform.machine()}, {found['gpu'] or 'no GPU'}",
    }
