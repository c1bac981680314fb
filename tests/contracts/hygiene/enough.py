"""Learning curves of three classes: ample, or one that is rare and rising and one of which nothing can be told."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.prospects import Ahead, Prospect, Prospects, Range
from tellapart.data.hygiene.protocol import Evidence, Finding, Severity

NAMES = ("crack", "good", "scratch")


def prospect(label: str, n: int, now: float, gain: float, sure: float) -> Prospect:
    """A curve that has reached `now` and rises by `gain`, surely by `sure`, with twice the images."""
    at_hand = Ahead(0, Range(now, now - 0.04, now + 0.04), Range(0.0, 0.0, 0.0))
    twice = Ahead(n, Range(now + gain, now + gain - 0.04, now + gain + 0.03), Range(gain, sure, gain + 0.02))
    return Prospect(label, n, (n / 4, n / 2, n), (now - 0.1, now - 0.05, now), (0.03,) * 3, (at_hand, twice), twice)


def untold(label: str) -> Prospect:
    """Too few images for a curve."""
    why = "it has 6 independent images; 10 are the least that make a curve"
    return Prospect(label, 6, (), (), (), cannot_tell=why)


def clean() -> Evidence:
    """The last doubling bought half a point."""
    classes = tuple(prospect(name, 400, 0.95, 0.005, 0.0) for name in NAMES)
    found = Prospects("recall", prospect("", 1_200, 0.95, 0.005, 0.0), classes, NAMES, 1_200)
    return evidence(samples(120, NAMES), prospects=found)


def planted() -> Evidence:
    """Cracks are rare and rising, of scratches nothing can be told."""
    classes = (prospect("crack", 120, 0.71, 0.07, 0.04), prospect("good", 400, 0.95, 0.005, 0.0), untold("scratch"))
    found = Prospects("recall", prospect("", 526, 0.83, 0.03, 0.012), classes, NAMES[:2], 526)
    return evidence(samples(120, NAMES), prospects=found)


def expect(findings: Sequence[Finding]) -> None:
    """All together, the cracks, the scratches."""
    assert [(finding.severity, finding.sentence) for finding in findings] == [
        (
            Severity.NOTE,
            "about 526 more images, of all labels alike, would raise the mean recall from 0.83 to 0.86, by 3 points (1–5)",
        ),
        (
            Severity.NOTE,
            "about 120 more images of 'crack' would raise its recall from 0.71 to 0.78, by 7 points (4–9)",
        ),
        (
            Severity.NOTE,
            "whether more images would help cannot be told for 1 class, such as 'scratch': it has 6 independent images; "
            "10 are the least that make a curve",
        ),
    ]
    assert [finding.remedy for finding in findings] == [
        "collect more images; the report shows for which label it pays most",
        "collect more images of 'crack', unlike those at hand",
        "collect some that are independent of those at hand, then check again",
    ]
    assert findings[1].figures["more"] == 120
