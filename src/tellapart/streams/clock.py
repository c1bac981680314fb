"""Time that never jumps: the wall clock as it was at the start, carried on by the monotonic one."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds since 1970. Corrections of the machine's clock while it runs do not reach it; children of a process take the
    parent's (`offset_s` travels: `time.monotonic` is one clock for all processes of a machine)."""

    offset_s: float

    @classmethod
    def started_now(cls) -> Clock:
        """Agrees with the wall clock at this moment."""
        return cls(time.time() - time.monotonic())

    def now_s(self) -> float:
        """This instant, to the microsecond: journals write no more, and a replay must find the same times."""
        return round(time.monotonic() + self.offset_s, 6)
