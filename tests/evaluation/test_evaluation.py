"""The evaluation as one value: complete, plain, and the same after a trip through JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from tests.evaluation.builders import exclusive, multilabel, schema_of

from tellapart.errors import DataError, Reason
from tellapart.evaluation import Evaluation, evaluate
from tellapart.records import Task


def example(task: Task) -> Evaluation:
    k = 2 if task is Task.BINARY else 4
    p, y = multilabel(90, k) if task is Task.MULTILABEL else exclusive(90, k)
    decided = p > 0.5
    return evaluate(
        p,
        y,
        schema_of(task, k),
        decisions=decided,
        ood_scores=p.max(axis=1),
        groups=[str(i // 3) for i in range(90)],
        metadata={"camera": ["a", "b", "c"] * 30},
        uris=[f"{i}.jpg" for i in range(90)],
        costs=np.ones((k, 2)) if task is Task.MULTILABEL else 1 - np.eye(k),
    )


@pytest.mark.parametrize("task", list(Task))
def test_json_and_back(task: Task) -> None:
    evaluation = example(task)
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    again = Evaluation.from_json(json.loads(text))
    assert again.to_json() == json.loads(text)
    assert again.headline.value == pytest.approx(evaluation.headline.value, abs=1e-8)
    assert again.summary() == evaluation.summary()
    assert again.cases == evaluation.cases


def test_json_keys_are_stable() -> None:
    value = example(Task.MULTICLASS).to_json()
    assert list(value) == [
        "format", "version", "task", "labels", "positive", "n", "n_groups", "level", "n_resamples", "seed",
        "headline_metric", "metrics", "per_class", "advice", "confusion", "curves", "slices", "cases",
    ]  # fmt: skip
    assert list(value["metrics"]["accuracy"]) == ["value", "low", "high", "n", "n_groups", "method"]
    assert list(value["per_class"][0]) == ["label", "support", "predicted", "metrics"]
    assert list(value["curves"]) == ["roc", "precision_recall", "reliability", "thresholds"]
    assert list(value["cases"]["mistakes"][0]) == [
        "index", "uri", "actual", "predicted", "confidence", "loss", "ood_score",
    ]  # fmt: skip


def test_every_defined_metric_has_an_interval_around_it() -> None:
    for task in Task:
        evaluation = example(task)
        every = [*evaluation.metrics.items(), *(m for c in evaluation.per_class for m in c.metrics.items())]
        for name, estimate in every:
            assert estimate.value is not None
            assert estimate.low is not None, name
            assert estimate.high is not None, name
            assert estimate.low <= estimate.value <= estimate.high, name
            assert estimate.low < estimate.high, name


def test_absent_class_is_null_in_json() -> None:
    p, y = exclusive(60, 3)
    y[y == 2] = 0
    evaluation = evaluate(p, y, schema_of(Task.MULTICLASS, 3))
    recall = evaluation.to_json()["per_class"][2]["metrics"]["recall"]
    assert recall == {"value": None, "low": None, "high": None, "n": 0, "n_groups": None, "method": "none"}


def test_summary_leads_with_the_metric_to_trust() -> None:
    lines = example(Task.BINARY).summary()
    assert lines[0].startswith("accuracy ")
    assert lines[0].endswith("← trust this one (90 images in 30 groups)")


def test_groups_that_hold_one_image_each_are_no_groups() -> None:
    p, y = exclusive(40, 2)
    plain = evaluate(p, y, schema_of(Task.BINARY, 2))
    assert evaluate(p, y, schema_of(Task.BINARY, 2), groups=[None] * 40) == plain
    assert evaluate(p, y, schema_of(Task.BINARY, 2), groups=[str(i) for i in range(40)]) == plain


def test_a_single_image_can_be_evaluated() -> None:
    evaluation = evaluate(np.array([[0.2, 0.8]]), np.array([1]), schema_of(Task.BINARY, 2))
    assert evaluation.metrics["accuracy"].value == 1.0
    json.dumps(evaluation.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uris": ["a"]}, "uris wants one entry per image, 2, got 1"),
        ({"metadata": {"day": ["mon"]}}, "day wants one entry per image, 2, got 1"),
        ({"groups": ["a"]}, "groups want one entry per image, 2, got 1"),
        ({"ood_scores": np.zeros(3)}, "ood_scores wants one entry per image, 2, got 3"),
    ],
)
def test_columns_of_another_length_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(np.full((2, 2), 0.5), np.array([0, 1]), schema_of(Task.BINARY, 2), **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"format": "x"},
            "not an evaluation that this tellapart can read: expected 'tellapart-evaluation', version 1, got format 'x', "
            "version None",
        ),
        (
            {"format": "tellapart-evaluation", "version": 1},
            "the evaluation is damaged (KeyError: 'task'); write it anew with `tellapart evaluate`",
        ),
    ],
)
def test_what_is_no_evaluation_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        Evaluation.from_json(value)
    assert caught.value.reason is Reason.DATASET_FORMAT
    assert str(caught.value) == message


def test_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, tellapart.evaluation\n"
        "print(sorted({'scipy', 'sklearn', 'matplotlib', 'PIL', 'polars', 'pydantic', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
