"""Curves of the report are whole drawings, and the numbers under them are those of the findings."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file
from tests.contracts.hygiene import enough

from tellapart.data.hygiene.enough import CHECK
from tellapart.data.hygiene.prospects import Prospects
from tellapart.records import LabelSchema, Task
from tellapart.workflows.check import check
from tellapart.workflows.check_growth import growth_section
from tellapart.workflows.check_report import render
from tellapart.workflows.prospecting import prospects, two_digits


def planted() -> Prospects:
    found = enough.planted().prospects
    assert found is not None
    return found


def test_a_curve_for_all_and_for_each_class_that_has_one() -> None:
    html = growth_section(planted())
    drawings = re.findall(r"<svg class=\"chart\".*?</svg>", html, re.DOTALL)
    assert len(drawings) == 3  # scratch has nothing to draw
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        xs = [float(p.get("cx", "")) for p in root.iter("circle")]
        assert xs
        assert all(0 <= x <= 380 for x in xs)
    assert "cannot be told: it has 6 independent images; 10 are the least that make a curve" in html
    assert "120 more images: +7.0 points (+4.0 to +9.0)" in html
    assert "0.78<small>0.74 to 0.81</small>" in html


def test_names_are_escaped() -> None:
    found = planted()
    odd = replace(found, classes=tuple(replace(one, label="<b>&") for one in found.classes))
    assert "<b>&" not in growth_section(odd)


def test_what_was_not_measured_is_told_and_not_drawn() -> None:
    nothing = enough.untold("")
    html = growth_section(replace(planted(), overall=nothing, classes=(nothing,)))
    assert "<svg" not in html
    assert "cannot be told: it has 6 independent images" in html


def test_no_section_where_nobody_asked() -> None:
    assert growth_section(None) == ""


def test_curves_become_numbers() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 60)
    embeddings = (rng.normal(size=(120, 8)) + classes[:, None] * 0.7).astype(np.float32)
    schema = LabelSchema.from_names(["a", "b"], task=Task.BINARY)
    labels = np.eye(2, dtype=np.uint8)[classes]
    found = prospects(embeddings, labels, np.arange(120), schema, seed=0)
    one = found.classes[0]
    assert [ahead.more for ahead in one.ahead] == [0, 15, 30, 60, 90, 120, 180]
    assert one.twice is not None
    assert one.twice.more == 60
    assert all(a.score.value <= b.score.value for a, b in pairwise(one.ahead))
    assert one.now == one.ahead[0].score
    assert found.judged == ("a", "b")


@pytest.mark.parametrize(("n", "rough"), [(7, 7), (57, 57), (115, 120), (1344, 1300), (99_950, 100_000)])
def test_numbers_sound_as_rough_as_they_are(n: int, rough: int) -> None:
    assert two_digits(n) == rough


def test_check_draws_curves_only_when_asked(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "parts", {"bad": 14, "good": 14})
    checked = check(data, checks=[CHECK], backbone=backbone_file(), workers=2)
    assert checked.evidence.prospects is not None
    assert checked.to_json()["prospects"]["classes"][0]["n_now"] == 14
    assert "Is it enough?" in render(checked)
    one_class = write_folders(tmp_path / "few", {"only": 2})
    (skipped,) = check(one_class, checks=[CHECK], backbone=backbone_file(), workers=2).skipped
    assert skipped.name == "enough"
    assert "at least two classes" in skipped.why
