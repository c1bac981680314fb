"""What hostile files make libraries do; run by test_apart.py in a process of its own."""

from __future__ import annotations

import atexit
import ctypes
import os
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


def chat_at_exit(value: int) -> int:
    atexit.register(lambda: sys.stdout.write("goodbye\n"))
    return value


def leave(value: int) -> None:
    os._exit(0 * value)


def full(value: int) -> None:
    raise OSError(28, "No space left on device")
