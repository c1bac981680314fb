"""The capturing process as its parent holds it: started, told, read, and ended whatever it does."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tellapart.streams.wire import receive, widen

# Many cameras: threads of numerical libraries in each process would cost memory and bring nothing.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Child:
    """A process of its own session: Ctrl-C reaches the parent alone, which lets its children hang up."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        # The same modules as here, and -P: a folder of data must not be able to bring Python files of its own.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tellapart.streams.capture"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | _ENVIRONMENT | {"PYTHONPATH": path},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._orders = cast(BinaryIO, self._process.stdin)
        self._messages = cast(BinaryIO, self._process.stdout)
        widen(self._messages)
        self.tell(order)
        if sys.platform != "win32":  # a process that does not read must hold up nobody who tells it something
            os.set_blocking(self._orders.fileno(), False)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def tell(self, order: Mapping[str, Any]) -> None:
        """A line of JSON; nothing where it is gone, or reads nothing any more."""
        with contextlib.suppress(OSError, ValueError):
            self._orders.write(json.dumps(order).encode() + b"\n")

    def receive(self) -> tuple[dict[str, Any], NDArray[np.uint8] | None] | None:
        """Its next message; None when it has ended."""
        return receive(self._messages)

    def let_go(self) -> None:
        """Tell it to hang up: it is gone after a second."""
        with contextlib.suppress(OSError):
            self._orders.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def ended(self, timeout_s: float) -> int | None:
        """Its exit code, negative for a signal; None where it is still there after the time: it hangs in the system."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Close what led to it."""
        self.let_go()
        self._messages.close()
