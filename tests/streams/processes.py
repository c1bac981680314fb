"""What processes take of the machine, read from Linux's /proc: threads, open files, children, memory, time of cores."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """By a process with all that it started."""

    n_processes: int
    n_threads: int
    n_files: int
    pss_bytes: int
    """Memory, shared pages counted once in all."""
    cpu_s: float
    """Of what still lives."""


def taken(pid: int, *, children: bool = True) -> Taken:
    """By a process, with all that descends from it unless told otherwise; what ended meanwhile counts nothing."""
    each = [_one(one) for one in (family(pid) if children else [pid])]
    found = [one for one in each if one is not None]
    return Taken(
        n_processes=len(found),
        n_threads=sum(one.n_threads for one in found),
        n_files=sum(one.n_files for one in found),
        pss_bytes=sum(one.pss_bytes for one in found),
        cpu_s=sum(one.cpu_s for one in found),
    )


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    return [pid, *(later for child in children(pid) for later in family(child))]


def children(pid: int) -> list[int]:
    """Those that a process started, ended ones that nobody waited for (zombies) included."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


def files_by_kind(pid: int) -> Counter[str]:
    """Open files of a process: where they lead, numbers left out; says what leaks."""
    found: Counter[str] = Counter()
    for one in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            found[re.sub(r"\d+", "", str(one.readlink()))] += 1
    return found


def _one(pid: int) -> Taken | None:
    here = Path(f"/proc/{pid}")
    try:
        fields = (here / "stat").read_text().rpartition(")")[2].split()
        pss = re.search(r"^Pss:\s+(\d+) kB", (here / "smaps_rollup").read_text(), re.MULTILINE)
        n_files = len(list((here / "fd").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Taken(
        1, int(fields[17]), n_files, int(pss[1]) * 1024 if pss else 0, (int(fields[11]) + int(fields[12])) / _TICKS
    )
