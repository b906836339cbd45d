"""How speed is measured beside the code of a paper's authors: in a process of its own, from where it was cloned to.

Nothing of that code is kept. What it imports and does not need for its loop is stood in for.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any


def seconds_apart(script: str, words: Sequence[str]) -> float:
    """The seconds that ``python script words`` prints last, as {"seconds": ...}; SystemExit with its error."""
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the authors' code failed:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def stand_in_modules(modules: Mapping[str, Sequence[str]], part: Any = None) -> None:
    """Makes ``modules`` importable, each with the names it must have, all of which are ``part``."""
    for name, parts in modules.items():
        found = ModuleType(name)
        for own in parts:
            setattr(found, own, part)
        sys.modules[name] = found
        parent, _, child = name.rpartition(".")
        if parent in modules:
            setattr(sys.modules[parent], child, found)
