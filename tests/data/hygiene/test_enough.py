"""Who gains from more images is told by how much, the most first, and not too often."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.contracts.hygiene.enough import prospect, untold
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.enough import find, gains
from tellapart.data.hygiene.prospects import Prospect, Prospects
from tellapart.data.hygiene.protocol import Finding, Severity


def findings(*classes: Prospect) -> list[Finding]:
    overall = prospect("", 900, 0.8, 0.005, 0.0)
    found = Prospects("recall", overall, classes, tuple(one.label for one in classes), 900)
    return find(evidence(samples(40), prospects=found))


def test_a_gain_counts_when_it_is_large_and_sure() -> None:
    assert gains(prospect("a", 50, 0.7, 0.02, 0.01))
    assert not gains(prospect("a", 50, 0.7, 0.019, 0.015))
    assert not gains(prospect("a", 50, 0.7, 0.06, 0.009))
    assert not gains(untold("a"))


def test_the_class_that_gains_most_comes_first_and_all_are_notes() -> None:
    found = findings(prospect("a", 50, 0.7, 0.03, 0.02), prospect("b", 50, 0.7, 0.08, 0.02))
    assert [(one.severity, one.figures["gain"]) for one in found] == [(Severity.NOTE, 0.08), (Severity.NOTE, 0.03)]


def test_many_classes_are_counted() -> None:
    found = findings(*(prospect(f"c{i}", 50, 0.5, 0.03 + i / 1000, 0.02) for i in range(9)))
    assert len(found) == 6
    assert found[-1].sentence == (
        "4 more classes would gain 2 points or more of recall from twice the images, such as 'c3', 'c2', 'c1'"
    )
    assert found[-1].remedy == "the report lists what each would gain"


def test_what_cannot_be_told_is_one_note() -> None:
    (found,) = findings(untold("a"), untold("b"), prospect("c", 50, 0.9, 0.0, 0.0))
    assert found.severity is Severity.NOTE
    assert found.sentence == (
        "whether more images would help cannot be told for 2 classes, such as 'a': it has 6 independent images; "
        "10 are the least that make a curve"
    )


def test_without_curves_nothing_is_said() -> None:
    assert find(evidence(samples(4))) == []


def test_json_knows_no_nan() -> None:
    odd = replace(prospect("a", 50, 0.7, 0.03, 0.02), deviations=(float("nan"), 0.1, 0.1))
    value = Prospects("recall", odd, (odd,), ("a",), 50).to_json()
    assert json.loads(json.dumps(value, allow_nan=False))["overall"]["deviations"] == [None, 0.1, 0.1]
    assert value["classes"][0]["twice"]["gain"]["value"] == 0.03
