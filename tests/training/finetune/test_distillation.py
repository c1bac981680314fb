"""Distillation: the loss against its formula and its limits, and labels matched by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.finetune.jobs import labelled, pictures, targets

torch = pytest.importorskip("torch")

from tests.classifier.models import model, model_folder  # noqa: E402

from tellapart.errors import Reason, SettingsError  # noqa: E402
from tellapart.records import Label, LabelSchema, Task  # noqa: E402
from tellapart.settings.recipe import Distillation, Finetune, Loss  # noqa: E402
from tellapart.training.finetune.distillation import (  # noqa: E402
    DistillationLoss,
    Teacher,
    divergence,
    matched_columns,
    soften,
)
from tellapart.training.finetune.losses import make_loss  # noqa: E402


def schema(*names: str, task: Task = Task.MULTICLASS) -> LabelSchema:
    return LabelSchema(task, tuple(Label(i, name) for i, name in enumerate(names)), None)


def batch(task: Task = Task.MULTICLASS) -> tuple[Any, Any, Any]:
    """Logits, targets and the teacher's logits."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = (2 * torch.randn(4, 3, generator=generator) for _ in range(2))
    targets = torch.eye(3)[[0, 1, 2, 0]]
    return logits, targets if task is not Task.MULTILABEL else targets + targets.roll(1, 1), teacher


def made(weight: float, temperature: float = 4.0, task: Task = Task.MULTICLASS) -> DistillationLoss:
    plain = make_loss(Loss(), task=task, class_counts=np.ones(3, int), n=4)
    return DistillationLoss(plain, Distillation(teacher="big", weight=weight, temperature=temperature), task)


def test_it_is_hintons_formula() -> None:
    logits, targets, teacher = batch()
    q, p = (torch.softmax(x.double() / 3, 1).numpy() for x in (teacher, logits))
    distance = (q * np.log(q / p)).sum(axis=1).mean()
    plain = torch.nn.functional.cross_entropy(logits, targets).item()
    found = made(0.3, 3.0)(logits, targets, soften(teacher, 3.0, Task.MULTICLASS)).item()
    assert found == pytest.approx(0.7 * plain + 0.3 * 9 * distance, rel=1e-4)


def test_several_labels_have_a_distance_each() -> None:
    logits, targets, teacher = batch(Task.MULTILABEL)
    q, p = (torch.sigmoid(x.double() / 3).numpy() for x in (teacher, logits))
    distance = (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).mean()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).item()
    found = made(0.3, 3.0, Task.MULTILABEL)(logits, targets, soften(teacher, 3.0, Task.MULTILABEL)).item()
    assert found == pytest.approx(0.7 * plain + 0.3 * 9 * distance, rel=1e-4)


@pytest.mark.parametrize("task", list(Task)[1:])
def test_who_answers_like_the_teacher_is_at_no_distance(task: Task) -> None:
    _, targets, teacher = batch(task)
    assert abs(made(1.0, 4.0, task)(teacher, targets, soften(teacher, 4.0, task)).item()) < 1e-5


@pytest.mark.parametrize("task", list(Task)[1:])
def test_without_weight_it_is_the_plain_loss(task: Task) -> None:
    logits, targets, teacher = batch(task)
    loss = made(0.0, 4.0, task)
    assert torch.equal(loss(logits, targets, soften(teacher, 4.0, task)), loss.plain(logits, targets))


def test_the_gradient_hardly_depends_on_the_temperature() -> None:
    sizes = []
    for temperature in (20.0, 40.0):
        logits, targets, teacher = batch()
        logits.requires_grad_()
        made(1.0, temperature)(logits, targets, soften(teacher, temperature, Task.MULTICLASS)).backward()
        sizes.append(logits.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


@pytest.mark.parametrize("task", list(Task)[1:])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e3])
def test_it_is_finite_for_teachers_that_are_sure(task: Task, size: float) -> None:
    logits, targets, teacher = batch(task)
    logits = (logits * size).requires_grad_()
    value = made(0.5, 1.0, task)(logits, targets, soften(teacher * 1e3, 1.0, task))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


def test_mixed_answers_of_the_teacher_are_still_probabilities() -> None:
    logits, _, teacher = batch()
    soft = soften(teacher, 2.0, Task.MULTICLASS)
    mixed = 0.3 * soft + 0.7 * soft.roll(1, 0)
    assert divergence(logits / 2, mixed, Task.MULTICLASS).item() > 0
    assert mixed.sum(1).tolist() == pytest.approx([1] * 4)


def test_autocast_does_not_change_it() -> None:
    logits, targets, teacher = batch()
    soft = soften(teacher, 4.0, Task.MULTICLASS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = made(0.5)(logits, targets, soft)
    assert torch.equal(inside, made(0.5)(logits, targets, soft))


def test_labels_are_matched_by_name() -> None:
    columns = matched_columns(schema("dog", "cat", "frog"), schema("frog", "dog", "cat"))
    assert columns.tolist() == [2, 0, 1]


def test_foreign_labels_are_named() -> None:
    with pytest.raises(SettingsError) as caught:
        matched_columns(schema("dog", "cat", "cow"), schema("dog", "frog"))
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the teacher has other labels: it does not know 'frog', and it knows 'cat', 'cow', which the training data do not "
        "have. Take a teacher that was trained for the same labels"
    )


def test_many_foreign_labels_are_counted() -> None:
    with pytest.raises(SettingsError, match=r"'n0', 'n1', 'n2', 'n3', 'n4' and 3 more, which the training data"):
        matched_columns(schema("a", "b", *(f"n{i}" for i in range(8))), schema("a", "b"))


def test_a_teacher_of_another_task_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        matched_columns(schema("a", "b", task=Task.MULTILABEL), schema("a", "b"))
    assert str(caught.value) == (
        "the teacher gives several labels per image, the training data one label per image: "
        "take a teacher that was trained for the same labels"
    )


def test_a_model_folder_teaches_in_the_order_of_the_student() -> None:
    teacher = model()
    student = schema("red", "green", "blue", task=Task.MULTICLASS)
    asked = Teacher.of(teacher, student)
    embeddings = np.random.default_rng(0).normal(size=(5, teacher.backbone.embedding_dim)).astype(np.float32)
    logits = asked.logits(embeddings)
    assert logits.dtype == np.float32
    expected = teacher.head.probabilities(embeddings)[:, [teacher.labels.index(name) for name in student.names]]
    assert torch.softmax(torch.tensor(logits), 1).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_teacher_is_opened_from_its_folder() -> None:
    opened = Teacher.open(model_folder(), schema("blue", "green", "red"))
    assert opened.columns.tolist() == [0, 1, 2]


def test_a_network_that_learns_from_the_teacher_alone_says_what_the_teacher_says(tmp_path: Path) -> None:
    from tellapart.training.finetune.job import Labelled, run_job, write_job

    said = targets(48)[:, [1, 2, 0]]  # whatever the labels say, the teacher takes each class for another
    write_job(
        tmp_path / "job",
        finetune=Finetune.model_validate(
            {
                "start": "scratch",
                "epochs": 6,
                "batch_size": 8,
                "optimizer": {"lr": 0.01},
                "augmentation": {"preset": "none", "mixup": 0.1},
                "distillation": {"teacher": "big", "weight": 1.0, "temperature": 2.0},
            }
        ),
        network="lenet",
        spec="decode|upright|fit(32)",
        task=Task.MULTICLASS,
        n_classes=3,
        train=labelled(48),
        val=Labelled(pictures(9, 1), targets(9)[:, [1, 2, 0]]),
        teacher=10 * said,
    )
    assert (run_job(tmp_path / "job").metric or 0) > 0.9
