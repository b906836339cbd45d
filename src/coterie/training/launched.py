"""Which of the processes that torchrun started together this one is; nothing heavy is imported to know it.

torchrun, which ``fabric run`` calls, tells each process by its environment. Without it there is one process.
"""

import os


def n_launched() -> int:
    """How many processes were started together, on all machines."""
    return _told("WORLD_SIZE", 1)


def n_here() -> int:
    """How many of them are on this machine."""
    return _told("LOCAL_WORLD_SIZE", 1)


def is_first() -> bool:
    """Whether this is the process that speaks and writes for all."""
    return _told("RANK", 0) == 0


def _told(name: str, alone: int) -> int:
    # other tools set variables of these names too; this one is torchrun's own
    return int(os.environ.get(name, alone)) if "TORCHELASTIC_RUN_ID" in os.environ else alone
