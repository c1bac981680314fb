"""How long work tells what it is doing, without knowing who looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives every step of a workflow; the cli draws a bar, a test keeps a list, `silent` does nothing."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` units of `stage` are finished; `total` 0 means the stage has no steps to count."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""
