"""Probable label errors: named where a model is contradicted more often than it errs, and in whole sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.contracts.hygiene import label_errors as case
from tests.contracts.hygiene.clusters import clouds, relabelled
from tests.contracts.hygiene.evidence import evidence

from tellapart.data.hygiene.label_errors import doubts, find, quality
from tellapart.data.hygiene.protocol import Evidence
from tellapart.data.hygiene.second_opinion import second_opinion
from tellapart.records import Sample


def test_the_sentence() -> None:
    (finding,) = find(case.planted())
    assert finding.sentence == (
        "30 labels are probably wrong, such as cat/00480.png labelled 'dog' that looks like 'cat'; of all labels about "
        "4.9 % are, by how often they contradict a model where it is sure"
    )
    assert finding.remedy == "look at them, the worst first, and accept the new labels that are right"


def test_the_ranking_puts_wrong_labels_first() -> None:
    worst = np.argsort(quality(case.planted()))[: len(case.WRONG)]
    assert len(case.WRONG.keys() & set(worst.tolist())) >= 0.9 * len(case.WRONG)


def test_hard_images_are_no_errors() -> None:
    # Half of the images lie where classes overlap: the model is wrong about many, and never surely.
    evidence, _ = clouds(900, apart=1.2)
    assert evidence.probabilities is not None
    assert (evidence.probabilities.argmax(axis=1) != evidence.classes).mean() > 0.2
    assert find(evidence) == []


def test_silent_on_clean_data_in_at_least_19_of_20_draws() -> None:
    draws = [clouds(300, apart=apart, seed=seed)[0] for seed in range(5) for apart in (1.0, 1.5, 2.0, 3.0)]
    assert sum(bool(find(one)) for one in draws) <= 1


def test_a_group_is_as_much_evidence_as_one_image() -> None:
    planted = case.planted()
    opinion, task = second_opinion(planted), planted.schema.task
    assert doubts(planted.labels, opinion, np.arange(len(planted)), task)
    assert doubts(planted.labels, opinion, np.arange(len(planted)) // 50, task) is None


def test_an_image_without_an_answer_is_left_alone() -> None:
    planted = case.planted()
    assert planted.probabilities is not None
    unknown = planted.probabilities.copy()
    unknown[:60] = np.nan
    (finding,) = find(replace(planted, probabilities=unknown))
    assert min(finding.rows) >= 60
    assert find(replace(planted, probabilities=np.full_like(unknown, np.nan))) == []


def test_a_copy_does_not_vouch_for_its_own_label() -> None:
    # Ten wrong labels on copies of one picture: as neighbours they would confirm one another.
    given, _ = clouds()
    assert given.embeddings is not None
    copies = list(range(0, 30, 3))
    same, looks = given.embeddings.copy(), np.arange(600)
    same[copies], looks[copies] = same[0], 0
    given = replace(relabelled(given, dict.fromkeys(copies, "dog")), embeddings=same, look_alikes=looks)
    assert given.probabilities is not None
    given.probabilities[copies] = given.probabilities[0]
    assert (quality(given)[copies] < 0.1).all()


def several(wrong: bool) -> Evidence:
    """Two labels that an image may have in any combination; of some images one is turned round."""
    rng = np.random.default_rng(0)
    truth = rng.random((600, 2)) < 0.5
    embeddings = np.zeros((600, 8), np.float32)
    embeddings[:, :2] = np.where(truth, 2, -2)
    embeddings += rng.normal(size=embeddings.shape).astype(np.float32)
    given = truth.copy()
    given[:30, 0] ^= wrong
    names = [tuple(np.array(["rust", "scratch"])[row]) for row in given]
    made = evidence(
        [Sample(uri=f"{i}.png", id=f"{i:064x}", labels=one) for i, one in enumerate(names)], task="multilabel"
    )
    answers = 1 / (1 + np.exp(-4 * embeddings[:, :2]))
    return replace(made, embeddings=embeddings, probabilities=answers.astype(np.float32), look_alikes=np.arange(600))


def test_several_labels() -> None:
    assert find(several(False)) == []
    (finding,) = find(several(True))
    assert len(set(finding.rows) & set(range(30))) >= 27
    assert len(finding.rows) <= 33
    truth = several(False)
    right = {one.row: one.value == "|".join(truth.dataset.samples[one.row].labels or ()) for one in finding.proposals}
    assert sum(right.values()) >= 0.9 * len(right)
