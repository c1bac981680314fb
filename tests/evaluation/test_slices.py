"""Slices find the bad camera."""

from __future__ import annotations

import numpy as np
from tests.evaluation.builders import exclusive, schema_of

from tellapart.evaluation.evaluation import evaluate
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.scored import score
from tellapart.evaluation.slices import slices
from tellapart.records import Task


def test_the_bad_camera_comes_first_and_is_marked() -> None:
    p, y = exclusive(600, 3, seed=1, lift=4)
    camera = np.array(["left", "right", "top"])[np.arange(600) % 3]
    y[camera == "top"] = (y[camera == "top"] + (np.arange(200) % 2)) % 3
    found = evaluate(p, y, schema_of(Task.MULTICLASS, 3), metadata={"camera": camera.tolist()}).slices
    assert next((s.column, s.value, s.n) for s in found) == ("camera", "top", 200)
    assert [s.below for s in found] == [True, False, False]


def test_rare_values_are_pooled_and_useless_columns_left_out() -> None:
    p, y = exclusive(40, 2)
    metadata = {
        "day": ["mon"] * 20 + ["tue"] * 11 + ["wed"] * 5 + ["thu"] * 4,
        "file": [str(i) for i in range(40)],
        "site": ["one"] * 40,
        "lens": [""] * 15 + ["b"] * 25,
    }
    found = evaluate(p, y, schema_of(Task.BINARY, 2), metadata=metadata).slices
    assert {(s.column, s.value, s.n) for s in found} == {
        ("day", "mon", 20),
        ("day", "tue", 11),
        ("day", "few", 9),
        ("lens", "(empty)", 15),
        ("lens", "b", 25),
    }


def test_slice_value_is_the_metric_of_its_rows() -> None:
    p, y = exclusive(90, 3, seed=5)
    half = ["a"] * 45 + ["b"] * 45
    found = evaluate(p, y, schema_of(Task.MULTICLASS, 3), metadata={"half": half})
    alone = evaluate(p[:45], y[:45], schema_of(Task.MULTICLASS, 3))
    value = next(s for s in found.slices if s.value == "a")
    assert value.estimate.value == alone.metrics[value.metric].value


def test_a_slice_is_marked_only_when_its_interval_lies_wholly_below() -> None:
    p, y = exclusive(60, 2, seed=5)
    scored, metadata = score(p, y, schema_of(Task.BINARY, 2)), {"half": ["a"] * 30 + ["b"] * 30}

    def marks(low: float) -> list[bool]:
        overall = Estimate(1.0, low, 1.0, 60)
        return [s.below for s in slices(scored, metadata, metric="accuracy", overall=overall)]

    highest = max(
        s.estimate.high or 0 for s in slices(scored, metadata, metric="accuracy", overall=Estimate(1, 1, 1, 9))
    )
    assert highest < 1
    assert marks(highest + 1e-6) == [True, True]
    assert marks(0.0) == [False, False]
