"""Classes that are one under two names: found where a model guesses between them, not where it only finds it hard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.contracts.hygiene import confused_classes as case
from tests.contracts.hygiene.clusters import clouds, with_embeddings
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.confused_classes import find
from tellapart.data.repair.proposing import propose
from tellapart.records import Sample


def test_the_sentence() -> None:
    (finding,) = find(case.planted())
    assert finding.sentence == (
        "a model hardly tells 'cup' and 'mug' apart: of pairs with one image of each it gets 50 % right, and guessing "
        "gets 50 %"
    )
    assert finding.remedy == "merge them, or write down what tells them apart and go through their labels again"


def test_hard_classes_are_not_one() -> None:
    # Told apart in 84 of 100 pairs: worth more images, not a merge.
    assert find(clouds(600, ("cat", "dog"), apart=1.0)[0]) == []


def test_few_images_are_no_evidence() -> None:
    given = case.planted()
    kept = list(range(18))
    assert given.probabilities is not None
    few = replace(
        given, dataset=given.dataset.subset(kept), labels=given.labels[kept], probabilities=given.probabilities[kept]
    )
    assert find(few) == []


def test_three_names_for_one_class_are_one_finding() -> None:
    names = ("bee", "cup", "mug", "tass")
    given, centres = clouds(900, names)
    assert given.embeddings is not None
    rows = np.arange(900) % 4
    given.embeddings[rows >= 2] += (centres[1] - centres[rows])[rows >= 2]
    centres[2:] = centres[1]
    (finding,) = find(with_embeddings(given, given.embeddings, centres))
    assert "'cup', 'mug' and 'tass' apart" in finding.sentence
    assert {one.value for one in finding.proposals} == {"cup"}
    assert [given.label_of(one.row) for one in finding.proposals] == ["mug", "tass"]


def test_the_biggest_class_keeps_its_name() -> None:
    given = case.planted()
    fewer = [row for row in range(len(given)) if row % 3 != 1 or row % 2]
    assert given.probabilities is not None
    (finding,) = find(
        replace(
            given,
            dataset=given.dataset.subset(fewer),
            labels=given.labels[fewer],
            probabilities=given.probabilities[fewer],
        )
    )
    assert [one.value for one in finding.proposals] == ["mug"]


def test_several_labels_are_compared_on_images_with_one_of_them() -> None:
    rng = np.random.default_rng(0)
    labels = [("rust", "stain"), ("rust",), ("stain",), ()] * 150
    made = evidence([Sample(uri=f"{i}", id=f"{i:064x}", labels=one) for i, one in enumerate(labels)], task="multilabel")
    noise = rng.uniform(0.3, 0.7, (600, 2)).astype(np.float32)
    known = np.abs(made.labels - 0.2).astype(np.float32)
    assert find(replace(made, probabilities=known)) == []
    (finding,) = find(replace(made, probabilities=noise))
    assert "'rust' and 'stain'" in finding.sentence


def test_labels_that_come_together_are_no_rivals() -> None:
    """`dust` and `fog` cannot be told apart, and each is always with three others, which a model sees."""
    labels = [("dust", "a", "b", "c") if i % 2 else ("fog", "x", "y", "z") for i in range(400)]
    made = evidence([Sample(uri=f"{i}", id=f"{i:064x}", labels=one) for i, one in enumerate(labels)], task="multilabel")
    seen = np.clip(made.labels, 0.02, 0.98).astype(np.float32)
    unsure = [made.schema.index(name) for name in ("dust", "fog")]
    seen[:, unsure] = np.random.default_rng(0).uniform(0.3, 0.7, (400, 2))
    (finding,) = find(replace(made, probabilities=seen))
    assert "'dust' and 'fog'" in finding.sentence


def test_nobody_judged() -> None:
    given = case.planted()
    assert find(replace(given, probabilities=np.full(given.labels.shape, np.nan, np.float32))) == []


def test_a_few_images_of_a_class_cannot_tell_that_it_is_another() -> None:
    """A head that saw one image of a class is worse than a guess on the other."""
    made = evidence(samples(40, [f"kind {i:02}" for i in range(8)]))
    worse = np.where(made.labels == 1, 0.1, 0.9 / 7).astype(np.float32)
    assert find(replace(made, probabilities=worse)) == []
    more = evidence(samples(80, [f"kind {i:02}" for i in range(8)]))
    assert find(replace(more, probabilities=np.concatenate([worse, worse])))


def test_of_several_labels_the_confused_one_is_merged() -> None:
    """Not the one beside it on the first image, though its name is more like the new one."""
    noise = np.random.default_rng(0).uniform(0.3, 0.7, (400, 3)).astype(np.float32)
    labels = [("corrosion fluid", "rust"), *[("rust",)] * 150, *[("corrosion",)] * 249]
    made = evidence([Sample(uri=f"{i}", id=f"{i:064x}", labels=one) for i, one in enumerate(labels)], task="multilabel")
    noise[:, made.schema.index("corrosion fluid")] = made.labels[:, made.schema.index("corrosion fluid")]
    findings = find(replace(made, probabilities=noise))
    assert [(one.was, one.value) for one in findings[0].proposals] == [("rust", "corrosion")]
    assert [fix.was for fix in propose(made.dataset, findings)] == ["rust"]
