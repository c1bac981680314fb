"""What is said of names that are one label."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contracts.hygiene.class_counts import of_sizes
from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.label_names import planted

from tellapart.data.hygiene.label_names import find
from tellapart.data.hygiene.label_variants import Variant, singular, spelling, variants
from tellapart.data.repair.proposing import propose


def test_the_sentences() -> None:
    told = {found.sentence: found.remedy for found in find(planted())}
    assert told == {
        "labels 'hair-line' (30 images), 'Hair Line' (4) and 'hair_lines' (2) look like one label written in several "
        "ways": "merge them into 'hair-line' if they mean the same: nobody can tell a class from itself",
        "labels 'contamination' (40 images) and 'contamniation' (1) differ by one letter": (
            "merge them into 'contamination' if they mean the same: nobody can tell a class from itself"
        ),
        "labels 'good' (9 images) and 'okay' (7) are words for the same verdict": (
            "merge them into 'good' if they mean the same: nobody can tell a class from itself"
        ),
    }


def way(a: str, b: str, totals: tuple[int, int] = (100, 10)) -> Variant | None:
    return variants([a, b], totals).get((0, 1))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("Crack", "crack", Variant.SPELLING),
        ("class 1", "Class-1", Variant.SPELLING),
        ("hair line", "hairline", Variant.SPELLING),
        ("scratch", "scratches", Variant.PLURAL),
        ("hair line", "Hair_Lines", Variant.PLURAL),
        ("body", "bodies", Variant.PLURAL),
        ("glass", "glasses", Variant.PLURAL),
        ("OK", "good", Variant.VERDICT),
        ("i.O.", "pass", Variant.VERDICT),
        ("n.i.O.", "NOK", Variant.VERDICT),
        ("not ok", "defect", Variant.VERDICT),
        ("deep scratch", "deep scrtach", Variant.SLIP),
        ("scratch", "scrach", Variant.SLIP),
        ("scratch", "scraatch", Variant.SLIP),
        ("scratch", "scretch", Variant.SLIP),
    ],
)
def test_variants(a: str, b: str, expected: Variant) -> None:
    assert way(a, b) is way(b, a) is expected


@pytest.mark.parametrize(
    ("a", "b"), [("ok", "nok"), ("good", "bad"), ("scratch", "scrtahc"), ("marten 1", "martin 2"), ("sunny", "funny")]
)
def test_others_are_none(a: str, b: str) -> None:
    assert way(a, b) is None


def test_two_common_names_that_differ_by_a_letter_are_two_things() -> None:
    assert way("marten", "martin", (100, 21)) is None
    assert way("marten", "martin", (100, 20)) is Variant.SLIP


def test_only_spelling_is_accepted_beforehand() -> None:
    made = of_sizes(Crack=3, crack=30, ok=5, good=50)
    fixes = propose(made.dataset, find(made))
    assert [(fix.action, fix.was, fix.value, fix.accept) for fix in fixes] == [
        ("merge", "Crack", "crack", True),
        ("merge", "ok", "good", False),
    ]


def test_of_several_labels_on_an_image_the_right_one_is_merged() -> None:
    chosen = [replace(sample, labels=("good", "dust")) for sample in samples(8)]
    chosen[3] = replace(chosen[3], labels=("okay", "dusts", "good"))
    made = evidence(chosen)
    fixes = propose(made.dataset, find(made))
    assert {(fix.was, fix.value) for fix in fixes} == {("okay", "good"), ("dusts", "dust")}


def test_signs_at_the_ends_and_between_digits_count() -> None:
    assert spelling("Hair_Line - 2") == "hairline2"
    assert [spelling(name) for name in ("-1", "1-1", "A-")] == ["-1", "1-1", "a-"]


def test_words_that_only_look_like_plurals() -> None:
    assert [singular(word) for word in ("bus", "glass", "iris", "gas", "class")] == [
        "bus",
        "glass",
        "iris",
        "gas",
        "class",
    ]


def test_thousands_of_names_are_compared_at_once() -> None:
    names = [f"species {i:x} {'abcdefghijklmnop'[i % 16] * 7}" for i in range(4_000)]
    assert variants(names, [9] * len(names)) == {}
