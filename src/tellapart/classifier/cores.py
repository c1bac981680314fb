"""How many cores there are to work with."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores this process may use (an affinity mask or container limit counts, the machine's size does not)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
