"""Numbers and lists in the sentences of findings."""

from __future__ import annotations

from collections.abc import Sequence


def count(n: int, what: str) -> str:
    """`1 image`, `1,200 images`; a word in -s or -x gets -es."""
    if n == 1:
        return f"1 {what}"
    return f"{n:,} {what}{'es' if what.endswith(('s', 'x')) else 's'}"


def some(names: Sequence[str], most: int = 4) -> str:
    """`'a', 'b' and 3 more`."""
    quoted = [repr(name) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(quoted)} and {len(names) - most} more"
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else "none"


def percent(share: float) -> str:
    """`12 %`, `0.4 %`."""
    return f"{share * 100:.0f} %" if share >= 0.095 else f"{share * 100:.1f} %"
