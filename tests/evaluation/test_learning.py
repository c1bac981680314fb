"""How a training is told in the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tellapart.evaluation.compare import compare
from tellapart.evaluation.learning import Epochs, Learning, Rival, learning_section, minutes, verdict_line
from tellapart.evaluation.scored import score
from tellapart.records import LabelSchema, Task

SCHEMA = LabelSchema.from_names(["a", "b", "c"], task=Task.MULTICLASS)
EPOCHS = Epochs([2.0, 1.0, 0.5], [2.1, None, 0.9], [0.3, 0.5, 0.6], [1e-3, 5e-4, 0.0], "f1_macro", best=3)
RIVALS = (Rival("the frozen probe", 4.2, 6_700_000), Rival("fine-tuning", 250.0, 6_900_000))


def _compared(better: float):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    answers = [np.where(rng.random(300) < share, targets, rng.integers(0, 3, 300)) for share in (0.4, better)]
    first, second = (score(np.eye(3)[answer], targets, SCHEMA) for answer in answers)
    return compare(first, second, metric="f1_macro", names=("the frozen probe", "fine-tuning"))


@pytest.mark.parametrize("seconds, said", [(4.4, "4 s"), (59.9, "60 s"), (90, "1.5 min"), (5400, "1.5 h")])
def test_times_are_told_in_a_unit_that_fits(seconds: float, said: str) -> None:
    assert minutes(seconds) == said


def test_the_line_for_the_terminal_has_both_values_and_the_interval() -> None:
    found = _compared(0.9)
    line = verdict_line(found, RIVALS)
    assert found.difference.low is not None
    assert found.difference.low > 0
    assert line == (
        f"macro F1 {found.second:.3f} against {found.first:.3f} of the frozen probe: +{found.difference.value:.3f} "
        f"(+{found.difference.low:.3f} to +{found.difference.high:.3f}); 4.2 min against 4 s"
    )


def test_the_section_draws_each_curve_and_the_comparison() -> None:
    html = learning_section(Learning(EPOCHS, _compared(0.9), RIVALS, b"\x89PNG", "keeps <colour>"))
    assert html.count("<figure>") == 3
    assert "epoch 3: validation 0.9" in html
    assert "epoch 2: validation 0.9" not in html
    assert "The weights of epoch 3 were kept." in html
    assert "Was it worth the time?" in html
    assert "keeps &lt;colour&gt;" in html
    assert "data:image/png" in html


def test_a_training_without_a_rival_shows_its_curves_alone() -> None:
    html = learning_section(Learning(EPOCHS))
    assert "Was it worth" not in html
    assert html.count("<figure>") == 3


def test_a_start_that_no_epoch_beat_is_told() -> None:
    html = learning_section(Learning(replace(EPOCHS, best=0)))
    assert "No epoch was better than the start, whose weights were kept" in html


def test_small_learning_rates_are_readable() -> None:
    html = learning_section(Learning(replace(EPOCHS, learning_rate=[2e-4, 1e-4, 1e-5])))
    assert "learning rate × 10^4" in html
    assert ">2</text>" in html
