"""Which label names are ways to write one label: by case and spacing, number, verdict, or a slip of the pen."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import combinations

_VERDICTS = (
    {"ok", "okay", "good", "io", "pass", "passed", "accept", "accepted"},
    {
        "nok",
        "notok",
        "nio",
        "ng",
        "nogood",
        "bad",
        "defect",
        "defective",
        "fail",
        "failed",
        "faulty",
        "reject",
        "rejected",
    },
)
# Shorter words often differ by a letter and mean other things: cat and car, horse and house.
_LONG_WORD = 6
# A slip of the pen is rare beside what was meant; two kinds that really differ by a letter seldom are so unequal.
_RARE = 0.2


class Variant(StrEnum):
    """In what two names differ, in words."""

    SPELLING = "differ only in case, spaces or hyphens"
    PLURAL = "are singular and plural of one word"
    VERDICT = "are words for the same verdict"
    SLIP = "differ by one letter"


def variants(names: Sequence[str], totals: Sequence[int]) -> dict[tuple[int, int], Variant]:
    """Pairs of columns that are variants of one another, with what they differ in; `totals` are images per name."""
    found = {pair: Variant.SLIP for pair in _slips(names) if _unequal(totals, pair)}
    found |= dict.fromkeys(_sharing([_verdict(name) for name in names]), Variant.VERDICT)
    found |= dict.fromkeys(_sharing([singular(spelling(name)) for name in names]), Variant.PLURAL)
    return found | dict.fromkeys(_sharing([spelling(name) for name in names]), Variant.SPELLING)


def spelling(name: str) -> str:
    """Without case and separators; between two digits they count, as in 1-1 and 11, and so do signs at the ends."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"(?<=[^\W_])[\s_.-]+(?=[^\W\d_])|(?<=[^\W\d_])[\s_.-]+(?=[^\W_])", "", plain)


def singular(word: str) -> str:
    """English plurals without their ending; other words as they are."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("zes", "z")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    return word[:-1] if re.search(r"[^\W\d_]{3}(?<![sui])s$", word) else word


def meaning(name: str) -> str:
    """The same for names that mean the same by all but a slip: case, spacing, number, words for one verdict."""
    return _verdict(name) or singular(spelling(name))


def _verdict(name: str) -> str | None:
    word = re.sub(r"[\W_]+", "", name.casefold())
    return next((f"verdict {i}" for i, words in enumerate(_VERDICTS) if word in words), None)


def _sharing(keys: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """Pairs of places with the same key."""
    places = defaultdict(list)
    for place, key in enumerate(keys):
        if key is not None:
            places[key].append(place)
    for group in places.values():
        yield from combinations(group, 2)


def _slips(names: Sequence[str]) -> set[tuple[int, int]]:
    """Names that are one slip apart. Two such have an equal rest when one letter is taken out of each, so that not all
    pairs need to be compared (Garbe 2012, symmetric deletion)."""
    rests = defaultdict(list)
    plain = [re.sub(r"[\s_.-]+", " ", name).casefold() for name in names]
    for place, name in enumerate(plain):
        for rest in {name, *(name[:i] + name[i + 1 :] for i in range(1, len(name) - 1))}:
            rests[rest].append(place)
    near = {pair for places in rests.values() for pair in combinations(places, 2)}
    return {(a, b) for a, b in near if _one_slip(plain[a].split(), plain[b].split())}


def _one_slip(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether one long word differs by a letter too many, another one, or two that changed places, inside of it."""
    differing = [pair for pair in zip(a, b, strict=False) if pair[0] != pair[1]]
    if len(a) != len(b) or len(differing) != 1:
        return False
    x, y = differing[0]
    if min(len(x), len(y)) < _LONG_WORD or not (x + y).isalpha():
        return False
    # Both ends count: typical and atypical, scratch A and scratch B written as one word are not slips.
    if x[0] != y[0] or x[-1] != y[-1]:
        return False
    while x and y and x[0] == y[0]:
        x, y = x[1:], y[1:]
    while x and y and x[-1] == y[-1]:
        x, y = x[:-1], y[:-1]
    return max(len(x), len(y)) == 1 or (len(x) == 2 and x == y[::-1])


def _unequal(totals: Sequence[int], pair: tuple[int, int]) -> bool:
    few, many = sorted(totals[column] for column in pair)
    return few <= _RARE * many
