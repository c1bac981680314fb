"""Which segments a change writes anew, so that a small change writes little and a search meets few segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.index.kinds import kind_for

# A large approximate segment takes in the exact ones beside it when these hold more rows than this, or than this part of
# its own: until then comparing all of them costs a search about as much as the large one.
BESIDE, BESIDE_SHARE = 20_000, 0.05
# Above this part of removed rows a segment is written anew without them.
GONE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """A segment that is there: its kind, stored rows and live rows."""

    kind: str
    stored: int
    live: int

    @property
    def sparse(self) -> bool:
        """Whether too much of it is gone."""
        return self.live == 0 or self.stored - self.live > GONE_SHARE * self.stored


@dataclass(frozen=True, slots=True)
class Written:
    """A segment to write of the live rows of the segments `first` to the end, and the new rows behind them.

    `base`: these rows are added to the segment before, whose files are read and written anew with all its rows.
    """

    first: int
    kind: str
    base: bool = False


def after_adding(asked: str, parts: Sequence[Part], n_new: int) -> Written:
    """What to write for `n_new` further rows in an index for which the kind `asked` was asked."""
    kind = kind_for(asked, sum(part.live for part in parts) + n_new)
    has_base = bool(parts) and parts[0].kind != "flat"
    beside = sum(part.live for part in parts[1:]) + n_new
    if not has_base and kind != "flat":
        return Written(0, kind)
    if has_base and beside > max(BESIDE, BESIDE_SHARE * parts[0].stored):
        whole = parts[0].sparse or kind != parts[0].kind
        return Written(0, kind) if whole else Written(1, kind, base=True)
    return Written(_merged(parts, n_new, 1 if has_base else 0), "flat")


def _merged(parts: Sequence[Part], n_new: int, lowest: int) -> int:
    """From which segment on all go into the new one: each must be more than twice as large as what follows it.

    So n additions leave log n segments and write each row log n times.
    """
    first, size = len(parts), n_new
    while first > lowest and parts[first - 1].live <= 2 * size:
        first -= 1
        size += parts[first].live
    return first


def after_removing(parts: Sequence[Part]) -> list[int]:
    """Segments that are to be written anew, or dropped where nothing is left of them."""
    return [number for number, part in enumerate(parts) if part.sparse]
