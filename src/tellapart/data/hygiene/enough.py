"""Whether there are images enough: which classes would gain from more of them, how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.hygiene.prospects import Prospect, Prospects, Range
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.wording import count

# Twice the images of anything buy a little: below two points, or where it may as well be less than one, it is not told.
LEAST_GAIN, SURE_GAIN = 0.02, 0.01
_TOLD = 5


def find(evidence: Evidence) -> list[Finding]:
    """Classes by what twice their images would buy, the most first; then those of which nothing can be told."""
    found = evidence.prospects
    if found is None:
        return []
    gaining = sorted((one for one in found.classes if gains(one)), key=lambda one: -_gain(one).value)
    return [
        *([_everything(found)] if gains(found.overall) else []),
        *(_class(found, one) for one in gaining[:_TOLD]),
        *_others(found, gaining[_TOLD:]),
        *_untold([one for one in found.classes if one.cannot_tell]),
    ]


def gains(prospect: Prospect) -> bool:
    """Whether twice the images are worth telling."""
    gain = prospect.twice and prospect.twice.gain
    return bool(gain and gain.value >= LEAST_GAIN and gain.low >= SURE_GAIN)


def _gain(prospect: Prospect) -> Range:
    assert prospect.twice is not None
    return prospect.twice.gain


def _class(found: Prospects, one: Prospect) -> Finding:
    assert one.twice is not None
    sentence = f"about {count(one.twice.more, 'more image')} of {one.label!r} would raise its {_from_to(found, one)}"
    return _finding(one, sentence, f"collect more images of {one.label!r}, unlike those at hand")


def _everything(found: Prospects) -> Finding:
    one = found.overall
    assert one.twice is not None
    sentence = (
        f"about {count(one.twice.more, 'more image')}, of all labels alike, would raise the mean {_from_to(found, one)}"
    )
    return _finding(one, sentence, "collect more images; the report shows for which label it pays most")


def _from_to(found: Prospects, one: Prospect) -> str:
    assert one.twice is not None
    assert one.now is not None
    gain = one.twice.gain
    return f"{found.score} from {one.now.value:.2f} to {one.now.value + gain.value:.2f}, by {points(gain)}"


def points(gain: Range) -> str:
    """`8 points (3–12)`."""
    return f"{100 * gain.value:.0f} points ({100 * gain.low:.0f}–{100 * gain.high:.0f})"


def _finding(one: Prospect, sentence: str, remedy: str) -> Finding:
    assert one.twice is not None
    assert one.now is not None
    gain, then = one.twice.gain, one.twice.score
    figures = {"more": one.twice.more, "now": one.now.value, "then": then.value, "low": then.low, "high": then.high}
    figures |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    # No fault of the images at hand: data that are sound would never pass a gate on warnings.
    return Finding("enough", Severity.NOTE, sentence, remedy, figures=figures)


def _others(found: Prospects, rest: Sequence[Prospect]) -> list[Finding]:
    if not rest:
        return []
    names = ", ".join(repr(one.label) for one in rest[:3])
    sentence = (
        f"{count(len(rest), 'more class')} would gain {100 * LEAST_GAIN:.0f} points or more of {found.score} from twice the "
        f"images, such as {names}"
    )
    return [
        Finding(
            "enough", Severity.NOTE, sentence, "the report lists what each would gain", figures={"classes": len(rest)}
        )
    ]


def _untold(untold: Sequence[Prospect]) -> list[Finding]:
    if not untold:
        return []
    example = untold[0]
    sentence = (
        f"whether more images would help cannot be told for {count(len(untold), 'class')}, such as {example.label!r}: "
        f"{example.cannot_tell}"
    )
    return [
        Finding(
            "enough",
            Severity.NOTE,
            sentence,
            "collect some that are independent of those at hand, then check again",
            figures={"classes": len(untold)},
        )
    ]


CHECK = Check("enough", "Enough images", find, needs=("prospects",))
