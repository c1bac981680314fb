"""What a fine-tuning tells on the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.evaluation.compare import Comparison
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.learning import Learning, Rival
from tellapart.training.finetune.job import JobResult
from tellapart.workflows.finetune_story import epochs_of, summary_of

ROW = {"epoch": 1, "lr": 1e-4, "train_loss": 1.0, "val_loss": 1.1, "f1_macro": 0.4}


def _result(**changes: Any) -> JobResult:
    values = {
        "best_epoch": 1, "epochs": 1, "metric_name": "f1_macro", "metric": 0.4, "val_loss": 1.1, "seconds": 9.0,
        "images_per_second": 120.0, "images_per_second_without_loading": 125.0, "ended": "complete",
        "device": "CPU, 2 threads", "precision": "32-true", "parameters": 1000, "trained_parameters": 10, "history": (ROW,),
    }  # fmt: skip
    return JobResult.model_validate(values | changes)


def _learning(result: JobResult, better: str | None) -> Learning:
    difference = Estimate(-0.1, -0.2, -0.01, 50, None, "bootstrap")
    names = ("the frozen probe", "fine-tuning")
    found = Comparison("f1_macro", names, 0.5, 0.4, difference, None, better, "…")
    return Learning(epochs_of(result), found, (Rival(names[0], 3, 10), Rival(names[1], 61, 10)))


def test_the_summary_says_what_learned_and_what_it_brought() -> None:
    result = _result(notes=("the memory did not suffice",))
    lines = summary_of("lenet, trained from scratch", result, _learning(result, "fine-tuning"))
    assert lines == (
        "network     lenet, trained from scratch, 10 of 1,000 weights trained, 1 epoch, the best 1; 120 images/s on CPU, "
        "2 threads",
        "warning     the memory did not suffice",
        "compared    macro F1 0.400 against 0.500 of the frozen probe: -0.100 (-0.200 to -0.010); 1.0 min against 3 s",
    )


@pytest.mark.parametrize("better, warned", [("the frozen probe", True), (None, False), ("fine-tuning", False)])
def test_a_loss_is_not_passed_over(better: str | None, warned: bool) -> None:
    lines = summary_of("builtin, fine-tuned", _result(), _learning(_result(), better))
    said = [line for line in lines if line.startswith("warning")]
    assert bool(said) is warned
    if warned:
        assert said[0] == (
            "warning     fine-tuning made it worse on the images held back: --method probe gives the better model, in less "
            "time; more images, another augmentation or a lower learning rate may change that"
        )


def test_curves_have_the_score_of_every_epoch() -> None:
    found = epochs_of(_result())
    assert list(found.score) == [0.4]
    assert found.best == 1
