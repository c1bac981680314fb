"""The images worth a look, in the right order."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.builders import exclusive, schema_of

from tellapart.evaluation.mistakes import cases
from tellapart.evaluation.scored import score
from tellapart.records import Task


def test_the_most_confidently_wrong_comes_first() -> None:
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.01, 0.99], [0.2, 0.8]])
    found = cases(score(p, np.array([0, 0, 0, 1]), schema_of(Task.BINARY, 2)), uris=["a", "b", "c", "d"])
    assert [case.uri for case in found.mistakes] == ["c", "b"]
    worst = found.mistakes[0]
    assert (worst.index, worst.actual, worst.predicted, worst.confidence) == (2, ("good",), ("scratch",), 0.99)
    assert worst.loss == pytest.approx(-np.log(0.01))
    assert found.n_mistakes == 2
    assert found.uncertain[0].uri == "b"


def test_unknown_is_no_mistake_and_the_most_foreign_comes_first() -> None:
    p = np.array([[0.55, 0.45], [0.5, 0.5], [0.9, 0.1]])
    decided = np.array([[0, 0], [0, 0], [1, 0]], dtype=bool)
    scored = score(p, np.array([1, 1, 0]), schema_of(Task.BINARY, 2), decisions=decided)
    found = cases(scored, ood_scores=np.array([1.0, 5.0, 0.0]))
    assert found.mistakes == ()
    assert [(case.index, case.predicted, case.ood_score) for case in found.unknown] == [(1, (), 5.0), (0, (), 1.0)]
    assert found.n_unknown == 2


def test_multilabel_mistakes_carry_all_labels() -> None:
    p = np.array([[0.9, 0.8, 0.1], [0.9, 0.1, 0.1]])
    y = np.array([[1, 0, 1], [1, 0, 0]])
    found = cases(score(p, y, schema_of(Task.MULTILABEL, 3)))
    assert [case.index for case in found.mistakes] == [0]
    assert found.mistakes[0].actual == ("blowhole", "crack")
    assert found.mistakes[0].predicted == ("blowhole", "break")
    assert found.mistakes[0].confidence == pytest.approx(0.9)
    assert found.n_unknown == 0


def test_at_most_24_are_listed_and_all_are_counted() -> None:
    p, y = exclusive(300, 3, lift=0)
    found = cases(score(p, y, schema_of(Task.MULTICLASS, 3)))
    assert len(found.mistakes) == len(found.uncertain) == 24
    assert found.n_mistakes == int((p.argmax(axis=1) != y).sum())
    assert [case.loss for case in found.mistakes] == sorted((case.loss for case in found.mistakes), reverse=True)
