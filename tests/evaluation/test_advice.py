"""The metric to trust follows costs first, then balance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.evaluation.builders import schema_of

from tellapart.evaluation.advice import advise
from tellapart.evaluation.scored import score
from tellapart.records import Task


def scored_of(counts: list[int], costs: Any = None) -> Any:
    y = np.repeat(np.arange(len(counts)), counts)
    p = np.eye(len(counts))[y]
    return score(p, y, schema_of(Task.BINARY if len(counts) == 2 else Task.MULTICLASS, len(counts)), costs=costs)


@pytest.mark.parametrize(
    ("counts", "costs", "headline"),
    [
        ([50, 50], None, "accuracy"),
        ([60, 40], None, "accuracy"),
        ([90, 10], None, "f1"),
        ([30, 30, 30], None, "accuracy"),
        ([90, 30, 5], None, "f1_macro"),
        ([50, 50], [[0, 10], [1, 0]], "precision"),
        ([90, 10], [[0, 1], [50, 0]], "recall"),
        ([90, 10], [[0, 1], [1, 0]], "f1"),
        ([90, 10], [[0, 0], [5, 0]], "recall"),
        ([30, 30, 30], np.ones((3, 3)), "accuracy"),
    ],
)
def test_headline(counts: list[int], costs: Any, headline: str) -> None:
    assert advise(scored_of(counts, None if costs is None else np.array(costs))).headline == headline


def test_sentences_of_uneven_data() -> None:
    advice = advise(scored_of([90, 10]))
    assert advice.sentences[0] == (
        "The classes are uneven: good alone has 90\N{NO-BREAK SPACE}% of the images, so always answering good would "
        "already reach an accuracy of 0.90."
    )
    assert advice.sentences[-1] == (
        "Fewer than 20 images of scratch (10): their intervals are wide, and so is the macro average's."
    )
    assert advise(scored_of([50, 50], np.array([[0, 1.0], [8, 0]]))).sentences[1] == (
        "A miss costs 8 times a false alarm, so trust recall of scratch."
    )


def test_absent_classes_are_named() -> None:
    assert advise(scored_of([40, 0, 40])).sentences[-1] == (
        "Not one image of break is in this data: nothing is said about it here."
    )


def test_multilabel_trusts_macro_f1() -> None:
    y = np.zeros((50, 3), dtype=np.uint8)
    y[:25, 0] = 1
    advice = advise(score(np.full((50, 3), 0.2), y, schema_of(Task.MULTILABEL, 3)))
    assert (advice.headline, advice.also[1]) == ("f1_macro", "roc_auc_macro")
    assert advice.sentences[1].startswith("Papers on such data compare the ROC-AUC of each label")
    assert advice.sentences[2].startswith("50\N{NO-BREAK SPACE}% of the images carry no label at all")


def test_a_threshold_for_false_alarms_leaves_the_ranking_to_trust() -> None:
    advice = advise(scored_of([30, 10], None), ranks=True)
    assert (advice.headline, advice.also) == ("roc_auc", ("average_precision", "recall", "precision"))
    assert advice.sentences[1].startswith(
        "The threshold stands where good images raise as few alarms as was asked for, so"
    )


def test_good_images_alone_say_nothing_of_what_is_found() -> None:
    advice = advise(scored_of([30, 0], None), ranks=True)
    assert (advice.headline, advice.also) == ("accuracy", ())
    assert advice.sentences[1].startswith("Images of one class alone judge, so nothing is known of how many of ")
