"""What is said of classes of unequal size."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.hygiene.class_counts import of_sizes
from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.imbalance import planted

from tellapart.data.hygiene.imbalance import find
from tellapart.data.hygiene.protocol import Severity


def test_the_sentence() -> None:
    (found,) = find(planted())
    assert found.sentence == (
        "'good' has 600 images, 12 times as many as 'bad' with 50: always answering 'good' would be right on 92 % of all"
    )
    assert found.remedy == "judge by balanced accuracy or recall per class, not by accuracy, and add images of 'bad'"


def test_a_hundred_to_one_is_a_warning() -> None:
    assert [found.severity for found in find(of_sizes(good=500, bad=5))] == [Severity.WARNING]
    assert [found.severity for found in find(of_sizes(good=499, bad=5))] == [Severity.NOTE]


def test_of_many_classes_the_extremes_count() -> None:
    (found,) = find(of_sizes(a=30, b=2, c=5))
    assert found.sentence.startswith("'a' has 30 images, 15 times as many as 'b' with 2: ")


def test_a_label_that_is_always_there_teaches_nothing() -> None:
    chosen = [replace(sample, labels=("bottle", *(sample.labels or ()))) for sample in samples(202)]
    chosen[7] = replace(chosen[7], labels=("good",))
    (found,) = find(evidence(chosen))
    assert found.severity is Severity.WARNING
    assert found.sentence == "'bottle' is on 201 of 202 images: hardly any shows what its absence looks like"
    assert found.remedy == "add images without it, or leave the label out"
    assert found.rows == (7,)


def test_several_labels_promise_no_accuracy() -> None:
    chosen = [replace(sample, labels=("a",) if i else ("a", "b")) for i, sample in enumerate(samples(20))]
    sentences = [found.sentence for found in find(evidence(chosen))]
    assert "'a' has 20 images, 20 times as many as 'b' with 1" in sentences
