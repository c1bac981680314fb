"""Trainings that share their images, tell of every epoch, and answer for the images they were validated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.training.finetune.jobs import targets, tiny_job

pytest.importorskip("torch")

from tellapart.training.finetune.answers import validation_answers
from tellapart.training.finetune.copied_job import copy_job
from tellapart.training.finetune.job import run_job


class Enough(Exception):
    """Stops a training from within."""


def test_a_copy_shares_the_images_and_learns_in_its_own_way(tmp_path: Path) -> None:
    job = tiny_job(tmp_path / "images")
    other = job.finetune.model_copy(update={"epochs": 1, "batch_size": 12})
    copy = copy_job(tmp_path / "images", tmp_path / "copy", other)
    assert copy == job.model_copy(update={"finetune": other})
    assert (tmp_path / "copy/pixels.bin").stat().st_ino == (tmp_path / "images/pixels.bin").stat().st_ino
    assert run_job(tmp_path / "copy").epochs == 1


def test_a_copy_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    job = tiny_job(tmp_path / "images", epochs=1)
    copy_job(tmp_path / "images", tmp_path / "copy", job.finetune)
    result = run_job(tmp_path / "copy")
    assert copy_job(tmp_path / "images", tmp_path / "copy", job.finetune) == job
    assert run_job(tmp_path / "copy") == result


def test_every_epoch_is_told_and_may_be_the_last(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=3)
    told: list[tuple[int, float]] = []

    def on_epoch(epoch: int, metric: float) -> None:
        told.append((epoch, metric))
        if epoch == 2:
            raise Enough

    with pytest.raises(Enough):
        run_job(tmp_path / "job", on_epoch=on_epoch)
    assert [epoch for epoch, _ in told] == [1, 2]
    assert all(0 <= metric <= 1 for _, metric in told)
    result = run_job(tmp_path / "job", on_epoch=lambda epoch, metric: told.append((epoch, metric)))
    assert [epoch for epoch, _ in told] == [1, 2, 2, 3]
    assert told[-1][1] == result.history[-1]["f1_macro"]


def test_the_answers_are_those_that_chose_the_epoch(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=3, optimizer={"lr": 0.01})
    result = run_job(tmp_path / "job")
    answers = validation_answers(tmp_path / "job")
    assert answers.shape == (9, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    share = float((answers.argmax(axis=1) == targets(9).argmax(axis=1)).mean())
    assert share == pytest.approx(result.history[result.best_epoch - 1]["accuracy"])
