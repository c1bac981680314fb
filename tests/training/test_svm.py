"""The support vector machine as a head like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.heads.data import embeddings

from tellapart.errors import Reason, SettingsError
from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training import svm
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.training.svm import svm_probe

SCHEMAS = {
    Task.MULTICLASS: LabelSchema.from_names(["a", "b", "c"], task=Task.MULTICLASS),
    Task.BINARY: LabelSchema.from_names(["ok", "bad"], task=Task.BINARY, positive="bad"),
    Task.MULTILABEL: LabelSchema.from_names(["a", "b", "c"], task=Task.MULTILABEL),
}
X, Y = embeddings(240, 12, 3, separation=1.0)


def labels_for(task: Task) -> NDArray[np.uint8]:
    if task is Task.BINARY:
        return np.eye(2, dtype=np.uint8)[(Y == 0).astype(int)]
    return np.eye(3, dtype=np.uint8)[Y]


def fitted(task: Task = Task.MULTICLASS, rows: Any = slice(None), **options: Any) -> Probe:
    x, labels = X[rows], labels_for(task)[rows]
    return svm_probe(x, labels, np.arange(len(x)), SCHEMAS[task], ProbeOptions(Aim.parse("best_f1"), **options))


@pytest.mark.parametrize("task", list(Task))
def test_it_learns_and_its_probabilities_mean_something(task: Task) -> None:
    probe, labels = fitted(task, slice(0, 160)), labels_for(task)[160:]
    p = probe.head.probabilities(X[160:])
    assert p.shape == labels.shape
    if task is Task.MULTILABEL:
        assert ((p > 0.5) == labels).mean() > 0.8
    else:
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
        assert (p.argmax(axis=1) == labels.argmax(axis=1)).mean() > 0.75
    assert (-np.log(np.where(labels == 1, p, 1 - p) + 1e-6)).mean() < 0.55
    assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in probe.head.arrays().values())
    assert probe.facts == {"fitted_by": "svm"}
    assert probe.C in svm.GRID


def test_its_scores_are_those_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.svm").LinearSVC
    probe = fitted(class_weight=None)
    centred = X - X.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=1).mean())
    theirs = linear(C=probe.C, tol=1e-6, max_iter=20_000, random_state=0).fit(scaled, Y).decision_function(scaled)
    np.testing.assert_allclose(probe.head.logits(X), theirs, atol=0.02)


def test_answers_for_an_image_come_from_machines_that_have_not_seen_it() -> None:
    """Noise with random labels cannot be answered better than by chance."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(90, 60)).astype(np.float32), np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 90)]
    probe = svm_probe(x, labels, np.arange(90), SCHEMAS[Task.MULTICLASS], ProbeOptions(Aim.parse("argmax")))
    assert (probe.head.logits(x).argmax(axis=1) == labels.argmax(axis=1)).mean() > 0.7
    assert (probe.probabilities.argmax(axis=1) == labels.argmax(axis=1)).mean() < 0.5


def test_many_images_are_searched_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "_SEARCH_IMAGES", 60)
    probe = fitted()
    assert (probe.probabilities.argmax(axis=1) == Y).mean() > 0.75


def test_a_class_without_an_image_is_not_answered() -> None:
    probe = fitted(Task.MULTICLASS, Y != 2)
    assert (probe.head.probabilities(X).argmax(axis=1) != 2).all()


def test_labels_are_not_doubted() -> None:
    with pytest.raises(SettingsError) as caught:
        fitted(label_noise="downweight")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "a support vector machine believes every label, and label noise is set to 'downweight'; set it to 'keep', or "
        "take the head 'logistic'"
    )
