"""Augmentations that destroy a class: told apart from those that only make it harder."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.hygiene import augmentations as case

from tellapart.data.hygiene.augmentations import _chance, find
from tellapart.data.hygiene.variants import Variants


def test_the_sentence() -> None:
    (finding,) = find(case.planted())
    assert finding.sentence == (
        "horizontal flips would destroy 'left' and 'right': a head that learns from them recognises 46 % of the images of "
        "'left', and 94 % without"
    )
    assert finding.remedy == "leave horizontal flips out where images are augmented"


def test_a_quarter_lost_is_harder_and_not_destroyed() -> None:
    assert find(case.looked_at({("changes of hue", "both"): 0.72})) == []


def test_few_images_are_no_evidence() -> None:
    given = case.planted()
    assert given.variants is not None
    few = 18
    parts = {name: answers[:, :few] for name, answers in given.variants.varied.items()}
    assert find(replace(given, variants=Variants(given.variants.rows[:few], given.variants.plain[:few], parts))) == []


def test_the_chance_is_that_of_a_coin() -> None:
    assert _chance(3, 0) == 1 / 8
    assert _chance(0, 5) == 1
    assert _chance(2, 2) == 11 / 16


def test_a_class_may_be_lost_on_images_as_they_are() -> None:
    # Red becomes green: the head calls both red, and no image that is green is recognised.
    given = case.planted()
    assert given.variants is not None
    turned = {name: answers[::-1] for name, answers in given.variants.varied.items()}
    found = find(replace(given, variants=replace(given.variants, varied=turned)))
    assert [one.sentence for one in found] == [one.sentence for one in find(given)]


def test_nobody_looked() -> None:
    assert find(replace(case.planted(), variants=None)) == []
