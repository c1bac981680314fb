"""Three damaged files and one that is no image, beside what was left out on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity
from tellapart.records import Refusal


def with_refusals(n: int, *refusals: Refusal) -> Evidence:
    """n good images, and these refusals."""
    made = evidence(samples(n))
    return replace(made, dataset=replace(made.dataset, refusals=refusals))


def clean() -> Evidence:
    """What a label map leaves out was asked for."""
    return with_refusals(120, Refusal("bad/x.png", "excluded", "the label map drops 'x'"))


def planted() -> Evidence:
    """Four of 124 files."""
    damaged = [Refusal(f"bad/{i}.png", "truncated", "the file ends too early") for i in range(3)]
    return with_refusals(120, Refusal("good/notes.png", "not_an_image", "the bytes are no image"), *damaged)


def expect(findings: Sequence[Finding]) -> None:
    """Each kind once, the most frequent first."""
    assert [finding.figures["refused"] for finding in findings] == [3, 1]
    assert {finding.severity for finding in findings} == {Severity.WARNING}
