"""What hostile files make libraries do; run by test_apart.py in a process of its own."""

from __future__ import annotations

import ctypes
import sys
import time

from tellapart.errors import MissingExtra, Reason


def crash(value: int) -> None:
    ctypes.string_at(value)


def hang(value: int) -> None:
    time.sleep(60 * value)


def stop(value: int) -> None:
    raise ZeroDivisionError("no")


def chat(value: int) -> int:
    sys.stdout.write("a library says something\n")
    return value


def refuse(value: int) -> None:
    raise MissingExtra(Reason.MISSING_EXTRA, "pip install more")
