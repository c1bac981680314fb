"""Labels that are probably wrong count less or not at all; right ones and the test split are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tellapart.errors import Reason, SettingsError
from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training.label_noise import LabelNoise, doubted, label_noise
from tellapart.training.linear_probe import Probe, ProbeOptions, linear_probe

FOUR = LabelSchema.from_names(["a", "b", "c", "d"], task=Task.MULTICLASS)


def blobs(n: int = 400, d: int = 12, seed: int = 0, apart: float = 3.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(n) % 4)
    centres = np.random.default_rng(99).normal(size=(4, d)) * apart / np.sqrt(d)
    return (centres[classes] + rng.normal(size=(n, d)) * 0.5).astype(np.float32), classes


def flipped(classes: Any, share: float, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(classes), round(share * len(classes)), replace=False)
    labels = classes.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 4, len(wrong))) % 4
    return labels


def probe(how: LabelNoise, labels: Any, embeddings: Any) -> Probe:
    options = ProbeOptions(Aim.parse("argmax"), label_noise=how)
    return linear_probe(embeddings, np.eye(4, dtype=np.uint8)[labels], np.arange(len(labels)), FOUR, options)


def test_wrong_labels_are_left_out_and_right_ones_are_not() -> None:
    embeddings, classes = blobs()
    labels = flipped(classes, 0.1)
    found = probe("drop", labels, embeddings).doubted
    assert found is not None
    out = found.weights == 0
    assert set(np.unique(found.weights)) == {0, 1}
    assert (labels != classes)[out].mean() > 0.9
    assert out[labels != classes].mean() > 0.8
    assert found.wrong.tolist() == out.tolist()
    assert found.rate == pytest.approx(0.1, abs=0.04)


def test_wrong_labels_count_less_than_right_ones() -> None:
    embeddings, classes = blobs()
    labels = flipped(classes, 0.1)
    found = probe("downweight", labels, embeddings).doubted
    assert found is not None
    assert found.weights.shape == (400,)
    assert 0 <= found.weights.min() < found.weights.max() == 1
    assert found.weights[labels != classes].mean() < 0.4
    assert found.weights[labels == classes].mean() > 0.95


def test_both_answer_better_than_a_fit_that_believes_everything() -> None:
    embeddings, classes = blobs(seed=1, d=40)
    fresh, truth = blobs(n=2_000, seed=2, d=40)
    labels = flipped(classes, 0.1)

    def right(how: LabelNoise) -> float:
        return float((probe(how, labels, embeddings).head.probabilities(fresh).argmax(axis=1) == truth).mean())

    assert right("drop") > right("keep")
    assert right("downweight") > right("keep")


def test_clean_labels_are_all_kept() -> None:
    embeddings, classes = blobs()
    kept, dropped = probe("keep", classes, embeddings), probe("drop", classes, embeddings)
    assert kept.doubted is None
    assert dropped.doubted is not None
    assert dropped.doubted.weights.tolist() == [1] * 400
    assert dropped.head.weight.tobytes() == kept.head.weight.tobytes()


def test_the_same_answer_twice() -> None:
    embeddings, classes = blobs()
    labels = flipped(classes, 0.1)
    for how in ("drop", "downweight"):
        first, second = (probe(label_noise(how), labels, embeddings) for _ in range(2))
        assert first.head.weight.tobytes() == second.head.weight.tobytes()


def test_thresholds_are_fitted_without_wrong_labels() -> None:
    """A tenth of the labels is wrong: counted as errors, they would hide how often answers are right."""
    embeddings, classes = blobs()
    labels = flipped(classes, 0.1)
    hot = np.eye(4, dtype=np.uint8)[labels]
    options = [ProbeOptions(Aim.parse("best_f1"), label_noise=label_noise(how)) for how in ("keep", "drop")]
    kept, dropped = (linear_probe(embeddings, hot, np.arange(400), FOUR, one).thresholds for one in options)
    assert min(dropped.achieved) > 0.95 > max(kept.achieved)


@pytest.mark.parametrize("how", ["drop", "downweight"])
def test_a_promise_is_tested_on_all_labels(how: LabelNoise) -> None:
    """Images that look like another class are contradicted as wrong labels are: without them any promise could be made."""
    embeddings, classes = blobs(2_000)
    hot = np.eye(4, dtype=np.uint8)[flipped(classes, 0.04)]
    options = ProbeOptions(Aim.parse("precision>=0.98"), label_noise=how)
    found = linear_probe(embeddings, hot, np.arange(2_000), FOUR, options)
    assert found.doubted is not None
    assert found.doubted.wrong.sum() > 50
    assert not any(found.thresholds.reached)


def test_a_class_that_looks_wrong_altogether_is_not_dropped() -> None:
    """Every image of `a` was labelled `b` but for a few: the model knows no `a`, and these few are all there is of it."""
    embeddings, classes = blobs()
    labels = classes.copy()
    labels[np.flatnonzero(classes == 0)[8:]] = 1
    hot = np.eye(4, dtype=np.uint8)[labels]
    sure = np.full((400, 4), 0.001, np.float32)
    sure[np.arange(400), np.where(classes == 0, 1, classes)] = 0.997
    found = doubted(embeddings, hot, sure, np.arange(400), Task.MULTICLASS, "drop")
    assert (found.weights[labels == 0] == 1).all()


def test_of_several_labels_the_doubtful_one_counts_less() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((400, 3)) < 0.4).astype(np.uint8)
    embeddings = (truth @ rng.normal(size=(3, 12)) * 2 + rng.normal(size=(400, 12)) * 0.6).astype(np.float32)
    labels = truth.copy()
    wrong = rng.random(labels.shape) < 0.06
    labels[wrong] ^= 1
    schema = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTILABEL)
    for how in ("drop", "downweight"):
        options = ProbeOptions(Aim.parse("best_f1"), label_noise=label_noise(how))
        found = linear_probe(embeddings, labels, np.arange(400), schema, options).doubted
        assert found is not None
        assert found.weights.shape == (400, 3)
        assert found.weights[wrong].mean() < 0.4
        assert found.weights[~wrong].mean() > 0.95
        assert found.by_image.tolist() == found.weights.min(axis=1).tolist()


def test_images_that_nobody_judged_are_believed() -> None:
    embeddings, classes = blobs(n=40)
    unjudged = np.full((40, 4), np.nan, np.float32)
    for how in ("drop", "downweight"):
        found = doubted(embeddings, np.eye(4, dtype=np.uint8)[classes], unjudged, np.arange(40), Task.MULTICLASS, how)  # type: ignore[arg-type]
        assert found.weights.tolist() == [1] * 40


def test_other_words_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        label_noise("ignore")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == "label noise is to 'keep', 'drop' or 'downweight', got 'ignore'"
