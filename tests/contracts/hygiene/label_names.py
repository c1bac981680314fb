"""Names in capitals, with hyphens, in the plural, misspelt, and two words for one verdict; beside names that are others."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.class_counts import of_sizes

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity

OTHERS = (
    "class 1", "class 2", "screw_m3", "screw_m4", "type 1-1", "type 11", "A", "A-", "A+", "left", "right", "cat", "car",
    "typical", "atypical", "scratcha", "scratchb", "horse", "house", "glass", "n01443537 goldfish", "n01443538 goldfish",
    "covered", "uncovered", "ship", "bus", "-1", "1", "0.5", "05", "male", "female",
)  # fmt: skip


def clean() -> Evidence:
    """Names that differ by a letter, a digit or a sign, and rightly."""
    return of_sizes(**{name: 3 + 40 * (i % 2) for i, name in enumerate(OTHERS)})


def planted() -> Evidence:
    """Three sets of names, and one that stands alone."""
    sizes = {
        "Hair Line": 4,
        "hair-line": 30,
        "hair_lines": 2,
        "contamination": 40,
        "contamniation": 1,
        "okay": 7,
        "good": 9,
    }
    return of_sizes(**sizes, blister=20)


def expect(findings: Sequence[Finding]) -> None:
    """Every rare name is merged into the commonest of its set."""
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    merges = {(one.was, one.value) for finding in findings for one in finding.proposals}
    assert merges == {
        ("Hair Line", "hair-line"),
        ("hair_lines", "hair-line"),
        ("contamniation", "contamination"),
        ("okay", "good"),
    }
    assert all(one.action == "merge" for finding in findings for one in finding.proposals)
