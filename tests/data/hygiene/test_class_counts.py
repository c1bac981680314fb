"""What is said of small classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.contracts.hygiene.class_counts import of_sizes, planted
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.class_counts import find, wilson


def test_the_sentences() -> None:
    error, warning = find(planted())
    assert error.sentence == "1 class has fewer than 5 images, too few to learn and to test: 'crack' with 4"
    assert error.remedy == "add images, merge with another class, or leave out with a label map"
    assert warning.sentence == (
        "1 class has fewer than 50 images: 'fray' with 32; a recall of 90 % of 'fray', measured on 6 test images, "
        "could be anything from 50 % to 99 %"
    )
    assert warning.remedy == "add images of them before you trust their figures"


def test_many_small_classes_are_one_finding() -> None:
    (found,) = find(of_sizes(a=9, b=8, c=7, d=6, e=5))
    assert found.sentence.startswith(
        "5 classes have fewer than 50 images: 'e' with 5, 'd' with 6, 'c' with 7, 'b' with 8 and 1 more;"
    )


def test_the_limits_are_50_and_5() -> None:
    assert find(of_sizes(a=50, b=50)) == []
    assert [found.figures for found in find(of_sizes(a=49, b=5, c=4))] == [{"classes": 1}, {"classes": 2}]


def test_images_of_an_own_test_split_are_counted() -> None:
    split = [replace(sample, split="test" if i < 20 else "train") for i, sample in enumerate(samples(40, ["a"]))]
    (found,) = find(evidence(split))
    assert "measured on 20 test images" in found.sentence


def test_several_labels_on_an_image_count_for_each() -> None:
    both = [replace(sample, labels=("a", "b")) for sample in samples(50)]
    assert find(evidence(both)) == []
    assert find(evidence([*both, replace(both[0], id="f" * 64, labels=("c",))]))[0].figures == {"classes": 1}


@pytest.mark.parametrize(("hits", "n"), [(9, 10), (1, 1), (18, 20), (90, 100)])
def test_the_interval_is_wilsons(hits: int, n: int) -> None:
    known = binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(hits / n, n), (known.low, known.high), atol=1e-6)
