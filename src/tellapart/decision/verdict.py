"""Whether a condition holds, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """`because` is a clause such as "3 of 5 images vote for 'defect', 3 needed"; `evidence` the ids it rests on."""

    holds: bool
    because: str
    evidence: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.holds


def joined(parts: Iterable[Verdict], word: str) -> tuple[str, tuple[str, ...]]:
    """The reasons of several verdicts as one clause, and their evidence, each id once."""
    parts = tuple(parts)
    evidence = tuple(dict.fromkeys(one for part in parts for one in part.evidence))
    return f" {word} ".join(part.because for part in parts), evidence
