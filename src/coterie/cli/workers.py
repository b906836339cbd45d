"""How many threads decode."""

import os


def worker_count(asked: int) -> int:
    """``asked``, or one for each core this process may use when it is negative."""
    if asked >= 0:
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1
