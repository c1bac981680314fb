"""ROC-AUC, average precision and their influences."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.ranking import average_precision, roc_auc

scores = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30)


@settings(max_examples=60, deadline=None)
@given(scores)
def test_ties_are_treated_as_in_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    s = np.array([score / 7 for score, _ in rows])
    y = np.array([positive for _, positive in rows])
    value, influence = average_precision(s, y)
    assert influence.shape == s.shape
    if y.any():
        assert value == pytest.approx(sk.average_precision_score(y, s), abs=1e-12)
    else:
        assert np.isnan(value)
    value, _ = roc_auc(s, y)
    if y.any() and not y.all():
        assert value == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)
    else:
        assert np.isnan(value)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(roc_auc, sk.roc_auc_score), (average_precision, sk.average_precision_score)]
)
def test_influence_is_the_derivative_by_the_weight(ours, theirs) -> None:
    rng = np.random.default_rng(4)
    s, y = rng.normal(size=40).round(1), rng.random(40) < 0.4
    _, influence = ours(s, y)
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    for row in range(40):
        up, down = np.ones(40), np.ones(40)
        up[row] += 1e-4
        down[row] -= 1e-4
        slope = (theirs(y, s, sample_weight=up) - theirs(y, s, sample_weight=down)) / 2e-4
        assert influence[row] == pytest.approx(slope, abs=1e-6)
