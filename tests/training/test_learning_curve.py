"""Curves grow as the data does, say how sure they are, and say nothing where there is nothing to say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.heads.linear import fit_linear
from tellapart.records import LabelSchema, Task
from tellapart.training.hits import Hits
from tellapart.training.inverse_power import InversePower
from tellapart.training.learning_curve import LearningCurves, learning_curves

THREE = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTICLASS)


def blobs(counts: tuple[int, ...], *, apart: float, seed: int = 0, d: int = 24) -> tuple[Any, Any]:
    """Embeddings and labels of Gaussian classes whose centres lie `apart`."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = rng.normal(size=(len(counts), d)) * apart / np.sqrt(d)
    embeddings = (centres[classes] + rng.normal(size=(len(classes), d))).astype(np.float32)
    return embeddings, np.eye(len(counts), dtype=np.uint8)[classes]


def curves(counts: tuple[int, ...], *, apart: float, seed: int = 0) -> LearningCurves:
    embeddings, labels = blobs(counts, apart=apart, seed=seed)
    return learning_curves(embeddings, labels, np.arange(len(labels)), THREE)


@pytest.fixture(scope="module")
def hard() -> LearningCurves:
    return curves((40, 300, 300), apart=2.0)


def test_a_rare_and_hard_class_gains_most(hard: LearningCurves) -> None:
    rare, common, _ = hard.classes
    assert hard.score == "recall"
    assert not rare.cannot_tell
    assert rare.gain(40).value > 5 * common.gain(40).value
    assert rare.gain(40).low > 0
    assert rare.scores[0] < rare.scores[-1]


def test_intervals_widen_into_the_unknown(hard: LearningCurves) -> None:
    rare = hard.classes[0]
    widths = [rare.gain(more).high - rare.gain(more).low for more in (0, 40, 80, 120)]
    assert all(a < b for a, b in pairwise(widths))
    assert rare.now == rare.after(0)
    assert rare.after(40).low < rare.after(40).value < rare.after(40).high


def test_the_number_of_images_for_a_gain(hard: LearningCurves) -> None:
    rare = hard.classes[0]
    needed = rare.images_for(0.02)
    assert needed is not None
    assert rare.gain(needed).value >= 0.02 > rare.gain(needed - 1).value
    assert rare.images_for(0.9) is None


def test_what_will_be_reached_lies_in_the_interval() -> None:
    """The same classes, a thousand other images to judge on, and two and four times the rare class."""
    embeddings, labels = blobs((1160, 1300, 1300), apart=2.0, seed=3)
    order = np.random.default_rng(1).permutation(len(labels))
    parts = [order[labels[order, c] == 1] for c in range(3)]
    judged = np.concatenate([part[-1000:] for part in parts])

    def some(n: int) -> Any:
        return np.concatenate([parts[0][:n], parts[1][:300], parts[2][:300]])

    small = some(40)
    found = learning_curves(embeddings[small], labels[small], np.arange(len(small)), THREE).classes[0]
    for factor in (2, 4):
        rows = np.concatenate([some(40 * factor), judged])
        hits = Hits.none(
            labels[rows], rows, np.where(np.arange(len(rows)) < len(rows) - 3000, -1, 0), 1, Task.MULTICLASS
        )
        fitted_on = hits.folds < 0
        head = fit_linear(
            embeddings[rows[fitted_on]],
            labels[rows[fitted_on]].argmax(axis=1),
            task=Task.MULTICLASS,
            C=0.1,
            class_weight="balanced",
        )
        answers = head.logits(embeddings[judged]).argmax(axis=1)[:, None] == np.arange(3)
        hits.add(0, 0, np.arange(3), answers, fitted_on)
        reached, told = float(hits.scores(np.array([0]))[0]), found.after(40 * (factor - 1))
        assert told.low <= reached <= told.high


def test_an_easy_set_has_nothing_to_gain() -> None:
    found = curves((200, 200, 200), apart=20.0)
    for growth in (found.overall, *found.classes):
        assert not growth.cannot_tell
        assert growth.scores[-1] == pytest.approx(1)
        assert growth.gain(growth.n_now).value < 0.01
        assert growth.images_for(0.02) is None


def test_too_few_images_are_not_drawn_on() -> None:
    found = curves((6, 60, 60), apart=2.0)
    assert found.classes[0].cannot_tell == "it has 6 independent images; 10 are the least that make a curve"
    assert found.classes[0].curve is None
    assert found.judged == (1, 2)
    assert found.overall.scores[-1] == pytest.approx(np.mean([g.scores[-1] for g in found.classes[1:]]), abs=0.05)
    with pytest.raises(ValueError, match="this cannot be told: it has 6 independent images"):
        found.classes[0].after(10)
    assert found.classes[0].images_for(0.01) is None


def test_copies_are_no_images() -> None:
    embeddings, labels = blobs((8, 40, 40), apart=2.0)
    groups = np.repeat(np.arange(len(labels)), 10)
    found = learning_curves(np.repeat(embeddings, 10, axis=0), np.repeat(labels, 10, axis=0), groups, THREE)
    assert found.classes[0].n_now == 80
    assert found.classes[0].cannot_tell == "it has 8 independent images; 10 are the least that make a curve"


def test_one_class_alone_has_no_overall_curve() -> None:
    found = curves((6, 6, 60), apart=2.0)
    assert found.overall.cannot_tell == "fewer than two classes have 10 independent images"
    assert found.overall.images_for(0.01) is None


def test_noise_is_told_as_such() -> None:
    """Fourteen images of a class nobody can tell: its recall could be anything."""
    rng = np.random.default_rng(0)
    labels = np.eye(3, dtype=np.uint8)[rng.permutation(np.repeat([0, 1, 2], (14, 60, 60)))]
    found = learning_curves(rng.normal(size=(134, 16)).astype(np.float32), labels, np.arange(134), THREE)
    assert found.classes[0].cannot_tell.startswith("twice as many might buy nothing, or ")


def test_nobody_follows_a_curve_too_far(hard: LearningCurves) -> None:
    with pytest.raises(ValueError, match="a curve is followed to 4 times the 40 images, got 121 more"):
        hard.classes[0].after(121)
    with pytest.raises(ValueError, match="got -1 more"):
        hard.classes[0].gain(-1)


def test_the_same_answer_twice() -> None:
    first, second = (curves((30, 60, 60), apart=3.0) for _ in range(2))
    for a, b in zip(first.classes, second.classes, strict=True):
        assert a.scores.tolist() == b.scores.tolist()
        assert a.cannot_tell == b.cannot_tell
        assert a.cannot_tell or a.gain(10) == b.gain(10)


def test_large_classes_give_a_share_and_rare_ones_all() -> None:
    embeddings, labels = blobs((30, 400, 800), apart=2.0)
    found = learning_curves(embeddings, labels, np.arange(1230), THREE, max_images=300)
    assert found.n_measured == pytest.approx(300, abs=3)
    assert [growth.n_now for growth in found.classes] == [30, 400, 800]
    assert [growth.sizes[-1] for growth in found.classes] == pytest.approx([24, 108, 108], abs=2)
    assert found.overall.cannot_tell == "of classes so unequal, only a part of the large ones was measured"


def test_too_many_classes_are_not_measured() -> None:
    k = 300
    labels = np.eye(k, dtype=np.uint8)[np.arange(4_000) % k]
    schema = LabelSchema.from_names([f"c{i}" for i in range(k)], task=Task.MULTICLASS)
    found = learning_curves(np.zeros((4_000, 2), np.float32), labels, np.arange(4_000), schema)
    assert found.n_measured == 0
    why = "heads on shares of the images of 300 classes would take too long"
    assert {growth.cannot_tell for growth in (found.overall, *found.classes)} == {why}


def test_several_labels_an_image() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((240, 3)) < (0.15, 0.4, 0.5)).astype(np.uint8)
    embeddings = (labels @ rng.normal(size=(3, 24)) * 0.6 + rng.normal(size=(240, 24))).astype(np.float32)
    schema = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTILABEL)
    found = learning_curves(embeddings, labels, np.arange(240), schema)
    assert found.score == "balanced accuracy"
    assert [growth.n_now for growth in found.classes] == labels.sum(axis=0).tolist()
    assert all(growth.scores[-1] > 0.7 for growth in found.classes)
    assert found.classes[0].scores[0] < found.classes[0].scores[-1]


def test_images_without_a_label_judge_as_well() -> None:
    """Most images have neither label; one label is on nearly all, and nothing is left to tell it from."""
    rng = np.random.default_rng(0)
    labels = (rng.random((1_500, 2)) < 0.1).astype(np.uint8)
    embeddings = (labels @ rng.normal(size=(2, 24)) * 0.6 + rng.normal(size=(1_500, 24))).astype(np.float32)
    schema = LabelSchema.from_names(["a", "b"], task=Task.MULTILABEL)
    every, some = (learning_curves(embeddings, labels, np.arange(1_500), schema, max_images=n) for n in (1_500, 600))
    assert some.n_measured == pytest.approx(600, abs=60)
    assert some.overall.scores[-1] == pytest.approx(every.overall.scores[-1], abs=0.05)
    labels[:, 1] = np.arange(1_500) >= 3
    always = learning_curves(embeddings, labels, np.arange(1_500), schema)
    assert always.judged == (0,)
    assert (
        always.classes[1].cannot_tell == "only 3 independent images are without it, so there is nothing to tell it from"
    )


def test_two_classes() -> None:
    embeddings, labels = blobs((60, 200), apart=3.0)
    schema = LabelSchema.from_names(["good", "bad"], task=Task.BINARY)
    found = learning_curves(embeddings, labels, np.arange(260), schema)
    assert len(found.classes) == 2
    assert found.overall.scores[-1] == pytest.approx(np.mean([g.scores[-1] for g in found.classes]), abs=0.05)


def test_recall_counts_images_and_its_error_counts_groups() -> None:
    """Nine of ten right: one image each, or five copies of two things."""
    labels = np.ones((10, 1), np.uint8)
    right = np.array([True] * 9 + [False])
    for groups, deviation in ((np.arange(10), 0.1), (np.arange(10) // 5, np.sqrt(2 * 2 * 0.05**2))):
        hits = Hits.none(labels, groups, np.zeros(10, np.int64), 1, Task.MULTICLASS)
        hits.add(0, 0, np.array([0]), right[:, None], np.zeros(10, bool))
        assert hits.scores(np.array([0])).tolist() == pytest.approx([0.9])
        assert np.sqrt(hits.covariance(np.array([0]))[0, 0]) == pytest.approx(deviation)


SIZES = np.array([20.0, 40.0, 80.0, 120.0, 160.0])


@settings(deadline=None, max_examples=30)
@given(st.floats(0.15, 1.0), st.floats(0.0, 0.8), st.floats(0.05, 0.5))
def test_a_true_curve_is_continued(exponent: float, share: float, error: float) -> None:
    def score(n: Any) -> Any:
        return 1 - error * (share + (1 - share) * (n / 160) ** -exponent)

    scores = score(SIZES)
    if scores[0] < 0.02:
        return
    told = InversePower.of(SIZES, scores, np.eye(5) * 0.01**2)
    for n in (160, 320, 640):
        expected = told.at(n)
        assert expected.low - 1e-9 <= score(n) <= expected.high + 1e-9
        assert expected.low <= expected.value <= expected.high
    assert told.gain(160, 320).low >= 0
    assert told.misfit < 1


def test_points_of_no_curve_do_not_fit() -> None:
    told = InversePower.of(SIZES, np.array([0.9, 0.4, 0.9, 0.4, 0.9]), np.eye(5) * 0.01**2)
    assert told.misfit > 100


def test_flat_points_promise_nothing() -> None:
    told = InversePower.of(SIZES, np.full(5, 0.8), np.eye(5) * 0.005**2)
    assert told.gain(160, 320).value < 0.01
