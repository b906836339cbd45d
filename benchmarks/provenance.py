"""What a measured number carries: command, commit, date, machine."""

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from coterie.evidence.machine import commit, machine

FULL, SHORT = 40, 7  # digits of a commit


def provenance() -> dict[str, object]:
    """The keys every JSON of docs/results has. A commit ending in + had uncommitted changes; where the sources came
    without their repository, COTERIE_COMMIT names it.
    """
    found = machine()
    return {
        "command": shlex.join(["python", *[Path(a).name if a.startswith("/") else a for a in sys.argv]]),
        "commit": os.environ.get("COTERIE_COMMIT") or _short(commit()),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{found['cores']} cores, {platform.machine()}, {found['gpu'] or 'no GPU'}",
    }


def _short(found: str | None) -> str:
    if found is None:
        raise SystemExit("no checkout is around these sources: run them from one, or name the commit in COTERIE_COMMIT")
    return found[:SHORT] + found[FULL:]
