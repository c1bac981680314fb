"""One place that things go to, with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Channel:
    """`is_failing` is about the last attempt; `n_waiting` are events that it has not come to yet."""

    name: str
    n_failed: int = 0
    is_failing: bool = False
    message: str = ""
    n_waiting: int = 0

    def attempt(self, action: Callable[..., object], *values: Any) -> None:
        """Do it; whatever goes wrong is counted, and nothing is raised."""
        try:
            action(*values)
        except Exception as error:  # noqa: BLE001  no sink may end a stream
            self.failed(_said(error))
        else:
            self.is_failing = False

    def close(self, action: Callable[[], object]) -> None:
        """Closing is one more attempt, and a good one says nothing about those before."""
        failing = self.is_failing
        self.attempt(action)
        self.is_failing |= failing

    def failed(self, message: str, n: int = 1) -> None:
        """So many things did not get there."""
        self.n_failed += n
        self.is_failing, self.message = True, message

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = {"name": self.name, "failing": self.is_failing, "failed": self.n_failed}
        return value | {"message": self.message, "waiting": self.n_waiting}


def _said(error: Exception) -> str:
    """What went wrong, without the number that the system gives it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
