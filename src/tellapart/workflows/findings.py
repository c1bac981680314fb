"""What a check of the installation looks at, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "warn", "fail"]

# What libraries throw when they are imported and something in them is broken: a missing part, a shared library of
# another system, a NumPy of another binary form.
BROKEN = (ImportError, OSError, RuntimeError, ValueError, AttributeError, TypeError)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `status` is "ok", "warn" (works, but) or "fail"; `remedy` is what to do, "" where there is nothing."""

    name: str
    status: Status
    sentence: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the caller knows about the place: this package reads no environment itself.

    `settings` are the TELLAPART_… variables by setting name, `offline_variable` the one that forbids the hub the network
    (`backbones.hub.offline_variable`), None where none does. `cache_dir` is where embeddings are kept.
    """

    cache_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    offline_variable: str | None = None


def first_line(error: BaseException) -> str:
    """A foreign error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
