"""Cross-validation: held-out, group-respecting, and choosing a good C."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.heads.data import embeddings

from tellapart.errors import SettingsError
from tellapart.heads.linear import fit_linear
from tellapart.heads.selection import GRID, fit_selected, sample_losses, select_regularisation
from tellapart.records import Task


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.BINARY, Task.MULTILABEL])
def test_logits_are_those_of_heads_fitted_without_the_fold(task: Task) -> None:
    x, y = embeddings(240, 20, 2 if task is Task.BINARY else 3)
    targets = np.stack([y == 0, y == 1], axis=1).astype(np.uint8) if task is Task.MULTILABEL else y
    folds = np.arange(240) % 3
    selection = select_regularisation(x, targets, folds, task=task, grid=[0.03])
    for fold in range(3):
        train = folds != fold
        # The features' scale is that of all samples: weights that hide a fold say the same thing.
        head = fit_linear(x, targets, task=task, C=0.03, sample_weight=train.astype(float))
        expected = head.probabilities(x[~train])
        found = head.calibration.apply(selection.logits[~train])
        np.testing.assert_allclose(found, expected, atol=0.004)


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.BINARY, Task.MULTILABEL])
@pytest.mark.parametrize(("n", "d"), [(240, 20), (120, 200)])
def test_selection_with_its_fit_is_selection_and_fit(task: Task, n: int, d: int) -> None:
    x, y = embeddings(n, d, 2 if task is Task.BINARY else 3)
    targets = np.stack([y == 0, y == 1], axis=1).astype(np.uint8) if task is Task.MULTILABEL else y
    folds = np.arange(n) % 3 - (np.arange(n) < 9) * 3
    found, head = fit_selected(x, targets, np.maximum(folds, -1), task=task, class_weight="balanced")
    alone = select_regularisation(x, targets, np.maximum(folds, -1), task=task, class_weight="balanced")
    assert (found.C, found.grid, found.scores) == (alone.C, alone.grid, alone.scores)
    np.testing.assert_array_equal(found.logits, alone.logits)
    fitted = fit_linear(x, targets, task=task, C=found.C, class_weight="balanced")
    np.testing.assert_allclose(head.probabilities(x), fitted.probabilities(x), atol=0.01)


def test_the_best_of_the_grid_is_found() -> None:
    x, y = embeddings(400, 50, 4)
    folds = np.arange(400) % 5
    selection = select_regularisation(x, y, folds, task=Task.MULTICLASS)
    single = {
        C: select_regularisation(x, y, folds, task=Task.MULTICLASS, grid=[C]).scores[0] for C in GRID if 1e-3 < C < 10
    }
    assert min(single, key=lambda C: single[C]) == selection.C
    assert selection.scores[selection.grid.index(selection.C)] == pytest.approx(single[selection.C], rel=1e-3)
    own = sample_losses(selection.logits, y, task=Task.MULTICLASS).mean()
    assert own == pytest.approx(single[selection.C], rel=1e-3)


def test_labels_that_mean_nothing_get_strong_regularisation() -> None:
    x, _ = embeddings(300, 50, 3)
    y = np.random.default_rng(5).integers(0, 3, 300)
    selection = select_regularisation(x, y, np.arange(300) % 5, task=Task.MULTICLASS)
    assert selection.C <= 0.01
    assert min(selection.scores) == pytest.approx(np.log(3), abs=0.02)


def test_groups_are_kept_apart() -> None:
    """Ten near-copies of each sample: random folds would choose almost no regularisation and promise everything."""
    x, _ = embeddings(60, 30, 2)
    y = np.random.default_rng(0).integers(0, 2, 60)
    group = np.repeat(np.arange(60), 10)
    copies = x[group] + np.random.default_rng(1).normal(0, 0.01, (600, 30)).astype(np.float32)
    leaking = select_regularisation(copies, y[group], np.arange(600) % 5, task=Task.BINARY)
    honest = select_regularisation(copies, y[group], group % 5, task=Task.BINARY)
    assert min(leaking.scores) < 0.3 < 0.6 < min(honest.scores)


def test_a_class_missing_from_the_other_folds_is_not_usable() -> None:
    x, y = embeddings(100, 10, 2)
    y[:4] = 2
    folds = np.where(np.arange(100) < 10, 0, 1 + np.arange(100) % 3)
    selection = select_regularisation(x, y, folds, task=Task.MULTICLASS)
    np.testing.assert_array_equal(selection.usable, y != 2)
    assert np.isfinite(selection.scores).all()
    assert max(selection.scores) < 2


def test_samples_outside_the_folds_are_neither_used_nor_scored() -> None:
    x, y = embeddings(200, 10, 3)
    folds = np.where(np.arange(200) < 150, np.arange(200) % 5, -1)
    first = select_regularisation(x, y, folds, task=Task.MULTICLASS)
    changed = np.where(folds < 0, (y + 1) % 3, y)
    second = select_regularisation(x, changed, folds, task=Task.MULTICLASS)
    np.testing.assert_array_equal(first.logits, second.logits)
    np.testing.assert_array_equal(first.usable, folds >= 0)
    assert not first.logits[folds < 0].any()


def test_many_samples_are_searched_on_a_share_and_answered_in_full() -> None:
    x, y = embeddings(7000, 20, 3)
    selection = select_regularisation(x, y, np.arange(7000) % 5, task=Task.MULTICLASS)
    assert selection.usable.all()
    assert sample_losses(selection.logits, y, task=Task.MULTICLASS).mean() < min(selection.scores) + 0.02


@pytest.mark.parametrize("folds", [np.zeros(50, int), np.full(50, -1), np.arange(49) % 2])
def test_useless_folds_are_refused(folds: Any) -> None:
    x, y = embeddings(50, 10, 3)
    with pytest.raises(SettingsError, match="cross-validation needs a fold per sample, two folds or more"):
        select_regularisation(x, y, folds, task=Task.MULTICLASS)


def test_samples_without_weight_decide_nothing() -> None:
    """A tenth of the targets is nonsense of weight 0: the head and the scores are those of the others alone."""
    x, y = embeddings(n=200, d=10, k=3)
    weight = np.ones(200)
    weight[:20] = 0
    spoiled = y.copy()
    spoiled[:20] = (spoiled[:20] + 1) % 3
    folds = np.arange(200) % 4
    one, other = (
        fit_selected(x, targets, folds, task=Task.MULTICLASS, n_classes=3, sample_weight=weight)
        for targets in (y, spoiled)
    )
    assert one[0].C == other[0].C
    np.testing.assert_allclose(one[0].scores, other[0].scores, rtol=1e-6)
    np.testing.assert_allclose(one[1].weight, other[1].weight, atol=1e-6)


def test_one_weight_for_all_is_none() -> None:
    x, y = embeddings(n=120, d=10, k=3)
    folds = np.arange(120) % 4
    one, other = (
        fit_selected(x, y, folds, task=Task.MULTICLASS, n_classes=3, sample_weight=weight)
        for weight in (None, np.ones(120))
    )
    np.testing.assert_allclose(one[0].scores, other[0].scores)
    np.testing.assert_allclose(one[0].errors, other[0].errors)
